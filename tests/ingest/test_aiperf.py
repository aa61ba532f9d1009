"""AIPerf's records: in the form that its documentation gives, and an export that AIPerf 0.13.0 wrote.

Its package is too heavy to run in the tests. ``aiperf-real.jsonl`` was made once against the embedded API: four low
images, two high ones that its own limit of 3 s cut, and one of six that were refused, because it sends
`response_format`, which this model does not take.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.diagnosis.judge import diagnose_run
from harness.ingest.aiperf import read_aiperf
from harness.ingest.formats import sniff
from harness.ingest.intake import take_in
from harness.ingest.sightings import Batch
from harness.ingest.source import open_source
from harness.journal_lines import read_events

FIXTURE = Path(__file__).parent / "fixtures" / "aiperf.jsonl"


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    source = open_source(FIXTURE, tmp_path)
    assert sniff(source).name == "aiperf"  # type: ignore[union-attr]
    return read_aiperf(source)


def test_latencies_have_their_units_and_moments_all_their_digits(batch: Batch) -> None:
    table = batch.table
    assert table["duration_ms"].tolist() == [30500.25, 60400, 2000, 60003, 300_000, 10_000, 1]
    assert table["started_at_s"].iloc[0] == pytest.approx(1795255200.123456789, abs=1e-6)
    assert table["first_byte_at_ms"].iloc[0] == 1000
    assert table["first_byte_at_ms"].iloc[1:].isna().all()
    assert table["usage_output_tokens"].iloc[0] == 196


def test_how_a_request_ended_is_told_without_the_message(batch: Batch) -> None:
    table = batch.table.replace({np.nan: None})
    told = list(zip(table["status"], table["gave_up"], table["gave_up_word"], table["failure"], strict=True))
    assert told == [
        (200, None, None, None),
        (200, None, None, None),
        (None, "client", "RequestCancellationError", None),
        (504, None, None, None),
        (None, "self", "TimeoutError", "TimeoutError"),
        (None, "upstream", "ServerDisconnectedError", "ServerDisconnectedError"),
        (None, "upstream", "ClientConnectorError", "ClientConnectorError"),
    ]
    assert not table.astype(str).apply(lambda column: column.str.contains("canary")).any(axis=None)


def test_a_record_without_a_moment_is_set_aside(batch: Batch) -> None:
    assert [bad.line for bad in batch.bad] == [7]
    assert batch.table["line"].tolist() == [1, 2, 3, 4, 5, 6, 8]


def test_the_jobs_are_a_load_generators(tmp_path: Path) -> None:
    take_in([FIXTURE], tmp_path / "run")
    events, _ = read_events(tmp_path / "run" / "events.jsonl")
    assert [event.outcome for event in events] == ["image", "image", "cut", "error", "cut", "cut", "unreachable"]
    assert events[0].attempts[0].client_request_id == "6d5b1c36-0001-4c1e-9a51-000000000001"
    assert "canary" not in (tmp_path / "run" / "events.jsonl").read_text()


def test_an_export_of_its_own_is_read_whole(tmp_path: Path) -> None:
    source = open_source(FIXTURE.with_name("aiperf-real.jsonl"), tmp_path)
    assert sniff(source).name == "aiperf"  # type: ignore[union-attr]
    found = read_aiperf(source)
    assert found.bad_count == 0
    assert found.table["usage_output_tokens"].dropna().tolist() == [196] * 4
    assert found.table["duration_ms"].iloc[4:6].tolist() == pytest.approx([3000, 3000], abs=10)
    take_in([source.path], tmp_path / "run")
    _, verdicts = diagnose_run(tmp_path / "run")
    assert [one.verdict for one in verdicts].count("ok") == 4
    cut = [one for one in verdicts if one.verdict == "false_timeout"]
    assert [(one.grade, one.product) for one in cut] == [("attributed", "aiperf")] * 2
    assert [one.verdict for one in verdicts].count("parameter_mismatch") == 1
