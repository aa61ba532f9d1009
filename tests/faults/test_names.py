"""Names that do not resolve and addresses that do not answer, in a network with a resolver of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.names_inside import CONNECT_S, SCALE, SLOW_S
from tests.faults.namespace import inside

Told = dict[str, Any]
PATIENCE_S = 25  # for so long the system waits for its resolver
WORLD_MS = 1000.0 * SCALE  # a second of this machine


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return inside("tests.faults.names_inside", tmp_path_factory.mktemp("names"), patience_s=PATIENCE_S)


def of(told: Told, name: str) -> tuple[Told, Told]:
    event: Told = told["events"][name]
    return event, event["attempts"][-1]


def test_a_name_that_resolves_is_the_measure_of_the_others(told: Told) -> None:
    event, attempt = of(told, "plain")
    assert (event["outcome"], [one["family"] for one in attempt["addresses"]]) == ("image", ["ipv4"])
    assert attempt["marks"]["dns_done_at_ms"] is not None


def test_a_name_that_does_not_exist_is_unreachable_and_says_so(told: Told) -> None:
    event, attempt = of(told, "gone")
    assert (event["outcome"], event["ended"], event["phase"]) == ("unreachable", "connect_failed", "pool_acquired")
    assert attempt["failure"][-1] in {"EAI_NONAME", "EAI_NODATA"}
    assert (attempt["addresses"], attempt["bytes_up"], event["cost_usd"]) == ([], 0, 0)
    assert event["timeout_layer"] is None


def test_a_resolver_that_does_not_answer_ends_at_our_own_connect_cap(told: Told) -> None:
    event, attempt = of(told, "mute")
    assert (event["outcome"], event["ended"], event["cap"] if "cap" in event else attempt["cap"]) == (
        "unreachable", "local_cap", "connect",
    )  # fmt: skip
    assert (event["timeout_layer"], event["phase"]) == ("client.connect", "pool_acquired")
    assert attempt["marks"]["dns_done_at_ms"] is None
    assert (attempt["addresses"], event["cost_usd"]) == ([], 0)
    # It held the job up for as long as the cap says, and not for as long as the resolver is waited for.
    assert CONNECT_S * WORLD_MS <= event["total_ms"] < 1.9 * CONNECT_S * WORLD_MS


def test_a_slow_resolver_is_in_the_dns_mark_and_nowhere_else(told: Told) -> None:
    event, attempt = of(told, "slow")
    marks = attempt["marks"]
    assert event["outcome"] == "image"
    assert marks["dns_done_at_ms"] - marks["pool_acquired_at_ms"] >= SLOW_S * WORLD_MS * 0.98
    assert attempt["addresses"][0]["tcp_ms"] < SLOW_S * WORLD_MS / 2


def test_a_host_with_ipv6_alone_is_reached(told: Told) -> None:
    event, attempt = of(told, "six")
    assert event["outcome"] == "image"
    assert [(one["family"], one["connected"]) for one in attempt["addresses"]] == [("ipv6", True)]


def test_a_black_holed_ipv6_gives_way_to_ipv4_and_its_time_is_kept(told: Told) -> None:
    event, attempt = of(told, "both")
    assert event["outcome"] == "image"
    dead, alive = attempt["addresses"]
    assert (dead["family"], dead["connected"], alive["family"], alive["connected"]) == ("ipv6", False, "ipv4", True)
    assert dead["tcp_ms"] >= 0.24 * WORLD_MS
    assert alive["tcp_ms"] < dead["tcp_ms"]


def test_a_black_hole_and_nothing_else_is_the_connect_cap_with_its_address(told: Told) -> None:
    event, attempt = of(told, "hole")
    assert (event["outcome"], event["timeout_layer"], event["phase"]) == ("unreachable", "client.connect", "dns_done")
    (tried,) = attempt["addresses"]
    assert (tried["family"], tried["connected"]) == ("ipv6", False)
    assert tried["tcp_ms"] >= 0.9 * CONNECT_S * WORLD_MS


def test_the_end_of_a_run_does_not_wait_for_a_resolver_that_hangs(told: Told) -> None:
    assert told["took_s"] < PATIENCE_S
