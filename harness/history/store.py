"""The history on disk: Parquet partitioned by day, written and read by DuckDB.

::

    HISTORY/rounds/day=2026-11-21/<round>.parquet     one row a round; it is written last, and makes the round known
    HISTORY/jobs/day=2026-11-21/<round>.parquet       one row a job
    HISTORY/links/day=2026-11-21/<round>.parquet      one row a later look at a result link

A file is written under another name and renamed, so that a killed writer leaves no half of one under a name that is
read. Once a day is over its files become one; a process that dies between writing that one and removing the others
leaves rows twice, which is why reading takes each row once. A file that cannot be read is named and left out, never
the end of everything. Days are those of UTC.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from harness.errors import HarnessError
from harness.frame.schema import literal
from harness.history.model import RoundRow
from harness.history.rows import JOB_COLUMNS, LINK_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

ROUND_COLUMNS: dict[str, str] = {
    "round_id": "VARCHAR", "began_s": "DOUBLE", "ended_s": "DOUBLE", "due_s": "DOUBLE", "status": "VARCHAR",
    "why": "VARCHAR", "missed": "INTEGER", "planned_jobs": "INTEGER", "jobs": "INTEGER", "spent_usd": "DOUBLE",
    "time_scale": "DOUBLE", "simulated": "BOOLEAN", "run": "VARCHAR",
}  # fmt: skip
TABLES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "rounds": (ROUND_COLUMNS, ("round_id",)),
    "jobs": (JOB_COLUMNS, ("round_id", "job_id")),
    "links": (LINK_COLUMNS, ("round_id", "job_id", "link", "due_s")),
}
_WHOLE_DAY = "day"  # how a file of a whole day begins


def day_of(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%d")


class Store:
    """The tables of one history. `unreadable` names the files that the last readings had to leave out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unreadable: dict[str, str] = {}
        self._opened: duckdb.DuckDBPyConnection | None = None

    @property
    def _db(self) -> duckdb.DuckDBPyConnection:
        """In memory, and one for all: opening one takes longer than a round's reading and writing."""
        if self._opened is None:
            self._opened = duckdb.connect()
        return self._opened

    def append(self, row: RoundRow, jobs: Sequence[tuple[Any, ...]], links: Sequence[tuple[Any, ...]] = ()) -> None:
        """Add a round with its jobs, or put it in the place of what is known of it.

        Raises:
            HarnessError: the disk does not take it.
        """
        day = day_of(row.began_s)
        if jobs:
            self._write("jobs", day, row.round_id, jobs)
        if links:
            self._write("links", day, row.round_id, links)
        self._write("rounds", day, row.round_id, [msgspec.structs.astuple(row)])

    def add_links(self, began_s: float, round_id: str, links: Sequence[tuple[Any, ...]]) -> None:
        """What became of a round's links, all looks so far."""
        if links:
            self._write("links", day_of(began_s), round_id, links)

    def rounds(self, since_s: float | None = None) -> list[RoundRow]:
        """Every round that began since, oldest first."""
        when = "" if since_s is None else f"WHERE began_s >= {since_s!r}"
        found = self._read("rounds", f"{when} ORDER BY began_s", since_s)
        if found is None:
            return []
        return [msgspec.convert(dict(zip(ROUND_COLUMNS, one, strict=True)), RoundRow) for one in found.fetchall()]

    def jobs(self, since_s: float | None = None) -> pd.DataFrame:
        """Jobs by ascending start under `JOB_COLUMNS`; those of rounds that never came to an end are not among them."""
        return self._frame("jobs", since_s)

    def links(self, since_s: float | None = None) -> pd.DataFrame:
        """Later looks at result links under `LINK_COLUMNS`, by ascending time."""
        return self._frame("links", since_s)

    def compact(self, today: str) -> int:
        """Make one file of the files of each day before `today`; how many days that were."""
        done = 0
        for table, (columns, keys) in TABLES.items():
            for folder in sorted((self.root / table).glob("day=*")):
                files = sorted(folder.glob("*.parquet"))
                if folder.name.removeprefix("day=") >= today or len(files) < 2:
                    continue
                whole = folder / f"{_WHOLE_DAY}.parquet"
                try:
                    self._copy(_once(_from(files), columns, keys), whole, [])
                except duckdb.Error:
                    continue  # one of them cannot be read: they stay as they are, and reading names it
                for file in files:
                    if file != whole:
                        file.unlink()
                done += 1
        return done

    def _write(self, table: str, day: str, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
        columns, _ = TABLES[table]
        folder = self.root / table / f"day={day}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            spec = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            marks = ", ".join("?" * len(columns))
            self._copy("given", folder / f"{name}.parquet", rows, f"CREATE OR REPLACE TABLE given ({spec})", marks)
        except (OSError, duckdb.Error) as error:
            raise HarnessError(
                f"{folder}: the history cannot be written ({error}); nothing more is sent. Free some space and start "
                "the watch again: the round's own journal is kept and is taken in then."
            ) from None

    def _copy(
        self, source: str, target: Path, rows: Sequence[tuple[Any, ...]], create: str = "", marks: str = ""
    ) -> None:
        """Write `source` to a name that is not read, let the disk have it, and give it its own name."""
        fresh = target.with_name(f".{target.name}.tmp")
        if create:
            self._db.execute(create)
            self._db.executemany(f"INSERT INTO given VALUES ({marks})", [list(row) for row in rows])
        self._db.execute(f"COPY (SELECT * FROM {source}) TO {literal(fresh)} (FORMAT parquet, COMPRESSION zstd)")
        handle = os.open(fresh, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        fresh.replace(target)

    def _frame(self, table: str, since_s: float | None) -> pd.DataFrame:
        import pandas as pd

        when = "" if since_s is None else f"WHERE at_s >= {since_s!r}"
        found = self._read(table, f"{when} ORDER BY at_s", since_s)
        columns, _ = TABLES[table]
        if found is None:
            return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
        return found.df()

    def _read(self, table: str, rest: str, since_s: float | None) -> duckdb.DuckDBPyConnection | None:
        columns, keys = TABLES[table]
        files = self._files(table, since_s)
        if not files:
            return None
        query = "SELECT * FROM {} " + rest
        try:
            return self._db.execute(query.format(_once(_from(files), columns, keys)))
        except duckdb.Error:
            files = [file for file in files if self._is_whole(file, columns)]
        return self._db.execute(query.format(_once(_from(files), columns, keys))) if files else None

    def _files(self, table: str, since_s: float | None) -> list[Path]:
        first = "" if since_s is None else day_of(since_s - 86_400)  # a round's jobs can begin on the day after its own
        return [
            file
            for folder in sorted((self.root / table).glob("day=*"))
            if folder.name.removeprefix("day=") >= first
            for file in sorted(folder.glob("*.parquet"))
        ]

    def _is_whole(self, file: Path, columns: Mapping[str, str]) -> bool:
        try:
            names = ", ".join(f'"{name}"' for name in columns)
            self._db.execute(f"SELECT {names} FROM {_from([file])}").fetchall()
        except duckdb.Error as error:
            self.unreadable[str(file.relative_to(self.root))] = str(error).splitlines()[0][:200]
            return False
        return True


def _from(files: Iterable[Path]) -> str:
    names = ", ".join(literal(file) for file in files)
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"


def _once(source: str, columns: Mapping[str, str], keys: Sequence[str]) -> str:
    """Each row once: a day's file and those that it was made of may both be there."""
    names, key = ", ".join(f'"{name}"' for name in columns), ", ".join(f'"{name}"' for name in keys)
    return f"(SELECT {names} FROM {source} QUALIFY row_number() OVER (PARTITION BY {key}) = 1)"
