"""A worker's side in this process: what it is given, and that a lease sends once."""

from __future__ import annotations

import asyncio
import os
import pickle
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import msgspec
import pytest

from harness.cluster import calls
from harness.cluster.fleet import Member
from harness.cluster.parcel import Parcel, pack, unpack
from harness.cluster.sender import ClusterSender, Lease
from harness.cluster.station import Done
from harness.conditions import Host
from harness.errors import UsageProblem
from harness.events import JobEvent, from_line, to_line
from harness.plan import make_plan
from harness.run.lag import LagMeter
from harness.run.lanes import make_setting
from harness.run.record import unknown_event
from harness.salt import load_salt
from harness.scenario import Scenario, load_scenario
from harness.wire.clock import WorldClock

TEXT = """
name: small
why: One worker's side.
prompts: [A red apple]
references: [photo.png]
defaults: {quality: low, size: 1024x1024, output_format: jpeg}
routes: {one: {base_url: "BASE", owner: OWNER}}
repeats: 3
"""
WORLD = "simulator: {seed: 3, time_scale: 500}\n"


def scenario(folder: Path, base: str = "simulator://", owner: str = "simulator") -> Scenario:
    (folder / "photo.png").write_bytes(b"\x89PNG and so on")
    path = folder / "small.yaml"
    path.write_text(TEXT.replace("BASE", base).replace("OWNER", owner) + (WORLD if owner == "simulator" else ""))
    return load_scenario(path, check_env=False)


def test_a_parcel_holds_side_files_and_neither_key_nor_salt(tmp_path: Path) -> None:
    key = "sk-sim-" + "p" * 12
    given = scenario(tmp_path, "https://api.example.com/v1", "openai, api_key_env: PARCEL_KEY")
    os.environ["PARCEL_KEY"] = key
    try:
        raw = pack(given, "run-1", 1.0, keep_images=False)
    finally:
        del os.environ["PARCEL_KEY"]
    assert key.encode() not in raw
    assert load_salt() not in raw
    (tmp_path / "photo.png").unlink()
    there = tmp_path / "there"
    there.mkdir()
    parcel, unpacked = unpack(raw, there, {"PARCEL_KEY": key})
    assert parcel.run_id == "run-1"
    assert make_plan(unpacked) == make_plan(given)
    (photo,) = unpacked.references
    assert Path(photo).parent == there
    assert Path(photo).read_bytes() == b"\x89PNG and so on"
    with pytest.raises(UsageProblem, match="route one needs PARCEL_KEY in the environment"):
        unpack(raw, there, {})


def test_a_worker_of_another_version_says_so(tmp_path: Path) -> None:
    parcel = msgspec.msgpack.decode(pack(scenario(tmp_path), "run-1", 1.0, keep_images=False), type=Parcel)
    other = msgspec.structs.replace(parcel, harness="0.0.1", scenario=pickle.dumps("never read"))
    with pytest.raises(UsageProblem, match="begun by 0\\.0\\.1: install the same"):
        unpack(msgspec.msgpack.encode(other), tmp_path, {})


def test_a_lease_sends_once_and_only_in_the_process_that_was_offered_it(tmp_path: Path) -> None:
    given = scenario(tmp_path)
    job = make_plan(given).jobs[0]

    async def go() -> tuple[dict[str, Any], ...]:
        opened = await calls.open_station(pack(given, "run-1", 500.0, keep_images=True))
        token = opened["token"]
        unasked = await calls.send(token, "lease-1", 1, None)
        told = await calls.offer(token, "lease-1", job.job_id, "eu")
        assert told["now_ns"] > 0
        stale = await calls.send("token of a process that died", "lease-1", 1, None)
        first, second = await asyncio.gather(
            calls.send(token, "lease-1", 1, None), calls.send(token, "lease-1", 1, None)
        )
        await calls.offer(token, "lease-2", job.job_id, "eu")
        await calls.drop(token, "lease-2")
        dropped = await calls.send(token, "lease-2", 1, None)
        closed = await calls.close_station(token)
        late = await calls.offer(token, "lease-3", job.job_id, None)
        return unasked, stale, first, second, dropped, closed, late

    unasked, stale, first, second, dropped, closed, late = asyncio.run(go())
    assert [one["event"] for one in (unasked, stale, second, dropped)] == [None] * 4
    event = from_line(first["event"])
    assert (event.outcome, event.job_id, event.cell) == ("image", f"{job.job_id}-eu", f"{job.cell.id}/region-eu")
    assert list(first["images"]) == [f"{job.job_id}-eu-0.jpeg"]
    # The embedded API's own record is the judge.
    assert closed["backend"].count(b"\n") == 1
    assert event.attempts[0].client_request_id.encode() in closed["backend"]
    assert late == {"gone": True}


def test_a_problem_of_a_worker_comes_as_words_and_never_as_an_exception(tmp_path: Path) -> None:
    given = scenario(tmp_path, "https://api.example.com/v1", "openai, api_key_env: PARCEL_KEY")
    found = asyncio.run(calls.open_station(pack(given, "run-1", 1.0, keep_images=False)))
    assert "needs PARCEL_KEY" in found["problem"]
    assert "ValidationError" in asyncio.run(calls.open_station(b"no parcel"))["problem"]


def test_pictures_that_find_no_place_at_the_client_cost_no_event(tmp_path: Path) -> None:
    given = scenario(tmp_path)
    job = make_plan(given).jobs[0]
    (tmp_path / "images").write_bytes(b"in the way, as a full disk is")

    async def sent() -> JobEvent:
        setting = make_setting(given, {}, "r", WorldClock(500), {"direct": "http://127.0.0.1:9"}, LagMeter(), None)
        told = unknown_event(setting.facts(job, 1), setting.clock, "harness-1")
        host = Host(python="3", platform="Linux", cpus=1, openai_sdk="1", harness="1")
        sender = ClusterSender(setting, cast("Any", None), 1.0, tmp_path / "images")
        sender._leases[job.job_id] = Lease("l", Member("tcp://x", "w", None, "t", host, leases=1))

        async def done(*_: object) -> Done:
            return Done(event=to_line(msgspec.structs.replace(told, outcome="image")), images={"a.png": b"png"})

        with patch.object(sender, "_go", done):
            return await sender.send(job, 1, scheduled_ns=None, may_retry=cast("Any", None))

    event = asyncio.run(sent())
    assert event.outcome == "image"
    assert "images_not_kept" in event.notes
