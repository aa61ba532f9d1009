"""A drill in words for the terminal. Pure."""

from __future__ import annotations

from harness.drills.model import DrillResult, Outage, PolicyResult, Share, Time
from harness.drills.plan import DrillPlan, load_text

SEEN = ("policy", "with an image", "p50 s", "p95 s", "failover s", "recovery s", "lost")
SPENT = ("policy", "requests", "429", "USD", "duplicates", "orphans")


def opening(plan: DrillPlan, how: str | None) -> list[str]:
    """What is about to happen, and what it costs."""
    lines = [
        f"drill of {len(plan.policies)} {'policy' if len(plan.policies) == 1 else 'policies'}, {plan.jobs} jobs each: "
        f"{load_text(plan.load)}"
    ]
    if plan.break_at is not None:
        lines.append(f"broken as job {plan.break_at} begins, for {plan.outage_s:.0f} s, on {_primaries(plan)}: {how}")
    least, most = plan.least_usd, plan.most_usd
    if least is None or most is None:
        cost = "not known for every shape"
    else:
        cost = f"about {least:.2f} USD if every job takes one request, up to {most:.2f} USD if all that policies allow"
    if plan.simulated:
        cost += " at list price; nothing is billed, the embedded API answers"
    caps = [] if plan.budget_usd is None else [f"{plan.budget_usd:.2f} USD"]
    caps += [] if plan.budget_jobs is None else [f"{plan.budget_jobs} requests"]
    return [*lines, f"cost: {cost}", *([f"cap: nothing goes out beyond {' and '.join(caps)}"] if caps else [])]


def seen_rows(result: DrillResult) -> list[tuple[str, ...]]:
    """What users see, a row a policy under `SEEN`. What did not happen is a dash."""
    return [
        (
            one.policy,
            share_text(one.success),
            _time(one.image[0]),
            _time(one.image[1]),
            _failover(one),
            _seconds(one.recovery_s),
            str(sum(one.lost.values())),
        )
        for one in result.policies
    ]


def spent_rows(result: DrillResult) -> list[tuple[str, ...]]:
    """What it took, a row a policy under `SPENT`. What is not known is a question mark."""
    return [
        (
            one.policy,
            str(one.legs),
            str(one.refused_429),
            _usd(one),
            str(one.billed.duplicates) if one.billed else f"≤ {one.maybe_duplicates}",
            str(one.billed.orphans) if one.billed else f"≤ {one.maybe_orphans}",
        )
        for one in result.policies
    ]


def notes(result: DrillResult) -> list[str]:
    """What the table cannot hold."""
    lines = []
    for one in result.policies:
        lines += [f"{one.policy}: {text}" for text in _notes(one)]
    if any(time.thin for one in result.policies for time in one.image):
        lines.append("(few): too few jobs to rely on the figure; its interval is in drill.json")
    if any(one.billed is None for one in result.policies):
        lines.append("duplicates and orphans are upper bounds here: only the provider's bill knows what was made")
    if result.message:
        lines.append(f"stopped: {result.message}")
    return lines


def share_text(share: Share) -> str:
    """``38/40 95 % (84-99)``"""
    if share.share is None or share.low is None or share.high is None:
        return "none began"
    return f"{share.count}/{share.n} {100 * share.share:.0f} % ({100 * share.low:.0f}-{100 * share.high:.0f})"


def _notes(one: PolicyResult) -> list[str]:
    found = []
    if one.outage is not None:
        found.append(_outage(one.outage))
        found.append(
            "with an image: " + "; ".join(f"{phase} {share_text(share)}" for phase, share in one.by_phase.items())
        )
    if one.lost:
        found.append("lost by " + ", ".join(f"{why} {count}" for why, count in sorted(one.lost.items())))
    if one.failover_sent_s is not None:
        found.append(f"another route was first asked {one.failover_sent_s:.1f} s after the break")
    if one.failover_s is not None:
        found.append(f"the first image after the break came by {one.failover_route}, {one.failover_s:.1f} s after it")
    if one.last_loss_s is not None:
        found.append(f"a job was still lost {one.last_loss_s:.1f} s after the mending")
    if one.stopped:
        found.append(f"{one.stopped} jobs were stopped by the drill itself and count for nothing")
    return found


def _outage(outage: Outage) -> str:
    if outage.broken_s is None:
        return f"{outage.route} was not broken"
    until = "?" if outage.mended_s is None else f"{outage.mended_s:.0f}"
    cut = "" if outage.dropped is None else f"; {outage.dropped} were"
    return f"{outage.route} was broken from {outage.broken_s:.0f} s to {until} s ({outage.how}{cut})"


def _primaries(plan: DrillPlan) -> str:
    return ", ".join(dict.fromkeys(one.primary for one in plan.policies))


def _failover(one: PolicyResult) -> str:
    if one.outage is None:
        return "-"
    if one.failover_s is not None:
        return f"{one.failover_s:.1f}"
    return "none came" if one.failover_open else "-"


def _time(time: Time) -> str:
    if time.value is None:
        return "never" if time.never else "?"
    return f"{time.value:.1f}{' (few)' if time.thin else ''}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _usd(one: PolicyResult) -> str:
    if one.billed is not None:
        return "?" if one.billed.usd is None else f"{one.billed.usd:.2f}"
    if one.cost_usd is None:
        return "?"
    return f"{'≤ ' if one.maybe_billed_usd else ''}{one.cost_usd:.2f}"
