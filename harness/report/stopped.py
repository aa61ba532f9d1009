"""The cells that were stopped early: what a run's conditions say of them, in the words of the page."""

from __future__ import annotations

import math

from harness.conditions import RunConditions, StopDecision
from harness.report import format as fmt
from harness.report.jobs import rounded
from harness.report.model import RunPart, Summary
from harness.report.stopped_model import Stopped

NARROW_NOTE = (
    "The intervals of these cells in the other tables are a little too narrow: they are made for one look, and these "
    "cells were stopped by looking at them."
)


def stopped(conditions: RunConditions) -> Stopped | None:
    """Null for a run without rules to stop by."""
    rules = conditions.early_stop
    if rules is None:
        return None
    amounts = [cell.usd_not_spent for cell in conditions.stopped_cells]
    known = [usd for usd in amounts if usd is not None]
    return Stopped(
        confidence=rules.confidence,
        after_blocks=rules.after_blocks,
        intervals=rules.intervals,
        cells=conditions.stopped_cells,
        cells_in_all=len(conditions.cells),
        jobs_not_sent=sum(cell.jobs_not_sent for cell in conditions.stopped_cells),
        planned_jobs=conditions.planned_jobs,
        usd_not_spent=rounded(math.fsum(known), 6) if len(known) == len(amounts) else None,
        planned_usd=rounded(conditions.planned_cost_usd, 6),
    )


def stopped_cells(summary: Summary) -> frozenset[str]:
    """The cells whose ordinary intervals are a little too narrow."""
    return frozenset(cell.cell for cell in summary.stopped.cells) if summary.stopped is not None else frozenset()


def saved_sentence(found: Stopped, run: RunPart) -> str:
    """How much was left out, and what that saved."""
    if not found.cells and run.partial:
        return "No cell had told enough as far as the run went."
    if not found.cells and run.load_result is not None and run.load_result.dropped:
        return (
            "No cell had told enough before its first dropped job, after which it is watched no further, or its last."
        )
    if not found.cells:
        return "No cell had told enough before its last block, so every planned job was sent."
    saved = ""
    if found.usd_not_spent is not None:
        of = f" of {fmt.money(found.planned_usd)} planned" if found.planned_usd is not None else ""
        played = ", at list price: the embedded API bills nothing" if run.simulated else ""
        saved = f" That saved {fmt.money(found.usd_not_spent)}{of}, by estimate{played}."
    return (
        f"{fmt.of(len(found.cells), found.cells_in_all)} cells had told enough early. "
        f"{fmt.of(found.jobs_not_sent, found.planned_jobs)} jobs were not sent.{saved}"
    )


def any_time_sentence(found: Stopped) -> str:
    """What the intervals of this table promise."""
    return (
        "The intervals here hold however often one looks: the chance "
        f"that any of the {fmt.count(found.intervals)} that were watched ever misses its true figure in this run is at "
        f"most {100 * (1 - found.confidence):g} % in all. None was acted on before block {found.after_blocks}. "
        "A job that was cut counts as longer than that."
    )


def settled_words(decision: StopDecision, cell: str) -> str:
    """What is known now, said of one of its cells: "slower than direct/low, median ratio to it"."""
    if decision.rule == "interval":
        return f"{decision.statistic} known well enough"
    other, ratio = decision.against, "median ratio to it"
    verdict: str = decision.verdict
    if cell == decision.against:
        other, verdict = decision.cell, {"slower": "faster", "faster": "slower"}.get(verdict, verdict)
        ratio = "median ratio of that to this"
    return f"{'no different from' if verdict == 'no_difference' else f'{verdict} than'} {other}, {ratio}"


def basis(decision: StopDecision) -> str:
    """How many blocks it rests on, and how many of them said nothing."""
    noun = "pair" if decision.rule == "compare" else "time"
    none = decision.blocks - decision.samples
    silent = f", {fmt.count(none)} of them without a {noun}" if none else ""
    return f"first {fmt.count(decision.blocks)} blocks{silent}"


def limits(decision: StopDecision) -> str:
    """The interval that holds at any look."""
    unit = "ms" if decision.rule == "interval" else "×"
    low, high = (None if value is None else fmt.in_unit(value, unit) for value in (decision.low, decision.high))
    if low is not None and high is not None:
        return f"{low} – {high}"
    return f"≥ {low}" if low is not None else f"≤ {high}" if high is not None else fmt.NOTHING
