"""Many runs by one query over their Parquet: the same figures as run by run, within little memory."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import msgspec
import pandas as pd
import pytest

import harness
from harness.events import to_line
from harness.export.write import export
from harness.frame import load_frame
from tests.report.build_run import job, of_events


def folder_of(tmp_path: Path, count: int = 3) -> Path:
    for number in range(count):
        events = [
            msgspec.structs.replace(
                job(block, seconds=number + 1 + block / 8),
                run_id=f"run-{number}",
                region=("eu", "us")[block % 2],
            )
            for block in range(1, 7)
        ]
        of_events(events).write(tmp_path / f"run-{number}")
        export(tmp_path / f"run-{number}", "parquet")
    return tmp_path


def test_one_query_over_a_folder_is_the_runs_one_by_one(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    found = harness.query_runs(
        folder,
        "SELECT run_id, region, count(*) AS jobs, max(final_image_ms) AS worst FROM jobs GROUP BY ALL ORDER BY ALL",
    )
    frames = [load_frame(folder / f"run-{number}" / "events.jsonl")[0] for number in range(3)]
    alone = pd.concat([frame.astype({"run_id": str, "region": str}) for frame in frames])
    expected = alone.groupby(["run_id", "region"])["final_image_ms"].agg(["count", "max"]).reset_index()
    assert found.to_numpy().tolist() == expected.to_numpy().tolist()
    assert len(found) == 6


def test_a_run_of_before_a_column_has_null_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 1)
    (folder / "old").mkdir()
    with duckdb.connect() as connection:
        old = str(folder / "old" / "events.parquet")
        connection.execute(f"COPY (SELECT 'old' AS run_id, 5.0 AS final_image_ms) TO '{old}' (FORMAT parquet)")
    found = harness.query_runs(folder, "SELECT run_id, count(region) AS placed FROM jobs GROUP BY ALL ORDER BY 1")
    assert found.to_numpy().tolist() == [["old", 0], ["run-0", 6]]


def test_a_folder_larger_than_memory_is_sorted_in_temporary_files(tmp_path: Path) -> None:
    rows = 3_000_000  # two doubles and a word: about twice of what is allowed
    with duckdb.connect() as connection:
        for number in range(3):
            (tmp_path / f"r{number}").mkdir()
            file = str(tmp_path / f"r{number}" / "events.parquet")
            connection.execute(
                f"COPY (SELECT 'run-{number}' AS run_id, hash(i + {number * rows})::DOUBLE AS total_ms, "
                f"i::DOUBLE AS final_image_ms FROM range({rows // 3}) t(i)) TO '{file}' (FORMAT parquet)"
            )
    query = (
        "SELECT count(*) AS jobs, sum(place % 2) AS odd FROM "
        "(SELECT row_number() OVER (ORDER BY total_ms) AS place, run_id, final_image_ms FROM jobs)"
    )
    with (
        duckdb.connect(config={"memory_limit": "40MB", "temp_directory": ""}) as connection,
        pytest.raises(duckdb.OutOfMemoryException),
    ):
        connection.execute(query.replace("FROM jobs", f"FROM '{tmp_path}/*/events.parquet'")).fetchall()
    found = harness.query_runs(tmp_path, query, memory="40MB")
    assert found.to_numpy().tolist() == [[rows, rows // 2]]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(harness.UsageProblem, match="no run there"):
        harness.query_runs(tmp_path, "SELECT 1")
    folder = folder_of(tmp_path, 2)
    journal = folder / "run-1" / "events.jsonl"
    with journal.open("ab") as lines:
        lines.write(to_line(job(9)))
    later = (folder / "run-1" / "events.parquet").stat().st_mtime + 10
    os.utime(journal, (later, later))
    with pytest.raises(harness.UsageProblem, match=r"run-1: no events\.parquet as young as the journal"):
        harness.query_runs(folder, "SELECT count(*) FROM jobs")
    with pytest.raises(harness.UsageProblem, match="the query cannot be answered"):
        harness.query_runs(folder / "run-0", "SELECT nothing FROM jobs")
