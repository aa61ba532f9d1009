"""OpenTelemetry spans: which of them are one exchange, whose side they are, and what they say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.ingest.formats import sniff
from harness.ingest.intake import take_in
from harness.ingest.otlp import read_otlp
from harness.ingest.otlp_words import words_of
from harness.ingest.sightings import Batch
from harness.ingest.source import open_source
from harness.journal_lines import read_events

FIXTURE = Path(__file__).parent / "fixtures" / "otlp.json"


def read(path: Path, scratch: Path) -> Batch:
    scratch.mkdir(exist_ok=True)
    source = open_source(path, scratch)
    assert sniff(source).name == "otlp"  # type: ignore[union-attr]
    return read_otlp(source)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return read(FIXTURE, tmp_path / "scratch")


def rows(batch: Batch, second: float) -> list[dict[str, Any]]:
    """Records that began between this second of the file and the hundredth after it, in their order."""
    table = batch.table.replace({np.nan: None})
    table = table[(table["started_at_s"] >= 1795255200 + second) & (table["started_at_s"] < 1795255300 + second)]
    return table.sort_values("started_at_s", kind="stable").to_dict("records")


def test_spans_of_one_exchange_on_one_side_are_one_record(batch: Batch) -> None:
    found = rows(batch, 0)
    assert [(one["side"], one["writer"], one["path"]) for one in found] == [
        ("upstream", "otel", "/draw"),
        ("client", "otel", "/v1/images/generations"),
        ("gateway", "litellm", "/v1/images/generations"),
        ("upstream", "otel", "/v1/images/generations"),
    ]
    _, client, gateway, upstream = found
    assert {one["trace_id"] for one in found} == {f"{1:032x}"}
    assert (client["duration_ms"], client["status"], client["bytes_down"]) == (30960, 200, 120000)
    assert (client["model"], client["usage_output_tokens"], client["request_id"]) == (
        "gpt-image-2", 196, "req_otlp0001",
    )  # fmt: skip
    assert (gateway["upstream_calls"], gateway["upstream_ms"], gateway["upstream_status"]) == (1, 30930, 200)
    assert upstream["duration_ms"] == 30910


def test_tries_under_one_call_are_attempts_of_one_job(batch: Batch, tmp_path: Path) -> None:
    tries = rows(batch, 100)
    assert [(one["status"], one["gave_up"], one["failure"]) for one in tries] == [
        (504, None, None),
        (None, "self", "ReadTimeout"),
        (200, None, None),
    ]
    assert {one["model"] for one in tries} == {"gpt-image-2"}
    take_in([FIXTURE], tmp_path / "run")
    events, _ = read_events(tmp_path / "run" / "events.jsonl")
    (retried,) = [event for event in events if len(event.attempts) > 1]
    assert [attempt.http_status for attempt in retried.attempts] == [504, None, 200]
    assert (retried.outcome, retried.retry_count) == ("image", 2)
    assert retried.total_ms == pytest.approx(99_980, abs=0.01)


def test_a_trace_of_several_jobs_names_none_of_them(batch: Batch) -> None:
    one, two = rows(batch, 300)
    assert (one["trace_id"], two["trace_id"]) == (None, None)
    assert one["call_id"] != two["call_id"]
    assert rows(batch, 100)[0]["trace_id"] == f"{2:032x}"


def test_an_exception_tells_its_class_and_nothing_else(batch: Batch) -> None:
    (late,) = rows(batch, 500)
    assert (late["status"], late["gave_up"], late["gave_up_word"]) == (None, "self", "APITimeoutError")
    assert not batch.table.astype(str).apply(lambda column: column.str.contains("canary")).any(axis=None)


def test_a_chat_is_no_image_and_old_names_are_read_as_well(batch: Batch, tmp_path: Path) -> None:
    found = take_in([FIXTURE], tmp_path / "run")
    assert found.files[0].other_requests == 2  # the chat, and the application's own address
    (old,) = rows(batch, 800)
    assert (old["method"], old["status"], old["path"], old["bytes_down"]) == (
        "POST", 200, "/v1/images/generations", 90000,
    )  # fmt: skip
    assert [(bad.line, bad.reason) for bad in batch.bad] == [(14, "span of another form than OTLP has")]
    assert "canary" not in (tmp_path / "run" / "events.jsonl").read_text()
    assert "canary" not in (tmp_path / "run" / "intake.json").read_text()


def test_lines_of_a_file_exporter_are_the_same_spans(batch: Batch, tmp_path: Path) -> None:
    document = json.loads(FIXTURE.read_text())
    lines = tmp_path / "spans.jsonl"
    one_a_line = [json.dumps({"resourceSpans": [resource]}) for resource in document["resourceSpans"]]
    lines.write_text("\n".join([one_a_line[0], '{"resourceSpans": [cut', *one_a_line[1:]]) + "\n")
    found = read(lines, tmp_path / "other")
    assert [bad.line for bad in found.bad if "document" in bad.reason] == [2]
    kept = [name for name in found.table if name != "line"]
    assert found.table[kept].equals(batch.table[kept])


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"http.request.method": "POST", "error.type": "timeout"}, {"gave_up": "self", "failure": "timeout"}),
        ({"http.request.method": "POST", "error.type": "java.net.SocketException"}, {"gave_up": "upstream"}),
        ({"http.request.method": "POST", "error.type": "CancelledError"}, {"gave_up": "client"}),
        ({"http.request.method": "POST", "error.type": "503"}, {"status": 503.0}),
        ({"http.request.method": "POST", "error.type": "canary text!"}, {"failure": "error"}),
        ({"http.request.method": "GET", "url.path": "/a/b"}, {"path": "/a/b"}),
        ({"gen_ai.request.model": "m", "gen_ai.operation.name": "chat"}, {"path": "/chat", "status": 200}),
        ({"gen_ai.response.time_to_first_chunk": 1.5, "gen_ai.request.model": "m"}, {"first_byte_at_ms": 1500.0}),
        ({"http.request.method": "POST", "http.response.status_code": "nan-canary"}, {}),
    ],
)
def test_each_attribute_has_one_meaning(attributes: dict[str, Any], said: dict[str, Any]) -> None:
    told = words_of(attributes).told
    assert {name: told.get(name) for name in said} == said
    assert "canary" not in str(told)
