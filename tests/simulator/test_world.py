"""Latency, layers and the log of truth."""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.simulator.limits import ImagesPerMinute
from harness.simulator.process import SimulatorFailed, spawn
from harness.simulator.profiles import Profile
from tests.conftest import ROOT
from tests.simulator.asking import BODY, HEADERS, post, truths

PAGES = {
    "nginx": (504, "<center>nginx"),
    "haproxy": (504, "The server didn't respond in time."),
    "envoy": (504, "upstream request timeout"),
    "cloudflare": (524, "524"),
    "azure": (408, "The operation was timeout."),
    "litellm": (408, "litellm.Timeout"),
    "portkey": (408, "exceeded the timeout sent in the request: 60000ms"),
}


@pytest.mark.parametrize("name", Profile.names())
@pytest.mark.parametrize("quality", ["low", "medium", "high"])
def test_a_profile_reproduces_its_published_figures(name: str, quality: str) -> None:
    data = yaml.safe_load((ROOT / "harness" / "data" / "profiles.yaml").read_text())["profiles"][name]
    published = data["latency_s"][quality]["1024x1024"]
    spread, dice = Profile(name).spread(quality, "1024x1024"), random.Random(1)
    draws = [spread.draw(dice) for _ in range(4000)]
    assert statistics.median(draws) == pytest.approx(published["median"], rel=0.03)
    assert min(draws) >= published.get("min", 0)
    assert max(draws) <= published.get("max", float("inf"))
    if "p95" in published:
        assert sorted(draws)[3800] == pytest.approx(published["p95"], rel=0.05)


def test_profiles_that_contradict_each_other_are_kept_apart() -> None:
    medium = {name: Profile(name).spread("medium", "1024x1024").median for name in Profile.names()}
    assert medium["tuning-article"] == 25
    assert medium["failure-causes-article"] == 80


def test_the_same_job_takes_the_same_time_in_every_run(tmp_path: Path) -> None:
    planned = []
    for run in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        log = tmp_path / run
        with spawn({"time_scale": 1000, "seed": 9}, log=log) as sim:
            post(sim, "direct", **{"x-client-request-id": f"harness-{'1' * 12}{run}-1"})
        planned.append(truths(log)[0]["latency_s"])
    assert planned[0] == planned[1]


