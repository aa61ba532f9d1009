"""Loads, limits and breakers through the real command line, against the embedded API's own record."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Harness
from tests.run.test_session import lines, start

SCENARIO = """
name: load
why: What does this load do?
prompts: [A red apple on a white table]
routes:
  direct: {{base_url: "simulator://", owner: simulator, direct: true}}
  {route}
simulator: {{seed: 3, time_scale: 100, {simulator}}}
defaults: {{size: 1024x1024, output_format: jpeg, quality: low}}
matrix: {{route: [{routes}]}}
repeats: {repeats}
load: {load}
{more}
"""


def scenario_file(
    folder: Path,
    load: str,
    *,
    repeats: int = 12,
    simulator: str = "",
    second: str = "",
    routes: str = "direct",
    more: str = "",
) -> Path:
    path = folder / "load.yaml"
    route = f'second: {{base_url: "simulator://{second}", owner: openai}}' if second else ""
    path.write_text(
        SCENARIO.format(load=load, repeats=repeats, simulator=simulator, route=route, routes=routes, more=more)
    )
    return path


def run(harness: Harness, folder: Path, path: Path, *args: object) -> dict[str, Any]:
    done = harness("run", path, "--out", folder / "run", "--quiet", "--format", "json", *args)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def received_s(folder: Path) -> list[float]:
    """When the embedded API got each request, in its own seconds since the first."""
    at = sorted(record["received_ns"] for record in lines(folder / "run" / "backend.jsonl"))
    return [(one - at[0]) / 1e9 * 100 for one in at]


def events(folder: Path) -> list[dict[str, Any]]:
    return lines(folder / "run" / "events.jsonl")


def test_a_rate_sends_at_its_moments_and_says_what_was_late(tmp_path: Path, harness: Harness) -> None:
    told = run(harness, tmp_path, scenario_file(tmp_path, "{rate: 12/1m}"))
    at = received_s(tmp_path)
    assert len(at) == 12
    # Never before its moment; how much later is this machine's business.
    assert all(got >= 5.0 * number - 1.0 for number, got in enumerate(at))
    assert told["load"]["late"] == 0
    for event in events(tmp_path):
        assert event["limiter_wait_ms"] == pytest.approx(-event["scheduled_at_ms"])
        assert event["response_ms"] == pytest.approx(event["limiter_wait_ms"] + event["delivered_ms"])
        assert event["service_ms"] == pytest.approx(event["delivered_ms"])


def test_nothing_else_to_do_a_job_goes_out_when_it_is_due(tmp_path: Path, harness: Harness) -> None:
    run(harness, tmp_path, scenario_file(tmp_path, "{rate: 2/1m}", repeats=5))
    waits = sorted(event["limiter_wait_ms"] for event in events(tmp_path))
    # Half a minute of a world that runs a hundred times faster; whoever sleeps it in full is 50 min late.
    assert waits[2] < 60_000


def test_late_starts_are_counted_and_are_in_the_response_time_alone(tmp_path: Path, harness: Harness) -> None:
    told = run(harness, tmp_path, scenario_file(tmp_path, "{rate: 1/s, max_in_flight: 1}", repeats=6))
    assert told["load"]["late"] >= 4
    assert told["load"]["most_in_flight"] == 1
    waits = [event["limiter_wait_ms"] for event in events(tmp_path)]
    assert max(waits) > 5_000  # jobs of some seconds, one after the other, all due within six
    assert told["load"]["worst_late_ms"] == pytest.approx(max(waits), rel=0.2)


def test_dropped_jobs_are_counted_and_never_sent(tmp_path: Path, harness: Harness) -> None:
    told = run(harness, tmp_path, scenario_file(tmp_path, "{rate: 2/s, max_in_flight: 2, when_full: drop}", repeats=20))
    assert told["load"]["dropped"] > 0
    assert told["load"]["dropped"] + told["sent"] == 20
    assert len(received_s(tmp_path)) == told["sent"] == len(events(tmp_path))


def test_batches_are_apart_by_their_gap_in_the_other_sides_record(tmp_path: Path, harness: Harness) -> None:
    run(harness, tmp_path, scenario_file(tmp_path, "{batch: 3, gap: 10s}", repeats=9))
    records = sorted(lines(tmp_path / "run" / "backend.jsonl"), key=lambda record: record["received_ns"])
    for first in (3, 6):
        over = max(record["made_ns"] for record in records[first - 3 : first])
        assert (records[first]["received_ns"] - over) / 1e9 * 100 >= 10.0


def test_our_own_limit_of_images_keeps_the_other_sides_limit_from_ever_refusing(
    tmp_path: Path, harness: Harness
) -> None:
    # Twice ours: what two of our minutes hold fits into one of theirs, however late a busy machine is.
    limited = "layers: {tier1: {images_per_minute: 8}}"
    path = scenario_file(
        tmp_path, "{concurrency: 12, images_per_minute: 4}", repeats=11, simulator=limited, second="tier1",
        routes="second",
    )  # fmt: skip
    done = harness("run", path, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "a limit holds what is left: nothing is sent for" in line]
    assert 1 <= len(told) <= 3, "11 images at 4 a minute are held twice, and each time is said once"
    assert [event["outcome"] for event in events(tmp_path)] == ["image"] * 11
    late = [event["limiter_wait_ms"] for event in events(tmp_path) if event["limiter_wait_ms"]]
    assert len(late) >= 1
    assert max(late) >= 60_000
    assert all(event["final_image_ms"] < 60_000 for event in events(tmp_path)), "waiting for us is no latency of theirs"


def test_without_our_own_limit_the_same_is_refused(tmp_path: Path, harness: Harness) -> None:
    limited = "layers: {tier1: {images_per_minute: 8}}"
    path = scenario_file(tmp_path, "{concurrency: 12}", repeats=11, simulator=limited, second="tier1", routes="second")
    run(harness, tmp_path, path)
    assert 429 in [event["http_status"] for event in events(tmp_path)]


def test_a_refusal_that_says_when_is_waited_for_where_limits_are_respected(tmp_path: Path, harness: Harness) -> None:
    limited = "layers: {tier1: {images_per_minute: 3}}"
    path = scenario_file(
        tmp_path, "{concurrency: 1, respect_limits: true}", repeats=8, simulator=limited, second="tier1",
        routes="second", more="retry: {max_retries: 3}",
    )  # fmt: skip
    run(harness, tmp_path, path)
    found = events(tmp_path)
    assert {event["outcome"] for event in found} == {"image"}
    refused = sum(attempt["http_status"] == 429 for event in found for attempt in event["attempts"])
    assert 1 <= refused <= 5
    paused = [event for event in found if event["retry_wait_ms"]]
    assert paused
    for event in paused:
        assert event["service_ms"] < event["final_image_ms"] - event["retry_wait_ms"] + 1


def test_a_dead_route_stops_and_the_others_go_on_and_a_later_run_tries_it_again(
    tmp_path: Path, harness: Harness
) -> None:
    broken = "layers: {gone: {}}, faults: [{fault: '500', entry: gone}]"
    path = scenario_file(
        tmp_path, "{concurrency: 1}", repeats=12, simulator=broken, second="gone", routes="direct, second"
    )
    told = run(harness, tmp_path, path)
    (closed,) = told["closed_routes"]
    assert (closed["route"], closed["after_jobs"], closed["jobs_not_sent"]) == ("second", 5, 7)
    assert "5 failures in a row" in closed["why"]
    assert told["status"], told["stopped_by"] == ("partial", "breaker")
    assert sum(event["route"] == "direct" for event in events(tmp_path)) == 12
    report = harness("report", tmp_path / "run")
    assert "Route second given up: after 5 jobs" in report.stdout
    again = run(harness, tmp_path, path)
    assert again["sent"] == 5, "five more tries, and it is given up again"


def test_a_quota_that_is_used_up_is_asked_once(tmp_path: Path, harness: Harness) -> None:
    spent = "layers: {poor: {}}, faults: [{fault: '429;kind=quota', entry: poor}]"
    path = scenario_file(
        tmp_path, "{concurrency: 1}", repeats=6, simulator=spent, second="poor", routes="second",
        more="retry: {max_retries: 3}",
    )  # fmt: skip
    told = run(harness, tmp_path, path)
    (closed,) = told["closed_routes"]
    assert "refused for good" in closed["why"]
    assert len(lines(tmp_path / "run" / "backend.jsonl")) == 1


def test_retries_are_paid_out_of_the_budget_and_never_beyond_it(tmp_path: Path, harness: Harness) -> None:
    path = scenario_file(
        tmp_path, "{concurrency: 4, breaker: null}", repeats=10, simulator="faults: [{fault: '500', share: 0.6}]",
        more="retry: {max_retries: 5, base_s: 1s}\nbudget: {usd: 0.09}",
    )  # fmt: skip
    told = run(harness, tmp_path, path)
    found = events(tmp_path)
    orders = sum(len(event["attempts"]) for event in found)
    # By the API's own record: a failure of the server may have been billed, so every order counts.
    assert orders == len(lines(tmp_path / "run" / "backend.jsonl"))
    each = json.loads(harness("plan", path, "--format", "json").stdout)["jobs"][0]["estimate_usd"]
    assert orders > 0.09 / each - 3, "the budget is what ended the retries"
    assert orders * each <= 0.09
    assert sum(event["cost_usd"] for event in found) <= 0.09
    assert told["load"]["retries_refused"] > 0
    again = [event for event in found if event["retry_count"]]
    assert again
    for event in again:
        assert event["earlier_attempts_usd"] == pytest.approx(event["retry_count"] * each)
    report = harness("report", tmp_path / "run").stdout
    assert "ordered again by our own retry" in report


def test_a_run_that_its_budget_stopped_goes_on_with_a_larger_one(tmp_path: Path, harness: Harness) -> None:
    path = scenario_file(
        tmp_path, "{concurrency: 4, breaker: null}", repeats=10, simulator="faults: [{fault: '500', share: 0.6}]",
        more="retry: {max_retries: 1, base_s: 1s}\nbudget: {usd: 0.07}",
    )  # fmt: skip
    done = harness("run", path, "--out", tmp_path / "run", "--quiet", "--usd", "0.061")
    assert done.returncode == 0, done.stderr
    assert "budget of 0.06 USD reached" in done.stderr
    assert "and a larger --usd to go on" in done.stderr
    before = events(tmp_path)
    told = run(harness, tmp_path, path, "--usd", "1")
    assert told["status"] == "complete"
    assert events(tmp_path)[: len(before)] == before
    assert len({event["job_id"] for event in events(tmp_path)}) == len(events(tmp_path)) == 10
    assert json.loads((tmp_path / "run" / "run.json").read_text())["budget_usd"] == 1


def test_what_a_killed_process_ordered_again_counts_in_the_budget_of_the_next(tmp_path: Path, harness: Harness) -> None:
    path = scenario_file(
        tmp_path, "{concurrency: 1, breaker: null}", repeats=2, simulator="faults: [{fault: '500', share: 1}]",
        more="retry: {max_retries: 9, base_s: 600s, max_s: 600s}\nbudget: {usd: 0.08}",
    )  # fmt: skip
    directory = tmp_path / "run"
    process = start("run", path, "--out", directory, "--quiet")
    limit = time.monotonic() + 60
    while len(lines(directory / "sends.jsonl")) < 3:
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=60)
    orders = len(lines(directory / "sends.jsonl"))
    assert [send["number"] for send in lines(directory / "sends.jsonl")] == list(range(1, orders + 1))
    each = json.loads(harness("plan", path, "--format", "json").stdout)["jobs"][0]["estimate_usd"]

    told = run(harness, tmp_path, path, "--usd", f"{each * (orders + 0.5):.6f}")
    assert (told["stopped_by"], told["sent"]) == ("budget", 0), "all the money may be spent already"
    assert told["cost_usd"] == pytest.approx(orders * each, abs=1e-5)
    (unknown,) = events(tmp_path)
    assert (unknown["outcome"], unknown["retry_count"]) == ("unknown", orders - 1)
    assert unknown["earlier_attempts_usd"] == pytest.approx((orders - 1) * each)


def test_a_job_that_is_sent_again_by_name_is_paid_for_twice(tmp_path: Path, harness: Harness) -> None:
    path = scenario_file(tmp_path, "{concurrency: 1}", repeats=2, more="budget: {usd: 0.08, jobs: 3}")
    run(harness, tmp_path, path)
    each = events(tmp_path)[0]["cost_usd"]
    whole = (tmp_path / "run" / "events.jsonl").read_bytes()
    first = whole.splitlines(keepends=True)[0]
    (tmp_path / "run" / "events.jsonl").write_bytes(first)  # as if it had been killed while the second was under way
    short = run(harness, tmp_path, path, "--resend-unknown", "--usd", f"{each * 2.5:.6f}")
    assert (short["stopped_by"], short["sent"]) == ("budget", 0)
    told = run(harness, tmp_path, path, "--resend-unknown")
    assert (told["stopped_by"], told["sent"]) == (None, 1)
    assert [event["outcome"] for event in events(tmp_path)] == ["image", "unknown", "image"]


def test_the_same_directory_goes_on_with_the_same_load_only(tmp_path: Path, harness: Harness) -> None:
    path = scenario_file(tmp_path, "{concurrency: 2}", repeats=2)
    run(harness, tmp_path, path)
    done = harness("run", path, "--out", tmp_path / "run", "--rate", "6/1m")
    assert done.returncode == 2
    assert "begun with up to 2 at a time" in done.stderr
    done = harness("run", path, "--out", tmp_path / "run", "--time-scale", "50")
    assert (done.returncode, "go on with --time-scale 100" in done.stderr) == (2, True), done.stderr
