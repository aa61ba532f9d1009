"""The history on disk: what was written comes back, and nothing torn spoils it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from harness.errors import HarnessError
from harness.history.desk import Desk
from harness.history.rows import JOB_COLUMNS, job_rows, link_rows
from harness.history.store import Store
from tests.conftest import ROOT
from tests.report.build_run import cut_by_nginx, of_events
from tests.report.build_run import job as event_of

from .worlds import START_S, cut, failed, job, round_row, rows_of, watch

LINK = ("r00000", "b1-000", 0, "direct", START_S + 9, 3600.0, 3601.0, True, 200)


def three_rounds(root: Path) -> Store:
    store = Store(root)
    for number in range(3):
        row = round_row(number, every_s=20 * 3600)  # the third is on the next day
        jobs = [job(row.round_id, 0, row.began_s), failed(job(row.round_id, 1, row.began_s + 1), 429)]
        store.append(row, rows_of([*jobs, cut(job(row.round_id, 2, row.began_s + 2))]), [LINK] if number == 0 else [])
    return store


def test_what_was_written_comes_back_and_nothing_stays_null(tmp_path: Path) -> None:
    store = three_rounds(tmp_path)
    assert [one.round_id for one in store.rounds()] == ["r00000", "r00001", "r00002"]
    jobs = store.jobs()
    assert list(jobs.columns) == list(JOB_COLUMNS)
    assert len(jobs) == 9
    assert jobs["final_image_ms"].isna().sum() == 3
    assert jobs["final_image_ms_cut"].sum() == 3
    assert jobs["rate_limited"].sum() == 3
    assert store.links()["alive"].tolist() == [True]
    assert [one.round_id for one in store.rounds(START_S + 1)] == ["r00001", "r00002"]
    assert set(store.jobs(START_S + 30 * 3600)["round_id"]) == {"r00002"}


def test_days_are_folders_that_any_parquet_reader_understands(tmp_path: Path) -> None:
    three_rounds(tmp_path)
    assert [one.name for one in sorted((tmp_path / "jobs").iterdir())] == ["day=2026-03-02", "day=2026-03-03"]
    count = duckdb.sql(f"SELECT day, count(*) FROM '{tmp_path}/jobs/*/*.parquet' GROUP BY day ORDER BY day").fetchall()
    assert [int(n) for _, n in count] == [6, 3]


def test_a_round_that_is_taken_in_again_is_there_once(tmp_path: Path) -> None:
    store = three_rounds(tmp_path)
    three_rounds(tmp_path)
    assert len(store.rounds()) == 3
    assert len(store.jobs()) == 9


@pytest.mark.parametrize("table", ["rounds", "jobs"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_torn_file_is_named_and_left_out_and_all_others_are_read(tmp_path: Path, table: str, share: float) -> None:
    store = three_rounds(tmp_path)
    torn = tmp_path / table / "day=2026-03-02" / "r00001.parquet"
    data = torn.read_bytes()
    torn.write_bytes(data[: int(share * len(data))])
    found = {one.round_id for one in store.rounds()} if table == "rounds" else set(store.jobs()["round_id"])
    assert found == {"r00000", "r00002"}
    assert list(store.unreadable) == [f"{table}/day=2026-03-02/r00001.parquet"]
    assert store.compact("2026-03-09") >= 0
    assert torn.exists(), "what cannot be read is never thrown away"


def test_bits_that_turned_inside_a_file_are_found_as_well(tmp_path: Path) -> None:
    store = three_rounds(tmp_path)
    bad = tmp_path / "jobs" / "day=2026-03-02" / "r00001.parquet"
    data = bytearray(bad.read_bytes())
    data[4 : len(data) // 3] = b"\xff" * (len(data) // 3 - 4)
    bad.write_bytes(data)
    assert set(store.jobs()["round_id"]) <= {"r00000", "r00001", "r00002"}
    assert {"r00000", "r00002"} <= set(store.jobs()["round_id"])


def test_a_writer_killed_at_any_moment_leaves_no_half_of_a_file_that_is_read(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.history.worlds import *\n"
        "store = Store(Path(sys.argv[1])); print('go', flush=True)\n"
        "for number in range(10_000):\n"
        "    row = round_row(number, 60)\n"
        "    store.append(row, rows_of([job(row.round_id, 0, row.began_s)]))\n"
    )
    for _ in range(2):
        command = [sys.executable, "-c", code, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            seen = len(list(tmp_path.rglob("*.parquet")))
            while len(list(tmp_path.rglob("*.parquet"))) < seen + 3:
                assert writer.poll() is None
            writer.kill()
        store = Store(tmp_path)
        rounds, jobs = store.rounds(), store.jobs()
        assert not store.unreadable
        assert {one.round_id for one in rounds} <= set(jobs["round_id"]), "a round is known only with its jobs"
        assert len(set(jobs["round_id"])) - len(rounds) <= 1


def test_a_day_that_is_over_becomes_one_file_and_no_row_is_lost_or_doubled(tmp_path: Path) -> None:
    store = three_rounds(tmp_path)
    kept = {path: path.read_bytes() for path in (tmp_path / "jobs" / "day=2026-03-02").iterdir()}
    before = store.jobs().to_dict("list")
    assert store.compact("2026-03-03") == 2
    assert [path.name for path in (tmp_path / "jobs" / "day=2026-03-02").iterdir()] == ["day.parquet"]
    assert len(list((tmp_path / "jobs" / "day=2026-03-03").iterdir())) == 1
    assert str(store.jobs().to_dict("list")) == str(before)
    for path, data in kept.items():  # as if the process had died before it removed them
        path.write_bytes(data)
    assert len(store.jobs()) == 9
    assert store.compact("2026-03-03") == 1
    assert len(store.jobs()) == 9


def test_a_disk_that_takes_nothing_more_stops_the_watch_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "rounds").write_text("in the way")
    with pytest.raises(HarnessError, match="Free some space"):
        Store(tmp_path).append(round_row(0), [])


@pytest.mark.parametrize("name", ["watch.json", "alerts.json"])
def test_a_state_that_cannot_be_written_stops_the_watch_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / f".{name}.tmp").mkdir()
    with pytest.raises(HarnessError, match="cannot be written"), Desk(tmp_path, watch()) as desk:
        desk.take(round_row(0), None)


def test_an_empty_history_has_its_columns(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.rounds() == []
    assert list(store.jobs().columns) == list(JOB_COLUMNS)


def test_a_journal_becomes_rows_with_cuts_as_cuts(tmp_path: Path) -> None:
    cut_event, _ = cut_by_nginx(2)
    run = of_events([event_of(1), cut_event]).write(tmp_path / "run", torn=b'{"event": "image_j')
    rows = [dict(zip(JOB_COLUMNS, one, strict=True)) for one in job_rows(run, "r1")]
    good, bad = rows
    assert (good["good"], good["final_image_ms_cut"]) == (True, False)
    assert good["final_image_ms"] == event_of(1).final_image_ms
    assert (bad["good"], bad["final_image_ms_cut"]) == (False, True)
    assert bad["final_image_ms"] == pytest.approx(60_000, rel=0.02)
    assert link_rows(run, "r1") == []
