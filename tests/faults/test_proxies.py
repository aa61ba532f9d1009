"""Proxies of the environment: a real Squid carries what it is named for, and its own words are none of the answer's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageProblem
from harness.wire.transport import environment_proxy
from tests.faults.namespace import inside

Told = dict[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    if shutil.which("squid") is None:
        pytest.skip("no squid on the path")
    folder = tmp_path_factory.mktemp("proxies")
    return {**inside("tests.faults.proxy_inside", folder), "folder": folder}


def test_what_goes_through_the_proxy_is_marked_and_stands_in_the_proxys_own_log(told: Told) -> None:
    events, urls = told["good"], told["urls"]
    assert {name: one["outcome"] for name, one in events.items()} == dict.fromkeys(urls, "image")
    paths = {name: one["attempts"][0]["receive_path"] for name, one in events.items()}
    assert paths == {"plain": "library", "secure": "library", "direct": "own"}
    carried = [(port, method, url) for port, method, url, _ in told["log"] if "10.99.0.2" not in url]
    assert ("3128", "POST", urls["plain"] + "/images/generations") in carried
    secure = urls["secure"].removeprefix("https://").removesuffix("/v1")
    assert ("3129", "CONNECT", secure) in carried
    assert len(carried) == len(told["log"])  # NO_PROXY's host was never asked for there


def test_the_proxys_answer_to_connect_is_not_the_first_byte(told: Told) -> None:
    truth = {one["client_request_id"]: one for one in told["truth"]}
    for event in told["good"].values():
        (attempt,) = event["attempts"]
        marks, server = attempt["marks"], truth[attempt["client_request_id"]]
        took_ms = (server["headers_sent_ns"] - server["request_body_ns"]) / 1e6 * event["time_scale"]
        assert marks["first_byte_at_ms"] - marks["request_sent_at_ms"] > 0.5 * took_ms
        assert attempt["bytes_up"] < 5000
    secure = told["good"]["secure"]["attempts"][0]["marks"]
    order = [secure[f"{name}_at_ms"] for name in ("tcp_connected", "tls_done", "request_sent", "first_byte")]
    assert order == sorted(order)


def test_a_proxy_that_refuses_the_tunnel_is_no_connection_and_costs_nothing(told: Told) -> None:
    event = told["refused"]["secure"]
    (attempt,) = event["attempts"]
    assert (event["outcome"], event["ended"], event["cost_usd"]) == ("unreachable", "connect_failed", 0)
    assert (attempt["bytes_up"], attempt["bytes_down"], attempt["http_status"]) == (0, 0, None)
    assert attempt["failure"][-1] == "proxy_said_407"
    assert attempt["client_request_id"] not in {one["client_request_id"] for one in told["truth"]}


def test_no_proxy_may_name_a_port(told: Told) -> None:
    # The standard library compares whole names with their port.
    assert told["refused"]["plain"]["attempts"][0]["receive_path"] == "own"


def test_a_socks_proxy_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(UsageProblem, match="NO_PROXY"):
        environment_proxy("https://images.example/v1")


def test_nothing_of_a_proxys_password_is_kept(told: Told) -> None:
    folder = told["folder"]
    for run in ("good", "refused"):
        for path in Path(folder / run).rglob("*"):
            assert not path.is_file() or not any(
                word in path.read_bytes() for word in (b"sword", b"me:wrong", b"127.0.0.1:3129")
            )
