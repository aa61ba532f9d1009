"""Vercel's log drains: JSON lines, or the arrays that a drain posts (https://vercel.com/docs/drains/reference/logs).

One request has several lines: the proxy's, the function's, and one for everything that it printed. Those of one
`requestId` are one record. A drain says when, what path and what status, and how long only where the function's own
``REPORT`` line is among them, or where it was stopped: ``Task timed out after 300 seconds``. A status of -1 means that
there was no answer. Nothing of what a program printed is kept.
"""

from __future__ import annotations

import pandas as pd

from harness.ingest.lines import any_moment, json_key, json_text, number, path_of, read_json_lines
from harness.ingest.sightings import Batch
from harness.ingest.source import Source


def fits(head: str) -> bool:
    """Whether the beginning has Vercel's names for keys."""
    start = head[:20_000].lstrip()
    marks = ('"deploymentId"', '"projectId"')
    return start.startswith(("{", "[")) and all(mark in start for mark in marks) and '"timestamp"' in start


def read(source: Source) -> Batch:
    """Lines or arrays of a drain, as one record for each request."""
    message = json_text("$.message")
    seconds = "Task timed out after ([0-9]{1,9}(?:[.][0-9]{1,9})?) seconds"
    limit = f"nullif(regexp_extract({message}, '{seconds}', 1), '')"
    report = f"nullif(regexp_extract({message}, 'REPORT RequestId: .{{1,200}}?\\sDuration: ([0-9.]+) ms', 1), '')"
    status = f"coalesce({number(json_text('$.proxy.statusCode'))}, {number(json_text('$.statusCode'))})"
    began = f"coalesce({any_moment(json_text('$.proxy.timestamp'))}, {any_moment(json_text('$.timestamp'))})"
    address = f"coalesce({json_key('proxy', 'path')}, {json_key('path')})"
    columns = {
        "started_at_s": began,
        "started_step_s": "0.001",
        "duration_ms": f"coalesce({number(report)}, {number(limit, 1e3)})",
        "upstream_ms": number(limit, 1e3),
        "status": f"nullif({status}, 0)",
        "gave_up": f"CASE WHEN {limit} IS NOT NULL THEN 'self' WHEN {status} = 499 THEN 'client' END",
        "gave_up_word": f"CASE WHEN {limit} IS NOT NULL THEN 'Vercel Runtime Timeout Error: Task timed out after ' || "
        f"split_part({limit}, '.', 1) || ' seconds' WHEN {status} = 499 THEN '499' END",
        "call_id": f"coalesce({json_text('$.requestId')}, {json_text('$.proxy.vercelId')})",
        "trace_id": f"coalesce({json_text('$.traceId')}, {json_key('trace.id')})",
        "method": json_text("$.proxy.method"),
        "path": f"nullif({path_of(address)}, '')",
        "bytes_down": number(json_text("$.proxy.responseByteSize")),
    }
    batch = read_json_lines(
        source, columns, format="Vercel", side="proxy", writer="vercel", arrays=True,
        fits=f"{json_text('$.timestamp')} IS NOT NULL AND {json_text('$.source')} IS DISTINCT FROM 'build' AND "
        f"({json_text('$.requestId')} IS NOT NULL OR json_exists(doc, '$.proxy'))",
        passed_over=f"{json_text('$.timestamp')} IS NOT NULL AND {json_text('$.deploymentId')} IS NOT NULL",
    )  # fmt: skip
    return Batch(batch.format, _one_each(batch.table), batch.bad, batch.bad_count)


def _one_each(table: pd.DataFrame) -> pd.DataFrame:
    """One record for each request: its first moment, and of everything else what one of its lines says."""
    alone = table[table["call_id"].isna()]
    together = table[table["call_id"].notna()].sort_values(["started_at_s", "line"])
    if together.empty:
        return table
    # `first` takes each column's first value that is there. A program that prints has no path of its own.
    merged = together.groupby("call_id", sort=False, as_index=False).first()[list(table.columns)]
    return pd.concat([merged, alone], ignore_index=True) if len(alone) else merged
