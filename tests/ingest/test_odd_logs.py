"""Odd but possible logs: what they do not say is not said, and what looks like one job is not made of several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.diagnosis.judge import diagnose_run
from harness.events import JobEvent
from harness.ingest.intake import Intake, take_in
from harness.journal_lines import read_events
from harness.packet.extract import extract

ASKED = '1.2.3.4 - - [21/Nov/2026:10:{:02d}:{:02d} +0000] "{} {} HTTP/1.1" {} {} "-" "x" rt={}{}\n'
PATH = "/v1/images/generations"


def test_a_preflight_and_a_look_after_a_task_are_no_jobs(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    asked = [("OPTIONS", PATH, 204, 0), ("POST", PATH, 200, 2_000_000), ("GET", "/v1/predictions/ab", 200, 900),
             ("HEAD", PATH, 405, 0), ("GET", "/img/gpt-image-demo.png", 200, 90_000)]  # fmt: skip
    log.write_text("".join(ASKED.format(number, 0, *one, "0.5", "") for number, one in enumerate(asked)))
    found = take_in([log], tmp_path / "run")
    assert (found.jobs, found.files[0].other_requests) == (1, 4)
    log.write_text(ASKED.format(0, 0, "GET", "/p/cat", 200, 90_000, "9.0", ""))
    assert take_in([log], tmp_path / "asked", only="^/p/").jobs == 1


TRACE = " tp=00-{:032x}-{:016x}-01"


@pytest.mark.parametrize(
    ("rows", "jobs"),
    [
        # four variants at once under one trace
        ([(20, 200, "20.0", TRACE.format(7, n)) for n in range(4)], 4),
        # one after the other: an image that came is not tried again
        ([(10 * n + 9, 200, "8.0", TRACE.format(7, n)) for n in range(3)], 3),
        # tries of one job
        ([(10, 504, "5.0", TRACE.format(7, 1)), (40, 200, "20.0", TRACE.format(7, 2))], 1),
        # a constant in the place of an id
        ([(10 * n + 9, 200, "8.0", " crid=image-service") for n in range(5)], 5),
        ([(10, 499, "5.0", " crid=job-000001"), (40, 200, "20.0", " crid=job-000001")], 1),
    ],
)
def test_several_jobs_under_one_trace_or_one_constant_are_no_retries(
    tmp_path: Path, rows: list[tuple[int, int, str, str]], jobs: int
) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(ASKED.format(0, at, "POST", PATH, code, 2_000_000, rt, more) for at, code, rt, more in rows))
    assert take_in([log], tmp_path / "run").jobs == jobs
    events, _ = read_events(tmp_path / "run" / "events.jsonl")
    assert [event.retry_count for event in events] == ([len(rows) - 1] if jobs == 1 else [0] * jobs)


def test_a_try_in_the_next_part_of_a_log_is_a_try_and_no_proof(tmp_path: Path) -> None:
    for name, code, minute, more in (("access.log.1", 499, 1, 5), ("access.log", 200, 30, 7)):
        rows = [
            ASKED.format(
                minute + number,
                40,
                "POST",
                PATH,
                code if number == 0 else 200,
                2_000_000,
                "20.0",
                f" uht=1 crid=job-{number if number == 0 else number + more * 100:06d}",
            )
            for number in range(6)
        ]
        (tmp_path / name).write_text("".join(rows))  # fmt: skip
    found = take_in([tmp_path / "access.log.1", tmp_path / "access.log"], tmp_path / "run")
    assert (found.jobs, found.ties[0].joined_by_id, found.ties[0].skew_s) == (11, 1, 0.0)
    events, _ = read_events(tmp_path / "run" / "events.jsonl")
    (again,) = [event for event in events if event.retry_count]
    assert (again.job_id, again.outcome, [one.http_status for one in again.attempts]) == ("1:1", "image", [None, 200])
    assert len({event.job_id for event in events}) == 11
    assert (tmp_path / "run" / "backend.jsonl").read_text() == ""


SAID = """
side: client
writer: app
timezone: {zone}
fields:
  started_at_s: at
  duration_ms: {{from: took, unit: s}}
  status: status
  client_request_id: id
  request_id: rid
  server_ms: server
  first_byte_at_ms: first
  error_type: error
  gave_up: why
  n: n
  cost_usd: usd
  model: model
  prompt_hash: prompt
