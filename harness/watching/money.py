"""What a watch costs and may cost: said before anything is sent, and held before each round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.conditions import EVENTS_FILE
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.journal_lines import iter_events
from harness.plan import Plan
from harness.run.journal import SENDS_FILE, Send
from harness.watching.schedule import rounds_a_day

DAYS_A_MONTH = 30


@dataclass(frozen=True)
class Bounds:
    """How far a watch goes. Null is no bound. Days are those of UTC."""

    rounds: int | None = None
    usd_per_day: float | None = None
    usd_total: float | None = None


@dataclass
class Purse:
    """What the history says was spent, by day; grows with each round."""

    by_day: dict[str, float] = field(default_factory=dict)

    @property
    def total_usd(self) -> float:
        return sum(self.by_day.values())

    def today_usd(self, now_s: float) -> float:
        return self.by_day.get(day_of(now_s), 0.0)

    def pay(self, began_s: float, usd: float) -> None:
        day = day_of(began_s)
        self.by_day[day] = self.by_day.get(day, 0.0) + usd

    def refuses(self, bounds: Bounds, round_usd: float | None, now_s: float) -> tuple[str, bool] | None:
        """Why a round that may cost so much must not begin now, and whether that is for good; None when it may."""
        usd = round_usd or 0.0
        if bounds.usd_total is not None and self.total_usd + usd > bounds.usd_total + 1e-9:
            spent = f"{self.total_usd:.2f} USD are spent and a round may cost {usd:.2f}"
            return f"the cap of {bounds.usd_total:.2f} USD in all is reached ({spent})", True
        if bounds.usd_per_day is not None and self.today_usd(now_s) + usd > bounds.usd_per_day + 1e-9:
            spent = f"{self.today_usd(now_s):.2f} USD are spent today and a round may cost {usd:.2f}"
            return f"the cap of {bounds.usd_per_day:.2f} USD a day is reached ({spent})", False
        return None


def day_of(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%d")


def next_day_s(now_s: float) -> float:
    """When the next day of UTC begins."""
    return (now_s // 86_400 + 1) * 86_400


def dearest_round(plan: Plan, max_retries: int) -> float | None:
    """What a round may cost at worst: every job with every retry billed, and no more than its own budget."""
    if plan.cost_upper_usd is None:
        return plan.budget_usd
    most = plan.cost_upper_usd * (1 + max_retries)
    return most if plan.budget_usd is None else min(most, max(plan.budget_usd, plan.cost_upper_usd))


def at_most(bounds: Bounds, round_usd: float | None, purse: Purse) -> tuple[float | None, str]:
    """What is to be agreed to before the first round, and what that sum is of."""
    sums = []
    if bounds.rounds is not None and round_usd is not None:
        sums.append(bounds.rounds * round_usd)
    if bounds.usd_total is not None:
        sums.append(max(0.0, bounds.usd_total - purse.total_usd))
    if sums or bounds.usd_per_day is None:
        return min(sums, default=None), "this watch"
    return bounds.usd_per_day, "each day of this watch"


def check(plan: Plan, bounds: Bounds, round_usd: float | None, source: str) -> None:
    """Refuse a watch whose cost is not bounded, or does not fit its bounds.

    Raises:
        UsageProblem: says which and what to do.
    """
    refusal = plan.over_budget()
    if refusal is not None:
        raise UsageProblem(f"{source}: {refusal}; nothing was sent")
    if round_usd is None and (bounds.usd_per_day is not None or bounds.usd_total is not None):
        raise UsageProblem(
            f"{source}: the price of {plan.model} is not known for every cell, so no cap in USD can be kept"
        )
    for name, cap in (("--usd-per-day", bounds.usd_per_day), ("--usd-total", bounds.usd_total)):
        if cap is not None and (round_usd or 0.0) > cap:
            raise UsageProblem(f"{name} {cap:g}: a single round may cost {round_usd:.2f} USD; nothing was sent")
    if not plan.simulated and bounds == Bounds():
        raise UsageProblem(
            "a watch that goes on for ever on a paid route needs a cap: --usd-per-day, --usd-total, or --rounds"
        )


def lines(plan: Plan, every_s: float, bounds: Bounds, purse: Purse, now_s: float, *, once: bool) -> list[str]:
    """What it will cost, for a person, before anything is sent."""
    usd = plan.cost_usd if plan.cost_usd is not None else plan.cost_upper_usd
    about = "about" if plan.cost_usd is not None else "up to"
    played = " at list price; nothing is billed, the embedded API answers" if plan.simulated else ""
    each = "cost unknown" if usd is None else f"{about} {usd:.2f} USD"
    found = [f"each round: {len(plan.jobs)} jobs, {each}{played}"]
    if not once:
        a_day = rounds_a_day(every_s)
        per = (
            "" if usd is None else f", {about} {usd * a_day:.2f} USD a day, {usd * a_day * DAYS_A_MONTH:.2f} in 30 days"
        )
        world = f" of the simulated world ({every_s / plan.time_scale:g} s of yours)" if plan.time_scale != 1 else ""
        found.append(f"every {_period(every_s)}{world}: {a_day:.0f} rounds a day{per}")
    caps = [
        *([f"{bounds.rounds} rounds" + ("" if usd is None else f" ({about} {usd * bounds.rounds:.2f} USD)")]
          if bounds.rounds is not None and not once else []),
        *([f"{bounds.usd_per_day:.2f} USD a day ({purse.today_usd(now_s):.2f} spent today)"]
          if bounds.usd_per_day is not None else []),
        *([f"{bounds.usd_total:.2f} USD in all ({purse.total_usd:.2f} spent)"] if bounds.usd_total is not None else []),
    ]  # fmt: skip
    return [*found, f"it stops at: {', '.join(caps)}" if caps else "it stops at: Ctrl-C" if not once else "one round"]


def spent_in(run_dir: Path, each_usd: Mapping[str, float | None]) -> float:
    """What a round may have been billed: a job without a known cost, or without an end, counts with its estimate."""
    spent: dict[str, float] = {}
    unlisted = max((usd or 0.0 for usd in each_usd.values()), default=0.0)  # of another version of the scenario
    sends = run_dir / SENDS_FILE
    for line in sends.read_bytes().splitlines() if sends.exists() else ():
        try:
            send = msgspec.json.decode(line, type=Send)
        except msgspec.MsgspecError:
            continue  # the last line of a killed writer: the job of it was not sent yet
        spent[send.job_id] = send.orders * (each_usd.get(send.job_id, unlisted) or 0.0)
    if (run_dir / EVENTS_FILE).exists():
        for _, event in iter_events(run_dir / EVENTS_FILE):
            if isinstance(event, JobEvent) and event.cost_usd is not None:
                spent[event.job_id] = event.cost_usd
    return sum(spent.values())


def _period(seconds: float) -> str:
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size and (seconds / size).is_integer():
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
