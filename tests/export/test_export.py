"""Exports: valid in their own form, read back by our readers as the same jobs, and with nothing secret in them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import jsonschema  # type: ignore[import-untyped,unused-ignore]
import msgspec
import numpy as np
import pandas as pd
import pytest

from harness.errors import UsageProblem
from harness.events import ApiError, Attempt, JobEvent, Leg, Marks, to_line
from harness.export.safe import WITHHELD, phases_of
from harness.export.write import export
from harness.frame import load_frame
from harness.ingest.har import read_har
from harness.ingest.otlp import read_otlp
from harness.ingest.source import open_source
from tests.conftest import ROOT, Harness
from tests.export.har_schema import HAR_SCHEMA
from tests.report.build_run import job

CANARY = ApiError(type="server_error", code="boom", message="canary-message", message_chars=14)


def events() -> list[JobEvent]:
    """Images, a stream, a retried one, an error, a cut by the other side, a cap of ours, and one never connected."""
    found = [job(number, endpoint="/v1/images/generations") for number in range(3)]
    found.append(job(3, stream=True, partials_at_s=(2.0, 3.5), seconds=6.0, endpoint="/v1/images/generations"))
    found.append(job(4, earlier=((429, 1000.0), (500, 2500.0)), endpoint="/v1/images/generations"))
    found.append(job(5, outcome="error", status=500, error=CANARY, endpoint="/v1/images/generations"))
    url = "https://canary-host.example/v1/images/generations?canary-query"
    found.append(job(6, outcome="cut", status=None, seconds=60.0, endpoint=url))
    capped = job(7, outcome="cut", status=None, seconds=30.0, endpoint=url, prompt_text="canary-prompt")
    poll = Leg(kind="poll", number=1, started_at_ms=5.0, ended_at_ms=9.0, ended="complete")
    last = msgspec.structs.replace(
        capped.attempts[-1], ended="local_cap", cap="total", cap_ms=30_000.0, failure=("ReadTimeout",),
        body_head="canary-head", legs=(poll,),
    )  # fmt: skip
    found.append(msgspec.structs.replace(capped, ended="local_cap", attempts=(last,)))
    unreached = Attempt(
        number=1, client_request_id="c-8-1", ended="connect_failed", failure=("ConnectError", "ECONNREFUSED"),
        marks=Marks(started_at_ms=0.0, pool_acquired_at_ms=0.3, dns_done_at_ms=4.0, ended_at_ms=9.5),
    )  # fmt: skip
    found.append(job(8, outcome="unreachable", status=None, endpoint="/v1/images/generations", attempts=(unreached,)))
    return found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "events.jsonl").write_bytes(b"".join(map(to_line, events())) + b"torn line")
    return folder


def attempts() -> list[tuple[JobEvent, Attempt]]:
    return [(event, attempt) for event in events() for attempt in event.attempts]


def test_a_parquet_file_is_the_frame_without_texts_of_others(run: Path) -> None:
    done = export(run, "parquet")
    assert (done.out, done.jobs, done.bad) == (run / "events.parquet", 9, 1)
    frame, _ = load_frame(run / "events.jsonl")
    with duckdb.connect() as connection:
        back = connection.execute(f"SELECT * FROM '{done.out}'").df()
    assert list(back) == [name for name in frame if name not in WITHHELD]
    for name in back:
        if name == "endpoint":
            assert set(back[name]) == {"/v1/images/generations"}
        elif pd.api.types.is_numeric_dtype(frame[name]):
            np.testing.assert_array_equal(back[name].to_numpy(dtype=float), frame[name].to_numpy(dtype=float), name)
        else:
            told, ours = (column.astype(object).where(column.notna(), None) for column in (back[name], frame[name]))
            assert told.tolist() == ours.tolist(), name


def test_a_csv_file_has_the_same_rows_and_empty_fields_for_what_did_not_happen(run: Path) -> None:
    done = export(run, "csv")
    assert done.out is not None
    back = pd.read_csv(done.out)
    frame, _ = load_frame(run / "events.jsonl")
    np.testing.assert_array_equal(back["total_ms"], frame["total_ms"])
    assert back["job_id"].tolist() == frame["job_id"].tolist()
    assert back["http_status"].isna().tolist() == frame["http_status"].isna().tolist()
    assert "nan" not in done.out.read_text()


def test_a_har_is_valid_by_its_schema_and_adds_up(run: Path) -> None:
    done = export(run, "har")
    assert done.out is not None
    document = json.loads(done.out.read_text())
    jsonschema.Draft202012Validator(HAR_SCHEMA).validate(document)
    entries = document["log"]["entries"]
    assert len(entries) == len(attempts())
    for entry, (event, attempt) in zip(entries, attempts(), strict=True):
        timings = entry["timings"]
        told = sum(value for name, value in timings.items() if name != "ssl" and value >= 0)
        length = attempt.marks.ended_at_ms - attempt.marks.started_at_ms
        assert told == pytest.approx(entry["time"]) == pytest.approx(length)
        assert datetime.fromisoformat(entry["startedDateTime"]).timestamp() == pytest.approx(
            datetime.fromisoformat(event.request_started_at).timestamp() + attempt.marks.started_at_ms / 1000, abs=1e-5
        )
        assert entry["response"]["status"] == (attempt.http_status or 0)
    assert entries[-1]["timings"] == {
        "blocked": 0.3, "dns": 3.7, "connect": 5.5, "ssl": -1, "send": -1, "wait": -1, "receive": -1,
    }  # fmt: skip


def back(run: Path, form: str, tmp_path: Path) -> pd.DataFrame:
    done = export(run, form)
    assert done.out is not None
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    read = (read_har if form == "har" else read_otlp)(open_source(done.out, scratch))
    assert read.bad == ()
    return read.table.replace({np.nan: None}).sort_values("started_at_s", kind="stable").reset_index(drop=True)


@pytest.mark.parametrize("form", ["har", "otlp"])
def test_what_is_written_is_read_back_as_the_same_attempts(run: Path, form: str, tmp_path: Path) -> None:
    table = back(run, form, tmp_path)
    assert len(table) == len(attempts())
    for (_, told), (event, attempt) in zip(table.iterrows(), attempts(), strict=True):
        marks = attempt.marks
        assert told["duration_ms"] == pytest.approx(marks.ended_at_ms - marks.started_at_ms, abs=1e-3)
        assert told["status"] == attempt.http_status
        for name in ("request_sent_at_ms", "first_byte_at_ms"):
            mark = getattr(marks, name)
            expected = None if mark is None else pytest.approx(mark - marks.started_at_ms, abs=1e-3)
            assert told[name] == expected, (name, event.job_id)
        assert (told["model"], told["quality"], told["size"]) == (event.model, event.quality, event.size)
        assert (told["route"], told["path"]) == (event.route, "/v1/images/generations")
        assert (told["client_request_id"], told["request_id"]) == (attempt.client_request_id, attempt.request_id)
        assert told["gave_up"] == {"complete": None, "local_cap": "self"}.get(attempt.ended, "upstream")


def test_a_trace_holds_job_attempts_phases_and_partial_images(run: Path) -> None:
    done = export(run, "otlp")
    assert done.out is not None
    (line,) = done.out.read_text().splitlines()
    (resource,) = json.loads(line)["resourceSpans"]
    spans: list[dict[str, Any]] = resource["scopeSpans"][0]["spans"]
    by_id = {span["spanId"]: span for span in spans}
    assert len(by_id) == len(spans)
    jobs = [span for span in spans if "parentSpanId" not in span]
    assert len(jobs) == len({span["traceId"] for span in spans}) == 9
    clients = [span for span in spans if span["kind"] == 3]
    assert [by_id[span["parentSpanId"]]["name"].split()[0] for span in clients] == ["image_job"] * len(attempts())
    for span, (_, attempt) in zip(clients, attempts(), strict=True):
        below = [one for one in spans if one.get("parentSpanId") == span["spanId"]]
        assert [one["name"] for one in below if one["name"] != "poll"] == [n for n in phases_of(attempt) if n != "ssl"]
        for one in below:
            assert int(span["startTimeUnixNano"]) <= int(one["startTimeUnixNano"])
            assert int(one["endTimeUnixNano"]) <= int(span["endTimeUnixNano"]) + 1000
    streamed = clients[3]
    assert [event["name"] for event in streamed["events"]] == ["partial_image", "partial_image", "final_image"]
    assert int(streamed["events"][0]["timeUnixNano"]) - int(streamed["startTimeUnixNano"]) == 2_000_000_000
    assert [len(span["traceId"]) for span in clients] == [32] * len(clients)


@pytest.mark.parametrize("form", ["parquet", "csv", "har", "otlp"])
def test_nothing_secret_leaves(run: Path, form: str) -> None:
    assert b"canary" in (run / "events.jsonl").read_bytes()
    done = export(run, form)
    assert done.out is not None
    if form == "parquet":
        with duckdb.connect() as connection:
            text = connection.execute(f"SELECT * FROM '{done.out}'").df().to_csv()
    else:
        text = done.out.read_text()
    assert "canary" not in text
    assert sorted(path.name for path in run.iterdir()) == sorted(["events.jsonl", done.out.name])


def test_of_a_job_that_was_sent_again_the_later_event_counts(run: Path) -> None:
    again = msgspec.structs.replace(events()[5], outcome="cancelled", error_type=None)
    with (run / "events.jsonl").open("ab") as lines:
        lines.write(b"\n" + to_line(again))
    done = export(run, "har")
    assert (done.jobs, done.out and json.loads(done.out.read_text())["log"]["entries"][-1]["_outcome"]) == (
        9,
        "cancelled",
    )


def test_the_command_says_where_it_wrote_and_what_it_left_out(run: Path, harness: Harness, tmp_path: Path) -> None:
    done = harness("export", run, "--to", "har", "--out", tmp_path / "some.har")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'some.har'}: 9 jobs\n")
    assert "1 lines of the journal are no events" in done.stderr
    piped = harness("export", run / "events.jsonl", "--to", "csv", "--out", "-")
    assert len(piped.stdout.splitlines()) == 10


def test_what_cannot_be_written_or_is_no_run_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"no events\.jsonl there; give the folder of a run"):
        export(tmp_path, "csv")
    (tmp_path / "events.csv").write_text("of an earlier export")
    (tmp_path / "notes.txt").write_text("not an event\n")
    with pytest.raises(UsageProblem, match="no line of it is an event"):
        export(tmp_path / "notes.txt", "csv")
    assert (tmp_path / "events.csv").read_text() == "of an earlier export"
    with pytest.raises(UsageProblem, match=r"cannot be written \(No such file or directory\)"):
        export(run, "csv", tmp_path / "gone" / "x.csv")


def test_a_reader_of_standard_output_that_goes_away_is_no_error(run: Path) -> None:
    command = [sys.executable, "-m", "harness", "export", str(run), "--to", "csv", "--out", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
    assert said == ""
    assert process.returncode != 2
