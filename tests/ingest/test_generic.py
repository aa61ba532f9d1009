"""Any file with a mapping: what each column is taken from, in which unit and zone, and how a wrong mapping is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.errors import UsageProblem
from harness.ingest.generic import read_mapped
from harness.ingest.intake import take_in
from harness.ingest.sightings import Batch
from harness.ingest.source import open_source

MAPPING = """
side: client
writer: our-app
timezone: Europe/Berlin
fields:
  started_at_s: {from: started, form: "%d.%m.%Y %H:%M:%S"}
  duration_ms: {from: took, unit: s}
  status: code
  client_request_id: id
  gave_up: {from: ended, words: {timeout: self, aborted: client, "it's ok": nobody}}
  prompt_hash: note
"""


def read(folder: Path, text: str, mapping: str = MAPPING, name: str = "jobs.csv") -> Batch:
    log, how = folder / name, folder / "map.yaml"
    log.write_text(text, encoding="utf-8")
    how.write_text(mapping, encoding="utf-8")
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return read_mapped(open_source(log, scratch), how)


def utc(text: str) -> float:
    return pd.Timestamp(text, tz="UTC").timestamp()


def test_a_csv_with_semicolons_and_quotes_is_read_by_its_header(tmp_path: Path) -> None:
    text = (
        "started;took;code;id;ended;note\n"
        '21.11.2026 11:00:00;12.5;200;"job;one";"it\'s ok";"said ""red"" apple"\n'
        "01.07.2026 12:00:00;60.0;;job-two;timeout;\n"
    )
    table = read(tmp_path, text).table.replace({np.nan: None})
    assert table["started_at_s"].tolist() == [utc("2026-11-21 10:00"), utc("2026-07-01 10:00")]  # winter and summer
    assert table["duration_ms"].tolist() == [12_500, 60_000]
    assert table["status"].tolist() == [200, None]
    assert table["client_request_id"].tolist() == ["job;one", "job-two"]
    assert table["gave_up"].tolist() == ["nobody", "self"]
    assert (table["writer"].tolist(), table["side"].tolist()) == (["our-app"] * 2, ["client"] * 2)


def test_a_prompts_column_is_hashed_whoever_maps_it(tmp_path: Path) -> None:
    """A mapping may name the prompt itself as `prompt_hash`, or a person as `user_hash`: neither may stay."""
    text = "started,took,code,id,ended,note\n21.11.2026 11:00:00,1,200,job-one,,canary prompt\n"
    (found,) = read(tmp_path, text).table["prompt_hash"]
    assert "canary" not in found
    assert len(found) == 32


def test_quotes_in_the_names_of_columns_and_in_words_are_what_they_are(tmp_path: Path) -> None:
    mapping = """
