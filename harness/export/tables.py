"""A run's events as one table: Parquet or CSV, one row a job, the flat columns of `harness.frame`."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd

from harness.export.safe import WITHHELD, path_of
from harness.frame import load_frame
from harness.frame.schema import literal


def write_table(journal: Path, out: Path, kind: str) -> tuple[int, int]:
    """Write ``out``; `kind`: parquet or csv. Returns the number of rows, and of lines that were no events.

    What did not happen is null (an empty field of a CSV). Columns with text that somebody else wrote are left out.
    """
    frame, bad = load_frame(journal)
    frame = frame.drop(columns=[name for name in WITHHELD if name in frame])
    frame["endpoint"] = frame["endpoint"].astype(object).map(lambda one: path_of(one) if isinstance(one, str) else one)
    numbers = [name for name in frame.columns if pd.api.types.is_float_dtype(frame[name])]
    nulls = ", ".join(f'CASE WHEN isnan("{name}") THEN NULL ELSE "{name}" END AS "{name}"' for name in numbers)
    words = [name for name in frame.columns if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    texts = ", ".join(f'"{name}"::VARCHAR AS "{name}"' for name in words)
    form = "FORMAT parquet, COMPRESSION zstd" if kind == "parquet" else "FORMAT csv, HEADER true"
    with duckdb.connect() as connection:
        connection.register("given", frame)
        replaced = ", ".join(filter(None, (nulls, texts)))
        connection.execute(f"COPY (SELECT * REPLACE ({replaced}) FROM given) TO {literal(out)} ({form})")
    return len(frame), len(bad)
