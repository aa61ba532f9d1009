"""A port that is broken while it runs, and mended."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.simulator.process import Running, spawn
from tests.simulator.asking import BODY, HEADERS, LOW, post, truths

WORLD: dict[str, Any] = {
    "seed": 4,
    "time_scale": 200,
    "layers": {"edge": {"imitates": "nginx"}, "tasks": {"speaks": "kie"}},
}


def switch(sim: Running, entry: str, body: object) -> httpx.Response:
    return httpx.post(f"{sim.entries[entry].removesuffix('/v1')}/sim/switch", json=body, timeout=10)


def test_a_broken_port_gives_its_fault_until_it_is_mended_and_the_others_go_on(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(WORLD, log=log) as sim:
        before = post(sim, "edge", LOW).status_code
        assert switch(sim, "edge", {"fault": "503"}).json() == {"fault": "503", "dropped": 0}
        broken, other = post(sim, "edge", LOW).status_code, post(sim, "direct", LOW).status_code
        assert switch(sim, "edge", {"fault": None}).json() == {"fault": None, "dropped": 0}
        after = post(sim, "edge", LOW).status_code
    assert (before, broken, other, after) == (200, 503, 200, 200)
    made = [(record["entry"], record["fault"], record["finished"]) for record in truths(log)]
    assert made == [("edge", None, True), ("edge", "503", False), ("direct", None, True), ("edge", None, True)]


def test_what_is_under_way_when_a_port_dies_is_cut_without_a_reply_and_made_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    ended: list[str] = []

    def ask(sim: Running) -> None:
        try:
            httpx.post(f"{sim.entries['edge']}/images/generations", json=BODY, headers=HEADERS, timeout=30)
        except httpx.HTTPError as error:
            ended.append(type(error).__name__)

    with spawn(WORLD, log=log) as sim:
        waiting = threading.Thread(target=ask, args=[sim])
        waiting.start()
        dropped = 0
        while dropped == 0:  # until the request is there
            dropped = switch(sim, "edge", {"fault": None, "drop": True}).json()["dropped"]
        waiting.join(10)
        httpx.post(f"{sim.entries['direct'].removesuffix('/v1')}/sim/clock", json={"advance_s": 1000})
    assert ended == ["RemoteProtocolError"]
    (record,) = truths(log)
    assert (record["status_sent"], record["finished"], record["finished_after_client_left"]) == (None, True, True)


@pytest.mark.parametrize(
    ("entry", "body", "said"),
    [
        ("edge", {}, "null to mend"),
        ("edge", [], "null to mend"),
        ("edge", {"fault": "nonsense"}, "there is no fault"),
        ("edge", {"fault": "503", "drop": "yes"}, "true or false"),
        ("edge", {"fault": "5" * 300}, "at most 200"),
        ("tasks", {"fault": "503"}, "has no switch"),
    ],
)
def test_a_switch_says_what_it_wants(entry: str, body: object, said: str) -> None:
    with spawn(WORLD) as sim:
        answer = switch(sim, entry, body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
