"""Generations that nobody received, in words: for the page and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.report import format as fmt
from harness.report.model import Summary
from harness.report.waste import WORDS

__all__ = ["WORDS", "sentence", "waste_section"]

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]
_HEAD = ("route", "what it is", "may have been made", "made for certain", "at list price")


def sentence(summary: Summary) -> str:
    """How many, and for how much of the run's cost."""
    rows = [row for row in summary.waste if row.kind != "gateway_retry"]
    count, known = sum(row.generations for row in rows), [row.usd for row in rows if row.usd is not None]
    money = fmt.money(round(math.fsum(known), 6)) if len(known) == len(rows) and rows else "an unknown sum"
    of = "" if summary.totals.cost_usd is None else f" of {fmt.money(summary.totals.cost_usd)}"
    played = " The embedded API bills nothing; these are list prices." if summary.run.simulated else ""
    return (
        f"{fmt.count(count)} generations may have been made and billed without anybody receiving them: "
        f"{money}{of}.{played}"
    )


def waste_section(summary: Summary, table: Table) -> list[str]:
    """Nothing where everything that was paid for came."""
    if not summary.waste:
        return []
    rows = [
        (
            row.route,
            WORDS[row.kind],
            fmt.count(row.generations),
            fmt.NOTHING if row.proven is None else fmt.count(row.proven),
            fmt.money(row.usd),
        )
        for row in summary.waste
    ]
    return ["## Paid and not received", sentence(summary), table(_HEAD, rows)]
