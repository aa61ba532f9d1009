"""Links to files and the clock that ends them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulator.clock import SimClock
from harness.simulator.links import Links, address
from harness.simulator.process import spawn
from tests.simulator.asking import LOW, post, truths
from tests.simulator.tasking import APIS, CLIENT, result, world


def test_a_file_is_kept_for_its_time_and_its_token_is_remembered() -> None:
    clock = SimClock(1)
    links = Links(clock)
    short, long = links.put(b"short", "image/png", 10), links.put(b"long", "image/webp", 1000)
    assert short != long
    stored = links.get(short)
    assert stored is not None
    assert (stored.data, stored.content_type) == (b"short", "image/png")
    clock.advance(11)
    assert links.get(short) is None
    assert links.expired(short)
    assert not links.expired("made-up")
    assert links.get(long) is not None
    assert address("http://127.0.0.1:1", long, "image/webp") == f"http://127.0.0.1:1/files/{long}.webp"


def test_an_expired_link_is_denied_as_object_stores_do_and_one_that_never_was_is_not_found(tmp_path: Path) -> None:
    api, log = APIS["replicate"], tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        told = api.submit(sim, prefer="wait").json()
        (url,) = result(api, told)
        fresh, head = CLIENT.get(url), CLIENT.head(url)
        moved = CLIENT.post(f"{sim.entries['direct'].removesuffix('/v1')}/sim/clock", json={"advance_s": 3600})
        stale = CLIENT.get(url)
        unknown = CLIENT.get(f"{api.base(sim)}/files/{'0' * 32}.png")
        assert api.poll(sim, told["id"]).json()["status"] == "succeeded"
    assert fresh.status_code == 200
    assert head.headers["etag"] == fresh.headers["etag"]
    assert (head.headers["content-length"], head.content) == (str(len(fresh.content)), b"")
    assert moved.json() == {"advanced_s": 3600}
    assert (stale.status_code, unknown.status_code) == (403, 404)
    assert ElementTree.fromstring(stale.content).findtext("Code") == "AccessDenied"
    (record,) = truths(log)
    assert record["result_fetches"] == 1


def test_a_link_lives_as_long_as_its_api_says_or_as_the_world_does() -> None:
    with spawn(world(link_ttl_s=100)) as sim:
        urls = {}
        for name, api in APIS.items():
            task_id = api.id_of(api.submit(sim).json())
            urls[name] = result(api, api.wait(sim, task_id)[0])[0]
        CLIENT.post(f"{APIS['task'].base(sim)}/sim/clock", json={"advance_s": 100})
        assert {CLIENT.get(url).status_code for url in urls.values()} == {403}
    with spawn(world()) as sim:
        task_id = APIS["evolink"].id_of(APIS["evolink"].submit(sim).json())
        url = APIS["evolink"].wait(sim, task_id)[0]["results"][0]
        for advance_s, status in ((80_000, 200), (10_000, 403)):
            CLIENT.post(f"{APIS['task'].base(sim)}/sim/clock", json={"advance_s": advance_s})
            assert CLIENT.get(url).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"no",
        b'{"advance_s": -1}',
        b'{"advance_s": NaN}',
        b'{"advance_s": 1e12}',
        b'{"advance_s": 1' + b"0" * 400 + b"}",
    ],
)
def test_the_clock_goes_forward_only_and_by_a_number(body: bytes) -> None:
    with spawn({}) as sim:
        url = f"{sim.entries['direct'].removesuffix('/v1')}/sim/clock"
        assert CLIENT.post(url, content=body).status_code == 400
        assert CLIENT.post(url, json={"advance_s": 0}).json() == {"advanced_s": 0}


def test_what_waits_for_the_worlds_time_comes_due_when_it_is_moved() -> None:
    async def work() -> tuple[float, float]:
        clock = SimClock(1)
        start_ns = clock.now_ns()
        waiting = asyncio.create_task(clock.until(start_ns, 500))
        short = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0.01)
        began = time.monotonic()
        clock.advance(400)
        await asyncio.sleep(0.01)
        assert not waiting.done()
        clock.advance(100)
        await waiting
        late_s = time.monotonic() - began
        short.cancel()
        return late_s, clock.world_s(start_ns, clock.now_ns())

    late_s, passed_s = asyncio.run(work())
    assert late_s < 5
    assert 500 <= passed_s < 510


def test_an_answer_that_is_waited_for_comes_when_the_clock_is_moved() -> None:
    with spawn({"time_scale": 1, "layers": {"jobs": {"speaks": "task"}}}) as sim:
        base = sim.entries["jobs"]
        headers = {"authorization": "Bearer sk-sim-test"}
        told = CLIENT.post(f"{base}/v1/tasks", json={"prompt": "x", "quality": "high"}, headers=headers)
        CLIENT.post(f"{base}/sim/clock", json={"advance_s": 1000})
        began = time.monotonic()
        while (answer := CLIENT.get(f"{base}/v1/tasks/{told.json()['id']}", headers=headers).json())[
            "status"
        ] != "done":
            assert time.monotonic() - began < 10
            time.sleep(0.01)
    assert httpx.URL(answer["result"]["url"]).path.endswith(".png")


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.floats(0, 50)), max_size=4),
    st.integers(0, 10**9),
    st.floats(0, 100),
)
def test_a_moment_is_where_so_many_world_seconds_have_passed(
    moves: list[tuple[int, float]], start_ns: int, world_s: float
) -> None:
    clock, total_s, at_ns = SimClock(10), 0.0, 0
    for gap_ns, skipped_s in moves:
        at_ns, total_s = at_ns + gap_ns, total_s + skipped_s
        clock._moves.append((at_ns, total_s))
    moment_ns = clock.moment_ns(start_ns, world_s)
    assert clock.world_s(start_ns, moment_ns) >= world_s - 1e-6
    if moment_ns > start_ns + 1:
        assert clock.world_s(start_ns, moment_ns - 2) <= world_s + 1e-6


def test_images_are_as_fast_as_ever_where_nobody_moves_the_clock(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn({"time_scale": 100}, log=log) as sim:
        assert post(sim, "direct", LOW).status_code == 200
    (record,) = truths(log)
    assert (record["made_ns"] - record["received_ns"]) / 1e9 * 100 >= record["latency_s"] - 0.001
