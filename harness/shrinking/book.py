"""The record of one search, kept on disk at every turn: before a send goes out, and when its end was seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import UsageProblem
from harness.shrinking.model import Purpose, Shape, ShrinkRecord, Sighting, Status, Trial, read_record, write_record
from harness.shrinking.search import Step, next_step, parts_of
from harness.shrinking.symptom import shows

_SAME = ("run_id", "job_id", "route", "scenario_sha256", "target", "original", "rule")


def spent_usd(trials: tuple[Trial, ...]) -> float:
    """What counts in the budget: costs, and estimates where a cost is not known."""
    return sum(trial.counted_usd for trial in trials)


@dataclass
class Book:
    """A search under way. `record` is what ``shrink.json`` holds."""

    run_dir: Path
    record: ShrinkRecord

    @classmethod
    def open(cls, run_dir: Path, fresh: ShrinkRecord) -> Book:
        """Go on with the search that ``shrink.json`` holds, if it is the same one; else with `fresh`. Writes nothing.

        What an earlier process sent counts in the budget, whatever the budget is now.

        Raises:
            UsageProblem: the file holds the search for another job, or by another rule.
        """
        earlier = read_record(run_dir)
        if earlier is None:
            return cls(run_dir, fresh)
        other = [name for name in _SAME if getattr(earlier, name) != getattr(fresh, name)]
        if other:
            raise UsageProblem(
                f"{run_dir}/shrink.json holds another search ({', '.join(other)} differ); move it away to begin anew"
            )
        return cls(run_dir, msgspec.structs.replace(earlier, limits=fresh.limits))

    def step(self) -> Step:
        """What to send next."""
        return next_step(self.record.original, self.record.trials, self.record.rule)

    def refuses(self, estimate_usd: float | None) -> str | None:
        """Why one more send of this price must not go out; None when it may."""
        limits, trials = self.record.limits, self.record.trials
        if limits.usd is None and limits.tries is None:
            return "no budget was given: --tries, --usd, or both"
        if limits.tries is not None and len(trials) >= limits.tries:
            return f"the budget of {limits.tries} tries is used up"
        if limits.usd is not None:
            if estimate_usd is None:
                return (
                    "the price of the next send is not known, so the budget in USD cannot be kept; give --tries alone"
                )
            if spent_usd(trials) + estimate_usd > limits.usd + 1e-9:
                return (
                    f"the budget of {limits.usd:.2f} USD is reached: {spent_usd(trials):.3f} USD are spent, "
                    f"and the next send may cost {estimate_usd:.3f}"
                )
        return None

    def sending(self, shape: Shape, purpose: Purpose, estimate_usd: float | None, sent_at: str) -> Trial:
        """Write down that this goes out. It counts from here on, seen or not."""
        trial = Trial(
            number=len(self.record.trials) + 1, shape=shape, purpose=purpose, sent_at=sent_at, estimate_usd=estimate_usd
        )
        self._keep((*self.record.trials, trial), "running")
        return trial

    def saw(self, seen: Sighting, cost_usd: float | None) -> Trial:
        """Write down how the last send ended."""
        *before, last = self.record.trials
        shown = shows(self.record.target, seen, self.record.rule.factor)
        last = msgspec.structs.replace(last, seen=seen, shows=shown, cost_usd=cost_usd)
        self._keep((*before, last), "running")
        return last

    def close(self, status: Status) -> None:
        """Write down why nothing more is sent."""
        self._keep(self.record.trials, status)

    def _keep(self, trials: tuple[Trial, ...], status: Status) -> None:
        step = next_step(self.record.original, trials, self.record.rule)
        of_best = [trial.shows for trial in trials if trial.shape == step.best and trial.shows is not None]
        needed, dropped = parts_of(self.record.original, step.best) if step.best is not None else ((), ())
        self.record = msgspec.structs.replace(
            self.record,
            status=status,
            trials=trials,
            smallest=step.best,
            confirmed=status == "smallest",
            needed=needed,
            dropped=dropped,
            smallest_shown=sum(of_best),
            smallest_sends=len(of_best),
            shapes_tried=len({trial.shape for trial in trials}),
            sends=len(trials),
            spent_usd=round(spent_usd(trials), 6),
        )
        write_record(self.run_dir, self.record)


def ending(step: Step) -> Status:
    """The status of a search that has nothing more to send."""
    if step.disturbed:
        return "disturbed"
    return "smallest" if step.reproduced else "not_reproduced"
