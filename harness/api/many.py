"""Many runs at once, out of core: DuckDB reads their Parquet, and only what a query needs of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pandas as pd

from harness.conditions import EVENTS_FILE
from harness.errors import UsageProblem

PARQUET_FILE = "events.parquet"  # as `harness export RUN --to parquet` names it


def query_runs(path: str | os.PathLike[str], query: str, /, *, memory: str = "1GB") -> pd.DataFrame:
    """Any query over the table ``jobs`` of all runs below a folder, in DuckDB's SQL.

    Args:
        path: a folder; every ``events.parquet`` in it or below it is a part of `jobs`, whatever version wrote it. A
            column that a run does not have is null there. `run_id` tells the runs apart, `region` the places.
        query: reads what it needs, column by column. Mind that an average or a quantile in SQL knows nothing of cut
            jobs.
        memory: how much DuckDB may hold; what sorts and groups take beyond it goes to temporary files.

    Raises:
        UsageProblem: a run has no Parquet, or an older one than its journal; or DuckDB cannot answer.
    """
    import duckdb

    files = _files(Path(path))
    with tempfile.TemporaryDirectory(prefix="harness-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": spill,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        try:
            with duckdb.connect(":memory:", config=config) as connection:
                connection.read_parquet([str(file) for file in files], union_by_name=True).create_view("jobs")
                return connection.execute(query).df()
        except duckdb.Error as error:
            raise UsageProblem(f"the query cannot be answered: {error}") from None


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted(path.rglob(PARQUET_FILE))
    missing = [
        journal.parent
        for journal in sorted(path.rglob(EVENTS_FILE))
        if not (there := journal.with_name(PARQUET_FILE)).exists() or there.stat().st_mtime < journal.stat().st_mtime
    ]
    if missing:
        others = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageProblem(
            f"{missing[0]}{others}: no {PARQUET_FILE} as young as the journal; "
            "`harness export RUN --to parquet` makes it"
        )
    if not files:
        raise UsageProblem(f"{path}: no run there; give a folder of runs that `harness export --to parquet` was given")
    return files
