"""The waist: lines that come back as they went, schemas that do not drift, clocks that are defined once."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator

from harness.events import Attempt, JobEvent, Marks, Span, from_line, json_schema, to_line
from harness.journal_lines import iter_events
from harness.metrics import BY_NAME, METRICS, attempt_clocks, job_clocks, phase_reached
from tests.conftest import ROOT, DemoRun

SCHEMA = ROOT / "docs" / "event.schema.json"

MARKS = Marks(
    started_at_ms=0.0,
    pool_acquired_at_ms=1.0,
    dns_done_at_ms=4.0,
    tcp_connected_at_ms=10.0,
    tls_done_at_ms=25.0,
    request_sent_at_ms=30.0,
    first_byte_at_ms=100.0,
    headers_at_ms=101.0,
    first_body_byte_at_ms=150.0,
    first_event_at_ms=200.0,
    partial_images=(Span(first_byte_at_ms=200.0, whole_at_ms=260.0),),
    final_images=(Span(first_byte_at_ms=900.0, whole_at_ms=990.0),),
    final_image_at_ms=990.0,
    body_end_at_ms=991.0,
    rendered_at_ms=1040.0,
    last_byte_at_ms=991.0,
    ended_at_ms=991.0,
)


def test_clocks_are_differences_of_marks() -> None:
    assert attempt_clocks(MARKS) == {
        "total_ms": 991.0,
        "final_image_ms": 990.0,
        "delivered_ms": 990.0,
        "submit_ms": None,
        "running_ms": None,
        "callback_ms": None,
        "first_partial_image_ms": 260.0,
        "first_event_ms": 200.0,
        "first_byte_ms": 100.0,
        "wait_ms": 170.0,
        "pool_wait_ms": 1.0,
        "connect_ms": 24.0,
        "upload_ms": 5.0,
        "download_ms": 90.0,
        "render_ms": 50.0,
    }
    assert phase_reached(MARKS) == "rendered"


def test_what_did_not_happen_is_null_and_never_zero() -> None:
    clocks = attempt_clocks(Marks(started_at_ms=0.0, ended_at_ms=5.0))
    assert clocks.pop("total_ms") == 5.0
    assert set(clocks.values()) == {None}


def test_every_clock_of_an_event_is_defined_once_and_every_definition_is_a_field() -> None:
    fields = set(JobEvent.__struct_fields__)
    clocks = {name for name in fields if name.endswith("_ms") and not name.endswith("_at_ms")}
    assert clocks == set(BY_NAME)
    assert len(BY_NAME) == len(METRICS)


def test_the_published_schema_is_the_current_one() -> None:
    current = msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode() + "\n"
    assert SCHEMA.read_text() == current, "run: python -m harness.events > docs/event.schema.json"


def test_events_of_a_real_run_are_valid_and_come_back_as_they_went(demo: DemoRun) -> None:
    schema = json.loads(SCHEMA.read_text())
    validator = OAS31Validator(schema)
    for line in (demo.path / "events.jsonl").read_bytes().splitlines(keepends=True):
        event = from_line(line)
        assert to_line(event) == line
        assert [error.message for error in validator.iter_errors(json.loads(line))] == []


def test_stored_clocks_are_those_that_the_marks_give(demo: DemoRun) -> None:
    for _, event in iter_events(demo.path / "events.jsonl"):
        assert isinstance(event, JobEvent)
        for name, value in job_clocks(event.attempts).items():
            assert getattr(event, name) == value, name


def test_an_older_reader_survives_a_newer_writer_and_a_line_that_is_none_is_set_aside(tmp_path: Path) -> None:
    attempt = Attempt(number=1, client_request_id="c", marks=MARKS, ended="complete")
    event = JobEvent(
        run_id="r",
        job_id="j",
        cell="c",
        block=1,
        position=1,
        request_started_at="2026-11-20T12:00:00+00:00",
        timezone="UTC",
        route="a",
        route_kind="images",
        route_owner="openai",
        endpoint="/v1/images/generations",
        model="gpt-image-2",
        prompt_chars=1,
        prompt_hash="0",
        outcome="image",
        ended="complete",
        attempts=(attempt,),
    )
    newer = json.loads(to_line(event)) | {"something_new": [1, 2]}
    path = tmp_path / "events.jsonl"
    path.write_bytes(json.dumps(newer).encode() + b'\n{"event":"other"}\nnot json\n' + to_line(event)[:-30])
    found = [result if isinstance(result, str) else "event" for _, result in iter_events(path)]
    assert found[0] == "event"
    assert found[1].startswith("not a job event")
    assert found[2:] == ["not JSON", "torn line (the writer was stopped)"]


@pytest.mark.parametrize("field", ["prompt", "api_key", "authorization", "cookie", "b64_json", "base_url"])
def test_an_event_has_no_room_for_what_must_not_be_written(field: str) -> None:
    assert field not in JobEvent.__struct_fields__
    assert field not in Attempt.__struct_fields__


def test_response_time_counts_from_the_plan_and_is_null_without_one() -> None:
    from harness.events import Attempt, Marks
    from harness.metrics import job_clocks

    marks = Marks(started_at_ms=0, final_image_at_ms=5000, ended_at_ms=5001)
    attempt = Attempt(number=1, client_request_id="c", marks=marks, ended="complete")
    assert job_clocks([attempt], -1200)["response_ms"] == 6200
    assert job_clocks([attempt])["response_ms"] is None
    unfinished = Attempt(
        number=1, client_request_id="c", marks=Marks(started_at_ms=0, ended_at_ms=9), ended="local_cap"
    )
    assert job_clocks([unfinished], -1200)["response_ms"] is None
