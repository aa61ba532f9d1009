"""The cells that were stopped early, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.report import format as fmt
from harness.report.model import Summary
from harness.report.stopped import NARROW_NOTE, any_time_sentence, basis, limits, saved_sentence, settled_words

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]
_HEAD = ("cell", "what it had told", "interval at any look", "rests on", "jobs not sent", "not spent")


def stopped_section(summary: Summary, table: Table) -> list[str]:
    """Nothing for a run without rules to stop by."""
    found = summary.stopped
    if found is None:
        return []
    parts = ["## Stopped early", saved_sentence(found, summary.run)]
    rows = [
        (
            cell.cell if first else "",
            f"{one.metric} {settled_words(one, cell.cell)}",
            limits(one),
            basis(one),
            fmt.of(cell.jobs_not_sent, cell.jobs_sent + cell.jobs_not_sent) if first else "",
            fmt.money(cell.usd_not_spent) if first else "",
        )
        for cell in found.cells
        for first, one in zip((True, *(False,) * len(cell.decisions)), cell.decisions, strict=False)
    ]
    return [*parts, table(_HEAD, rows), f"{any_time_sentence(found)} {NARROW_NOTE}"] if rows else parts
