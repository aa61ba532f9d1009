"""A sweep: trials of rising concurrency on one route, in one journal, each decided by those before it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from harness.conditions import BACKEND_FILE, write_conditions
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.plan import Job, Plan
from harness.run.begin import conditions_of, new_run_id
from harness.run.budget import Budget
from harness.run.job import Setting
from harness.run.journal import Journal
from harness.run.lag import LagMeter
from harness.run.lanes import close_lanes, embedded, make_setting, warm_up
from harness.run.limits import buckets
from harness.run.pacing import Pacing
from harness.run.progress import RunProgress
from harness.run.runner import Ending, Runner
from harness.run.session import OTHERS, Options, earlier, must_be_a_run
from harness.scenario import Scenario
from harness.scenario.loads import Load
from harness.sweeping.model import SWEEP_FILE, LimitKind, Sent, SweepRecord, Trial
from harness.sweeping.result import configure, found
from harness.sweeping.search import most_jobs, next_trial
from harness.wire import watch
from harness.wire.clock import WorldClock

Say = Callable[[str], None]


def run_sweep(
    scenario: Scenario, plan: Plan, fresh: SweepRecord, options: Options, say: Say, env: Mapping[str, str] = os.environ
) -> tuple[Path, SweepRecord]:
    """Sweep one route to the end of the search, or as far as budget and user let it; go on with what a directory has.

    `plan` has more jobs than the dearest search can take, all of the record's route; the scenario retries nothing.

    Raises:
        UsageProblem: the directory holds another run.
    """
    run_dir = options.run_dir or Path("reports") / new_run_id(f"{scenario.name}-sweep")
    before = earlier(options.run_dir, scenario)
    record = _recalled(run_dir, fresh) if before is not None else fresh
    if before is not None and (record is fresh or (run_dir / OTHERS[1]).exists()):
        must_be_a_run(run_dir, before, plan)  # it was killed before its first trial was over, or is none
    clock = WorldClock(options.time_scale or scenario.time_scale)
    with Journal(run_dir) as journal:
        conditions = before or conditions_of(scenario, plan, new_run_id(scenario.name), clock)
        record = msgspec.structs.replace(record, run_id=conditions.run_id, status="running", stopped_by=None)
        conditions = msgspec.structs.replace(conditions, status="running", budget_usd=scenario.budget.usd)
        write_conditions(run_dir, conditions)
        with (
            embedded(scenario, log=run_dir / BACKEND_FILE) as entries,
            RunProgress(0, quiet=True) as progress,
        ):
            sweep = _Sweep(scenario, record, journal, progress, clock, say)
            record = watch.run(sweep.drive(plan.jobs, env, entries, conditions.run_id))
        conditions = msgspec.structs.replace(
            conditions,
            status="complete" if record.status == "complete" else "partial",
            stopped_by=record.stopped_by,
            finished_at=datetime.now().astimezone().isoformat(timespec="milliseconds"),
            planned_jobs=len(journal.ever_sent),
        )
        write_conditions(run_dir, conditions)
        return run_dir, record


@dataclass
class _Sweep:
    scenario: Scenario
    record: SweepRecord
    journal: Journal
    progress: RunProgress
    clock: WorldClock
    say: Say
    _tried: bool = False

    async def drive(
        self, jobs: Sequence[Job], env: Mapping[str, str], entries: Mapping[str, str], run_id: str
    ) -> SweepRecord:
        async with LagMeter() as lag:
            setting = make_setting(self.scenario, env, run_id, self.clock, entries, lag, None)
            budget = Budget(self.scenario.budget.usd, self.scenario.budget.jobs)
            budget.recall(self.journal.finished_events())
            try:
                await warm_up(setting, [job.cell for job in jobs])
                # What an earlier process left on its way is recorded as unknown, and not sent again.
                lost = [job for job in jobs if job.job_id in self.journal.on_their_way]
                await self._runner(setting, budget, 1, []).run(lost)
                # No more than was said beforehand, however many jobs fail in other ways.
                room = most_jobs(self.record.rules)[0] - len(self.journal.ever_sent)
                left = [job for job in jobs if job.job_id not in self.journal.ever_sent][: max(0, room)]
                while (step := next_trial(self.record.trials, self.record.rules)) is not None:
                    if not left or self._fails():
                        return self._keep(status="stopped", stopped_by="failures")
                    if self.record.trials:
                        await asyncio.sleep(self.clock.here_s(self.record.rules.rest_s))
                    ending = await self._trial(setting, budget, step, left)
                    if ending.stopped_by is not None:
                        return self._keep(status="stopped", stopped_by=ending.stopped_by)
                return self._keep(status="complete")
            finally:
                await close_lanes(setting)

    def _fails(self) -> bool:
        """In the last trial of this process nothing went through, and nothing was refused either."""
        last = self.record.trials[-1] if self._tried else None
        return last is not None and last.jobs == last.failed

    def _runner(self, setting: Setting, budget: Budget, level: int, events: list[JobEvent]) -> Runner:
        at = self.scenario.model_copy(update={"load": Load(concurrency=level, breaker=self.scenario.load.breaker)})

        def heard(event: JobEvent) -> None:
            events.append(event)
            if event.http_status == 429:
                runner.enough()  # one refusal answers the question; the rest of the trial would only cost

        runner = Runner(setting, self.journal, budget, self.progress, Pacing.of(at, self.clock), None, heard)
        return runner

    async def _trial(self, setting: Setting, budget: Budget, step: tuple[int, int], left: list[Job]) -> Ending:
        level, count = step
        events: list[JobEvent] = []
        mine = [left.pop(0) for _ in range(min(count, len(left)))]
        levels = self.record.levels | {job.job_id: level for job in mine}
        self.record = msgspec.structs.replace(self.record, levels=levels)
        ending = await self._runner(setting, budget, level, events).run(mine)
        unsent = [job for job in mine if job.job_id not in self.journal.ever_sent]
        left[:0] = unsent
        judged = [event for event in events if event.outcome not in ("cancelled", "unknown")]
        if judged:
            trial = trial_of(level, judged)
            self.record = msgspec.structs.replace(self.record, trials=(*self.record.trials, trial))
            self._tried = True
            word = f"{trial.refused} refused" if trial.refused else "none refused"
            other = f", {trial.failed} failed otherwise" if trial.failed else ""
            self.say(f"{level} at a time: {trial.jobs} jobs in {trial.took_s:.0f} s, {word}{other}")
        self._keep()
        return ending

    def _keep(self, **changes: object) -> SweepRecord:
        """Work out what the trials show, and write it, whole or not at all."""
        sent = sent_of(list(self.journal.finished_events()), self.record.levels)
        result = found(self.record.trials, sent)
        self.record = msgspec.structs.replace(
            self.record, found=result, configure=None if result is None else configure(result), **changes
        )
        target = self.journal.run_dir / SWEEP_FILE
        temporary = target.with_suffix(".json.tmp")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self.record), indent=2) + b"\n")
        temporary.replace(target)
        return self.record


def trial_of(level: int, events: Sequence[JobEvent]) -> Trial:
    """One trial, from the events of its jobs."""
    begins = [_began_s(event) for event in events]
    ends = [_began_s(event) + (event.total_ms or 0.0) / 1000 for event in events]
    passed = [event for event in events if event.outcome in ("image", "wrong_image")]
    refused = sum(event.http_status == 429 for event in events)
    return Trial(
        level=level,
        jobs=len(events),
        refused=refused,
        failed=len(events) - refused - len(passed),
        took_s=round(max(ends) - min(begins), 3),
        images=sum(_images(event) for event in passed),
    )


def sent_of(events: Sequence[JobEvent], levels: Mapping[str, int]) -> list[Sent]:
    """Every request of the sweep that was answered, by the moment at which it went out."""
    known = [event for event in events if event.attempts and event.outcome not in ("cancelled", "unknown")]
    if not known:
        return []
    zero_s = min(_began_s(event) for event in known)
    return sorted((_sent(event, levels.get(event.job_id, 0), zero_s) for event in known), key=lambda one: one.at_s)


def _sent(event: JobEvent, level: int, zero_s: float) -> Sent:
    last = event.attempts[-1]
    refused = last.http_status == 429
    told = [one for one in buckets(last.headers) if one.limit and one.remaining is not None]
    empty = [one.limit for one in told if one.remaining == 0]
    return Sent(
        at_s=round(_began_s(event) - zero_s, 3),
        level=level,
        images=_images(event),
        refused=refused,
        failed=not refused and event.outcome not in ("image", "wrong_image"),
        kind=_kind(event) if refused else None,
        stated_limit=min((limit for limit in empty if limit is not None), default=None) if refused else None,
        remaining_share=min((one.remaining / one.limit for one in told if one.limit and one.remaining is not None),
                            default=None),
    )  # fmt: skip


def _images(event: JobEvent) -> int:
    """What it counts against a limit of images, as `images_of` says of a job."""
    return event.n + event.reference_images


def _kind(event: JobEvent) -> LimitKind:
    """What a refusal says it is about, by its own words."""
    error = event.attempts[-1].error
    words = f"{error.type or ''} {error.code or ''} {error.message or ''}".lower() if error is not None else ""
    if "concurren" in words or "in flight" in words:
        return "concurrent"
    return "per_minute" if "per min" in words or "per_minute" in words else "unknown"


def _began_s(event: JobEvent) -> float:
    """The moment in seconds of the measured world, on the wall clock stretched by the world's speed."""
    return datetime.fromisoformat(event.request_started_at).timestamp() * event.time_scale


def _recalled(run_dir: Path, fresh: SweepRecord) -> SweepRecord:
    path = run_dir / SWEEP_FILE
    if not path.exists():
        return fresh
    try:
        old = msgspec.json.decode(path.read_bytes(), type=SweepRecord)
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{path}: not the record of a sweep ({error}); give another --out") from None
    if (old.route, old.rules) != (fresh.route, fresh.rules):
        raise UsageProblem(
            f"{run_dir}: a sweep of route {old.route} with other rules is here; give the same ones, or another --out"
        )
    return old