"""


def said(folder: Path, *rows: dict[str, object], zone: str = "UTC") -> tuple[Intake, list[JobEvent]]:
    log, mapping = folder / "app.jsonl", folder / "map.yaml"
    log.write_text("".join(json.dumps({"at": "2026-11-21T10:00:00Z", "took": 20} | row) + "\n" for row in rows))
    mapping.write_text(SAID.format(zone=zone))
    found = take_in([log], folder / "run", mapping=mapping)
    return found, read_events(folder / "run" / "events.jsonl")[0]


def test_a_job_of_several_tries_has_the_last_ones_id_clocks_and_error_and_the_cost_of_all(tmp_path: Path) -> None:
    one = {"id": "job-000001", "status": 429, "took": 0.2, "rid": "req-first", "server": 3, "first": 150, "usd": 0.01,
           "error": "rate_limited"}  # fmt: skip
    two = {"id": "job-000001", "status": 200, "at": "2026-11-21T10:00:05Z", "first": 19_000, "usd": 0.04}
    _, (event,) = said(tmp_path, one, two)
    assert (event.retry_count, event.http_status, event.first_byte_ms) == (1, 200, 24_000)
    assert (event.request_id, event.server_ms, event.error_type) == (None, None, None)
    assert event.cost_usd == pytest.approx(0.05)


def test_what_no_quantity_can_be_is_not_said_and_breaks_nothing(tmp_path: Path) -> None:
    odd = {"status": 99_999_999_999, "n": 1e12, "took": -5, "why": "timeout", "server": 1e300}
    _, (event, other) = said(tmp_path, odd, {"status": 200, "at": "2026-11-21T10:05:00Z"})
    assert (event.http_status, event.total_ms, event.server_ms, event.n) == (None, None, None, 1)
    assert event.attempts[0].log_words == ()
    assert other.outcome == "image"


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-21 10:00:00", "15:00"),
        ("2026-11-21 11:00:00+01", "10:00"),
        ("2026-11-21 11:00:00,5 +0100", "10:00"),
        ("2026-11-21 10:00:00 UTC", "10:00"),
        ("2026-11-21T11:00:00+01:00[Europe/Berlin]", "10:00"),
        ("2026-11-21 10:00:00 PST", None),
        ("21.11.2026 10:00", None),
    ],
)
def test_a_moments_own_offset_counts_and_what_is_no_moment_is_none_of_1970(
    tmp_path: Path, text: str, hour: str | None
) -> None:
    found, events = said(tmp_path, {"status": 200}, {"status": 200, "at": text}, zone="America/New_York")
    assert [event.request_started_at[11:16] for event in events][1:] == ([] if hour is None else [hour])
    assert (found.files[0].unreadable, "started_at_s" in str(found.files[0].setbacks)) == (int(not hour), not hour)


def test_asking_again_after_a_refusal_costs_nothing(tmp_path: Path) -> None:
    row = {"model": "gpt-image-1", "prompt": "p", "status": 429}
    found, _ = said(tmp_path, *[row | {"at": f"2026-11-21T10:00:0{number}Z"} for number in range(3)])
    assert (found.repeated_jobs, found.repeated_usd) == (2, 0.0)
    found, _ = said(tmp_path, row, row | {"status": 200, "usd": 0.2, "at": "2026-11-21T10:00:01Z"})
    assert found.repeated_usd == 0.2


def test_nothing_is_proven_by_a_caller_of_whom_nobody_knows_when_it_began(tmp_path: Path) -> None:
    jobs = [{"id": f"job-{number:06d}", "status": 504, "took": 60} for number in range(4)]
    jobs = [job | {"at": f"2026-11-21T10:1{number}:00Z" if number else None} for number, job in enumerate(jobs)]
    said(tmp_path, *jobs)
    proxy = tmp_path / "access.log"  # each was answered whole after five seconds, long before the caller's 60
    proxy.write_text("".join(ASKED.format(10 + number, 5, "POST", PATH, 200, 2_000_000, "5.0", f" crid={job['id']}")
                             for number, job in enumerate(jobs)))  # fmt: skip
    take_in([tmp_path / "app.jsonl", proxy], tmp_path / "both", mapping=tmp_path / "map.yaml")
    records = [json.loads(line) for line in (tmp_path / "both" / "backend.jsonl").read_text().splitlines()]
    assert [one["finished_after_client_left"] for one in records] == [None, False, False, False]


def test_all_is_not_well_while_failures_are_left_that_nothing_explains(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    rows = [(504, 160) if number % 3 == 0 else (200, 2_000_000) for number in range(12)]
    log.write_text("".join(ASKED.format(number, 0, "POST", PATH, *row, f"{20 + number}.5", "")
                           for number, row in enumerate(rows)))  # fmt: skip
    take_in([log], tmp_path / "run")
    diagnosis, _ = diagnose_run(tmp_path / "run")
    assert diagnosis.counts == {"ok": 8, "undetermined": 4}
    assert (diagnosis.headline, diagnosis.decision.kind) == ("undetermined", "none_justified")
    assert diagnosis.answer.startswith("8 of 12 jobs went well")


def test_a_log_without_durations_leaves_every_total_unsaid_and_says_of_no_cut_that_it_came_at_once(
    tmp_path: Path,
) -> None:
    log = tmp_path / "access.log"
    line = '1.2.3.4 - - [21/Nov/2026:10:0{}:00 +0000] "POST /v1/images/generations HTTP/1.1" {} 2000000 "-" "x"{}\n'
    log.write_text("".join(line.format(number, status, rest) for number, (status, rest) in
                           enumerate([(200, ""), (504, ""), (504, " uht=-"), (499, "")])))  # fmt: skip
    take_in([log], tmp_path / "run")
    events, _ = read_events(tmp_path / "run" / "events.jsonl")
    assert [event.total_ms for event in events] == [None] * 4
    _, found = diagnose_run(tmp_path / "run")
    assert [one.censored_at_ms for one in found] == [None] * 4
    assert not [row.fact for one in found for row in one.evidence if "0.0 s" in row.fact]
    assert extract(tmp_path / "run").attempts[0].marks.ended_at_ms is None
