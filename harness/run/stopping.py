"""Which cells have told enough: pure. Asked before each job goes out, told of each job that is over.

Two things are easily got wrong. *Whoever is done*: with several jobs under way the fast ones are over first, so the
jobs that are done at a moment are not the jobs that were sent. Only the first blocks in planned order, without a gap,
count. *Going on*: what was decided follows from the journal alone, in whatever order it is told, so a run that goes on
comes to the same decisions and sends nothing that it had left out. A job that is sent again, and then seen, narrows
what was known of it, and nothing that was decided is undone by that.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from harness.conditions import EarlyStop, StopDecision, StoppedCell
from harness.events import JobEvent
from harness.observed import observed
from harness.plan import Job
from harness.scenario import Scenario
from harness.scenario.early_stop import Watch, watched
from harness.stats.sequence import QuantileSequence, decided, narrow

Sample = tuple[float, float] | None  # null: over, and not an observation


@dataclass
class _Watched:
    """One interval, as far as the blocks have come without a gap."""

    watch: Watch
    sequence: QuantileSequence
    a: dict[int, Sample] = field(default_factory=dict)  # by block: over, and not yet counted
    b: dict[int, Sample] = field(default_factory=dict)
    at: int = 0  # position in the cells' blocks: all before it are counted
    decision: StopDecision | None = None


class Stopper:
    """The rules of a run against what is known of it so far."""

    def __init__(self, rules: EarlyStop, watches: Sequence[Watch], jobs: Sequence[Job]) -> None:
        """`jobs` in planned order; every watched cell has one in each block."""
        alpha = (1 - rules.confidence) / max(1, len(watches))
        self._rules = rules
        self._jobs = jobs
        self._blocks = sorted({job.block for job in jobs})
        self._watched = [_Watched(watch, QuantileSequence(watch.p, alpha)) for watch in watches]
        self._of_cell: dict[str, list[_Watched]] = {}
        for one in self._watched:
            for cell in (one.watch.a, one.watch.b):
                if cell is not None:
                    self._of_cell.setdefault(cell, []).append(one)

    def settled(self, cell: str) -> bool:
        """Whether every rule that concerns the cell is settled; a cell that none concerns never is."""
        concerned = self._of_cell.get(cell)
        return bool(concerned) and all(one.decision is not None for one in concerned or ())

    def tell(self, event: JobEvent) -> tuple[str, ...]:
        """A job is over. Gives the cells that are settled by it."""
        concerned = self._of_cell.get(event.cell, [])
        fresh: list[str] = []
        for one in concerned:
            if one.decision is not None:
                continue
            sample = observed(event, one.watch.metric)
            (one.a if event.cell == one.watch.a else one.b)[event.block] = sample
            if self._advance(one):
                fresh += [cell for cell in (one.watch.a, one.watch.b) if cell is not None]
        return tuple(cell for cell in dict.fromkeys(fresh) if self.settled(cell))

    def recall(self, events: Iterable[JobEvent]) -> None:
        """What an earlier part of this run left in its journal; of a job that is there twice the later event counts."""
        for event in {event.job_id: event for event in events}.values():
            self.tell(event)

    def stopped(self, sent: Iterable[str], passed_over: Collection[str] = ()) -> tuple[StoppedCell, ...]:
        """The cells that were left before their end, given the ids of all jobs that were ever sent.

        What was `passed_over` for another reason was saved by no rule, and is counted elsewhere.
        """
        gone = set(sent)
        found: list[StoppedCell] = []
        by_cell: dict[str, list[Job]] = {}
        for job in self._jobs:
            by_cell.setdefault(job.cell.id, []).append(job)
        for cell, jobs in by_cell.items():
            unsent = [job for job in jobs if job.job_id not in gone]
            left = [job.estimate_usd for job in unsent if job.job_id not in passed_over]
            if not left or not self.settled(cell):
                continue
            known = [usd for usd in left if usd is not None]
            found.append(
                StoppedCell(
                    cell=cell,
                    jobs_sent=len(jobs) - len(unsent),
                    jobs_not_sent=len(left),
                    usd_not_spent=round(math.fsum(known), 6) if len(known) == len(left) else None,
                    decisions=tuple(one.decision for one in self._of_cell[cell] if one.decision is not None),
                )
            )
        return tuple(found)

    def _advance(self, one: _Watched) -> bool:
        """Count every further block that is over without a gap, and look after each of them until it is decided."""
        while one.at < len(self._blocks):
            block = self._blocks[one.at]
            if block not in one.b or (one.watch.a is not None and block not in one.a):
                return False
            b = one.b.pop(block)
            sample = b if one.watch.a is None else _ratio(one.a.pop(block), b)
            one.at += 1
            if sample is not None:
                one.sequence.add(*sample)
            if one.at >= self._rules.after_blocks:
                one.decision = self._decision(one)
                if one.decision is not None:
                    return True
        return False

    def _decision(self, one: _Watched) -> StopDecision | None:
        watch, (low, high) = one.watch, one.sequence.interval()
        paired = watch.a is not None
        verdict = decided(low, high, watch.limit) if paired else "narrow" if narrow(low, high, watch.limit) else None
        if verdict is None:
            return None
        unclear = one.at - one.sequence.n
        left_out = f"; {unclear} of {one.at} blocks gave no {'pair' if paired else 'time'}" if unclear else ""
        return StopDecision(
            rule="compare" if paired else "interval",
            cell=watch.b,
            against=watch.a,
            metric=watch.metric,
            statistic=f"p{round(watch.p * 100)}",
            verdict=verdict,
            blocks=one.at,
            samples=one.sequence.n,
            low=None if low is None else round(low, 6),
            high=None if high is None else round(high, 6),
            why=_why(verdict, watch) + left_out,
        )


def stopper_of(scenario: Scenario, jobs: Sequence[Job], events: Iterable[JobEvent]) -> Stopper | None:
    """The stopper of a scenario that knows already what is in the journal; None for a scenario without rules."""
    if scenario.early_stop is None:
        return None
    cells = scenario.cells()
    stopper = Stopper(scenario.early_stop.conditions(cells), watched(scenario.early_stop, cells), jobs)
    stopper.recall(events)
    return stopper


def _ratio(a: Sample, b: Sample) -> Sample:
    """b / a as far as it is known; null when one of the two is no observation."""
    if a is None or b is None:
        return None
    low = 0.0 if math.isinf(a[1]) or a[1] == 0 else b[0] / a[1]
    high = math.inf if math.isinf(b[1]) or a[0] == 0 else b[1] / a[0]
    return low, high


def _why(verdict: str, watch: Watch) -> str:
    percent = f"{100 * watch.limit:g} %"
    if verdict == "narrow":
        return f"the whole interval is inside its middle ± {percent}"
    if verdict == "no_difference":
        return f"the whole interval of the ratio is within {percent} of 1: too little to matter"
    return f"the whole interval of the ratio is beyond {percent}: {watch.b} is {verdict} than {watch.a}"