side: client
fields:
  client_request_id: {from: the client's "id"}
  gave_up: {from: ended, words: {'it''s "over"': self}}
"""
    text = """the client's ""id""\";ended\na-job-1;"it's ""over\"\""\n"""
    table = read(tmp_path, '"' + text, mapping).table
    assert (table["client_request_id"].tolist(), table["gave_up"].tolist()) == (["a-job-1"], ["self"])
    text = '{"client\'s": {"id": "a-job-1"}, "ended": "it\'s \\"over\\""}\n'
    table = read(tmp_path, text, mapping.replace('the client\'s "id"', "client's.id"), "jobs.jsonl").table
    assert (table["client_request_id"].tolist(), table["gave_up"].tolist()) == (["a-job-1"], ["self"])


def test_commas_tabs_and_a_byte_order_mark_are_found_out(tmp_path: Path) -> None:
    rows = [["started", "took", "code", "id", "ended", "note"], ["21.11.2026 11:00:00", "1", "200", "a-job-1", "", ""]]
    for mark, separator in (("", ","), ("\ufeff", "\t"), ("\ufeff", ";")):
        text = mark + "\n".join(separator.join(row) for row in [*rows, *[rows[1]] * 3]) + "\n"
        assert read(tmp_path, text).table["duration_ms"].tolist() == [1000] * 4, repr(separator)


def test_a_row_of_another_width_is_set_aside_and_told(tmp_path: Path) -> None:
    text = "started,took,code,id,ended,note\n" + "21.11.2026 11:00:00,1,200,job-one,,x\n" * 3
    found = read(tmp_path, text + "canary,1\n" + "21.11.2026 11:00:00,2,200,job-two,,x\n")
    assert found.table["duration_ms"].tolist() == [1000, 1000, 1000, 2000]
    assert [bad.line for bad in found.bad] == [5]


def test_paths_into_nested_json_and_every_form_of_a_moment(tmp_path: Path) -> None:
    lines = (
        '{"at": {"when": "2026-11-21T11:00:00"}, "ms": 1795258800000, "http": {"status": 200}, "ok": true}\n'
        '{"at": {"when": "2026-11-21T10:00:00Z"}, "ms": 1795258800000, "http": {"status": "504"}, "ok": "false"}\n'
        '{"at": {"when": "2026-11-21T15:30:00.5+05:30"}, "ms": null}\n'
        '["canary"]\n'
    )
    mapping = "side: proxy\ntimezone: Europe/Berlin\nfields: {started_at_s: at.when, status: http.status, finished: ok}"
    found = read(tmp_path, lines, mapping, "jobs.jsonl")
    assert found.table["started_at_s"].tolist() == [
        utc("2026-11-21 10:00"), utc("2026-11-21 10:00"), utc("2026-11-21 10:00:00.5"),
    ]  # fmt: skip
    assert found.table["finished"].replace({np.nan: None}).tolist() == [1, 0, None]
    assert found.table["status"].replace({np.nan: None}).tolist() == [200, 504, None]
    assert [bad.line for bad in found.bad] == [4]
    for form, scale in (("ms", 1), ("us", 1000), ("ns", 1_000_000)):
        text = f'{{"at": {1795258800123 * scale}}}\n'
        mapping = f"side: proxy\nfields: {{started_at_s: {{from: at, form: {form}}}}}"
        (moment,) = read(tmp_path, text, mapping, "jobs.jsonl").table["started_at_s"]
        assert moment == pytest.approx(1795258800.123, abs=1e-5)


def test_keys_with_quotes_and_dots_are_taken_as_they_are(tmp_path: Path) -> None:
    line = '{"it\'s": {"a b": 3}, "x.y": 4}\n'
    mapping = 'side: proxy\nfields: {status: "it\'s.a b", n: "x.y"}'
    table = read(tmp_path, line, mapping, "jobs.jsonl").table
    assert (table["status"].tolist(), table["n"].tolist()) == ([3], [4])


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("side: [", "map.yaml:"),
        ("side: nobody\nfields: {status: a}", "map.yaml: side: "),
        ("side: proxy\ntimezone: Mars/Olympus\nfields: {status: a}", "timezone: Value error, no such time zone"),
        ("side: proxy\nfields: {colour: a}", "fields: Value error, no such column: ['colour']"),
        ("side: proxy\nfields: {status: {from: a, unit: h}}", "fields.status.unit: "),
        ("side: proxy\nfields: {status: {form: iso}}", "fields.status.from: Field required"),
        ("side: proxy\nfields: [a]", "fields: Value error, is a mapping"),
        ("- a", "map.yaml: "),
        ("side: proxy\nfields: {status: nowhere}", "jobs.csv: has no column"),
    ],
)
def test_a_wrong_mapping_is_told_with_file_and_field(tmp_path: Path, mapping: str, said: str) -> None:
    with pytest.raises(UsageProblem) as error:
        read(tmp_path, "started,took\n1,canary\n2,3\n", mapping)
    assert said in str(error.value)
    assert "canary" not in str(error.value)


def test_a_missing_mapping_is_told(tmp_path: Path) -> None:
    log = tmp_path / "jobs.csv"
    log.write_text("a,b\n1,2\n")
    with pytest.raises(UsageProblem, match="in no format that is known"):
        take_in([log], tmp_path / "run")
    with pytest.raises(UsageProblem, match=r"gone\.yaml: cannot be read \(No such file"):
        take_in([log], tmp_path / "run", mapping=tmp_path / "gone.yaml")