def test_layers_give_up_with_their_own_page_while_the_backend_finishes(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    layers = {name: {"imitates": name, "cap_s": 60} for name in PAGES}
    with spawn({"time_scale": 300, "layers": layers}, log=log) as sim:
        for name, (status, words) in PAGES.items():
            reply = post(sim, name)
            assert reply.status_code == status
            assert words in reply.text
        time.sleep(1.2)
    records = truths(log)
    assert {record["entry"] for record in records} == set(PAGES)
    for record in records:
        assert record["finished_after_client_left"]
        assert record["status"] == 200
        assert record["status_sent"] == PAGES[record["entry"]][0]
        # Not before its cap, and well before the backend was done: how late exactly is the machine's affair.
        assert 59.9 < (record["cap_fired_ns"] - record["received_ns"]) / 1e9 * 300 < 140
        assert record["billed_output_tokens"] == 7024


def test_a_layer_may_delay_buffer_strip_and_stop(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    layers = {
        "slow": {"adds_s": 100},
        "buffers": {"buffers": True},
        "strips": {"drops_headers": ["x-request-id"]},
        "stops": {"cap_s": 20, "backend_stops": True},
        "narrow": {"concurrency_limit": 1},
    }
    low = {**BODY, "quality": "low"}
    with spawn({"time_scale": 200, "layers": layers}, log=log) as sim:
        began = time.monotonic()
        assert post(sim, "slow", low).status_code == 200
        assert (time.monotonic() - began) * 200 > 100
        assert "x-request-id" not in post(sim, "strips", low).headers
        assert post(sim, "stops").status_code == 504
        streamed = {**BODY, "stream": True, "partial_images": 2}
        with httpx.stream(
            "POST", f"{sim.entries['buffers']}/images/generations", json=streamed, headers=HEADERS, timeout=30
        ) as reply:
            stamps = [time.monotonic() for _ in reply.iter_raw()]
        assert (stamps[-1] - stamps[0]) * 200 < 90  # nothing came before everything was there
    by_entry = {record["entry"]: record for record in truths(log)}
    assert by_entry["stops"]["finished"] is False
    assert by_entry["stops"]["note"] == "the backend was stopped"


def test_a_caller_that_leaves_makes_an_orphan(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn({"time_scale": 300}, log=log) as sim:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{sim.entries['direct']}/images/generations", json=BODY, headers=HEADERS, timeout=0.2)
        time.sleep(1.2)
    (record,) = truths(log)
    assert record["client_gone_ns"] is not None
    assert record["finished_after_client_left"]


def test_the_log_is_complete_when_it_is_told_to_stop_and_holds_no_secret(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn({"time_scale": 50}, log=log) as sim:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{sim.entries['direct']}/images/generations", json=BODY, headers=HEADERS, timeout=0.3)
        post(sim, "direct", {**BODY, "quality": "low"})
    finished = {record["quality"]: record["finished"] for record in truths(log)}
    assert finished == {"high": False, "low": True}
    assert "red apple" not in log.read_text()
    assert "sk-sim" not in log.read_text()


def test_stamps_lie_within_what_a_client_on_the_same_host_saw(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn({"time_scale": 200}, log=log) as sim:
        before = time.monotonic_ns()
        post(sim, "direct", {**BODY, "quality": "low"})
        after = time.monotonic_ns()
    (record,) = truths(log)
    order = ["received_ns", "request_body_ns", "made_ns", "headers_sent_ns", "first_body_byte_ns"]
    stamps = [record[name] for name in order]
    assert before < stamps[0]
    assert stamps == sorted(stamps)
    assert record["events"][-1]["start_ns"] < after


def test_it_ends_when_its_parent_is_killed() -> None:
    code = (
        "import time\nfrom harness.simulator.process import spawn\n"
        "with spawn({}) as sim:\n    print(sim.pid, flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the simulator outlived its parent")


@pytest.mark.parametrize(
    ("world", "words"),
    [
        ({"layers": {"edge": {"imitates": "nothing"}}}, "layers.edge.imitates"),
        ({"profile": "no-such"}, "no profile 'no-such'"),
        ({"faults": [{"fault": "no-such"}]}, "no fault"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_world_that_makes_no_sense_is_refused_with_the_reason(world: dict[str, Any], words: str) -> None:
    with pytest.raises(SimulatorFailed, match=words), spawn(world):
        pass


def test_the_time_scale_is_told_in_every_answer_and_it_listens_on_loopback() -> None:
    with spawn({"time_scale": 500}) as sim:
        assert sim.entries["direct"].startswith("http://127.0.0.1:")
        assert post(sim, "direct").headers["x-simulator-time-scale"] == "500"
        assert post(sim, "direct", {}).headers["x-simulator-time-scale"] == "500"
        root = sim.entries["direct"]
        assert httpx.get(f"{root}/models").json()["data"][0]["id"] == "gpt-image-2"
        lost = httpx.post(f"{root}/nothing")
        assert (lost.status_code, lost.headers["x-simulator-time-scale"]) == (404, "500")


def test_a_sliding_minute_of_images_frees_what_it_took() -> None:
    limit = ImagesPerMinute(5)
    assert limit.admit(0, 3) is None
    assert limit.admit(10, 2) is None
    assert limit.admit(20, 1) == (5, 40)
    assert limit.admit(20, 4) == (5, 50)
    assert limit.admit(61, 3) is None
    assert limit.admit(61, 1) == (5, 9)


def test_a_request_under_way_when_it_is_told_to_stop_is_in_the_log_and_gets_no_invented_answer(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    outcome: list[str] = []

    def ask(address: str) -> None:
        try:
            reply = httpx.post(f"{address}/images/generations", json=BODY, headers=HEADERS, timeout=30)
            outcome.append(str(reply.status_code))
        except httpx.TransportError as error:
            outcome.append(type(error).__name__)

    with spawn({"time_scale": 2}, log=log) as sim:
        asking = threading.Thread(target=ask, args=(sim.entries["direct"],))
        asking.start()
        time.sleep(0.5)
    asking.join(timeout=20)
    (record,) = truths(log)
    assert record["finished"] is False
    assert record["note"] == "the server was stopped"
    assert outcome in (["RemoteProtocolError"], ["ReadError"])


def test_a_stream_is_never_sized_and_a_plain_answer_is() -> None:
    with spawn({"time_scale": 500}) as sim:
        plain = post(sim, "direct", {**BODY, "quality": "low"})
        streamed = post(sim, "direct", {**BODY, "quality": "low", "stream": True})
    assert int(plain.headers["content-length"]) == len(plain.content)
    assert "content-length" not in streamed.headers
    assert streamed.text.startswith("event: image_generation.completed")
