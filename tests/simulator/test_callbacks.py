"""Callbacks: what an address on this host is told when a task is over, and that no other host ever is."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.simulator.process import spawn
from tests.simulator.asking import truths
from tests.simulator.tasking import APIS, CLIENT, SCALE, Api, world

ALL = pytest.mark.parametrize("api", APIS.values(), ids=APIS.keys())


@dataclass
class Heard:
    """An address of our own, and what it was told."""

    url: str
    told: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)  # path, body, when

    def wait(self) -> tuple[str, dict[str, Any], int]:
        until = time.monotonic() + 10
        while not self.told and time.monotonic() < until:
            time.sleep(0.005)
        (only,) = self.told
        return only


@contextmanager
def listening(status: int = 200) -> Iterator[Heard]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.told.append((self.path, json.loads(body), time.monotonic_ns()))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard = Heard(f"http://127.0.0.1:{server.server_port}/done?run=7")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@ALL
def test_the_end_of_a_task_is_told_in_its_apis_own_shape(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with listening() as heard, spawn(world(), log=log) as sim:
        task_id = api.id_of(api.submit(sim, callback=heard.url).json())
        path, told, heard_ns = heard.wait()
    assert path == "/done?run=7"
    if api.name == "fal":
        assert (told["request_id"], told["status"]) == (task_id, "OK")
        urls = api.urls_of(told["payload"])
    else:
        assert api.state_of(told) == api.done
        assert task_id in json.dumps(told)
        urls = api.urls_of(told)
    assert urls[0].startswith(f"{api.base(sim)}/files/")
    (record,) = truths(log)
    assert record["made_ns"] <= record["callback_ns"] <= heard_ns
    assert (record["polls"], record["result_fetches"]) == (0, 0)


@ALL
def test_a_failure_is_told_as_well(api: Api) -> None:
    with listening() as heard, spawn(world()) as sim:
        api.submit(sim, callback=heard.url, **{"x-sim-fault": "task_failed"})
        _, told, _ = heard.wait()
    if api.name == "fal":
        assert (told["status"], bool(told["error"])) == ("ERROR", True)
    elif api.name == "kie":
        assert (told["code"], told["data"]["state"]) == (501, "fail")
    else:
        assert (api.state_of(told), bool(told["error"])) == (api.failed, True)


def test_a_callback_may_be_lost_or_late(tmp_path: Path) -> None:
    api, log = APIS["task"], tmp_path / "truth.jsonl"
    with listening() as heard, spawn(world(), log=log) as sim:
        lost = api.id_of(api.submit(sim, callback=heard.url, **{"x-sim-fault": "callback_lost"}).json())
        api.wait(sim, lost)
        api.submit(sim, callback=heard.url, **{"x-sim-fault": "callback_late;s=50"})
        assert heard.wait()[1]["id"] != lost
    by_fault = {record["fault"]: record for record in truths(log)}
    assert by_fault["callback_lost"]["callback_ns"] is None
    late = by_fault["callback_late"]
    assert (late["callback_ns"] - late["made_ns"]) / 1e9 * SCALE >= 50


@pytest.mark.parametrize(
    "address",
    ["http://198.51.100.7/x", "https://127.0.0.1/x", "http://example.com/", "http://127.0.0.1@198.51.100.7/"],
)
def test_no_other_host_is_ever_called(address: str, tmp_path: Path) -> None:
    api, log = APIS["task"], tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        task_id = api.id_of(api.submit(sim, callback=address).json())
        assert api.wait(sim, task_id)[0]["status"] == "done"
    (record,) = truths(log)
    assert (record["callback_ns"], record["finished"]) == (None, True)
    assert "not http on this host" in record["note"]


def test_an_address_that_refuses_or_is_not_there_is_noted(tmp_path: Path) -> None:
    api, log = APIS["task"], tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        with listening(status=503) as heard:
            api.submit(sim, callback=heard.url)
            heard.wait()
        api.wait(sim, api.id_of(api.submit(sim, callback=heard.url).json()))
        assert api.submit(sim, callback="nonsense").status_code == 400
        time.sleep(0.2)
    notes = [record["note"] for record in truths(log) if record["task_id"]]
    assert sorted(notes) == ["the callback was answered with 503", "the callback was not taken: ConnectionRefusedError"]


def test_replicate_tells_the_end_only_where_its_filter_lets_it() -> None:
    api, body = APIS["replicate"], {"version": "a" * 64, "input": {"prompt": "x", "quality": "low"}}
    with listening() as heard, spawn(world()) as sim:
        replies = {
            event: CLIENT.post(
                f"{api.base(sim)}/v1/predictions",
                json={**body, "webhook": heard.url, "webhook_events_filter": [event]},
                headers=api.headers(prefer="wait"),
            )
            for event in ("start", "completed", "nonsense")
        }
        strange = {**body, "webhook_events_filter": [{"completed": True}]}
        odd = CLIENT.post(f"{api.base(sim)}/v1/predictions", json=strange, headers=api.headers())
        assert heard.wait()[1]["id"] == replies["completed"].json()["id"]
    assert [reply.status_code for reply in (*replies.values(), odd)] == [201, 201, 422, 422]
