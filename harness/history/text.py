"""Rounds and alerts as lines for a person."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from harness.estimate import Estimate
from harness.history.model import AlertState, Standing
from harness.report import format as fmt

if TYPE_CHECKING:
    from harness.history.trend import Trend

WORDS = {"not_enough": "not enough", "inactive": "quiet", "pending": "pending", "firing": "FIRING"}


def moment(at_s: float) -> str:
    """Local time to the second."""
    return datetime.fromtimestamp(at_s).astimezone().isoformat(sep=" ", timespec="seconds")


def round_line(standing: Standing) -> str:
    """One line a round."""
    one = standing.round
    good = sum(job.outcome == "image" for job in standing.fresh)
    parts = [f"{moment(one.began_s)}  {one.status}", f"{good} of {len(standing.fresh)} jobs with an image"]
    if one.why:
        parts.append(one.why)
    if one.missed:
        parts.append(f"{one.missed} rounds fell out before it")
    if one.spent_usd:
        parts.append(f"{fmt.money(one.spent_usd)}{' (play money)' if one.simulated else ''}")
    parts.append(f"{len(standing.firing)} alerts firing")
    return ", ".join(parts).replace("\u00a0", " ").replace("\u202f", " ")


def alert_lines(standing: Standing) -> list[str]:
    """What began to fire with this round, and what ended."""
    fired = [one for one in standing.firing if one.started_at == standing.at]
    lines = [f"FIRING   {alert_words(one)}" for one in fired]
    lines += [f"resolved {alert_words(one)}" for one in standing.resolved]
    lines += [f"not readable and left out: {name}" for name in standing.unreadable]
    return lines


def alert_words(one: AlertState) -> str:
    return f"{one.name} {one.subject}: {one.summary}"


def headline(trend: Trend) -> str:
    """The answer in one sentence."""
    if not trend.jobs:
        return "No job is known yet"
    if trend.firing:
        first = trend.firing[0]
        more = f", and {len(trend.firing) - 1} more" if len(trend.firing) > 1 else ""
        return f"{first.subject}: {first.summary}{more}"
    lasting = [one for one in trend.changes if one.ended_s is None]
    if lasting:
        return f"{lasting[-1].cell} is {lasting[-1].direction} since {moment(lasting[-1].since_s)}"
    waiting = sum(one.state == "not_enough" for one in trend.alerts)
    return "Nothing fires" + (f"; {waiting} of {len(trend.alerts)} rules wait for more rounds" if waiting else "")


def trend_lines(trend: Trend) -> list[str]:
    """Everything but the table of cells, for a terminal."""
    rounds = ", ".join(f"{n} {status}" for status, n in trend.rounds.items()) or "none"
    lines = [headline(trend)]
    lines.append(f"rounds: {rounds}; {trend.missed} fell out; {fmt.money(trend.spent_usd)} spent"
                 + (" (play money)" if trend.watch.simulated else ""))  # fmt: skip
    for one in trend.changes:
        ended = "lasts" if one.ended_s is None else f"{one.over} at {moment(one.ended_s)}"
        levels = f"p50 {fmt.duration(one.before_ms)} before, {fmt.duration(one.after_ms)} after"
        lines.append(f"change: {one.cell} {one.direction} since {moment(one.since_s)}, {levels}; {ended}")
    for hour in trend.hours:
        ratio = hour.against_cell_p50_ratio
        if not hour.usual or ratio.low is None or ratio.low <= 1.1:
            continue
        place = f"{hour.route} {hour.place:02d}:00"
        lines.append(f"busy hour: {place}, {fmt.estimate(ratio, '×')} the usual time, n {ratio.n}")
    lines += [f"{WORDS[one.state]}: {alert_words(one)}" for one in trend.alerts if one.state in ("firing", "pending")]
    lines += [f"{one.name} {one.subject}: {one.summary}" for one in trend.alerts if one.state == "not_enough"]
    lines.append(trend.detection)
    lines += [f"not readable and left out: {name} ({why})" for name, why in trend.unreadable.items()]
    return [line.replace("\u00a0", " ").replace("\u202f", " ") for line in lines]


CELL_COLUMNS = ("cell", "jobs", "p50", "p95", "with an image", "USD per image", "429")


def cell_rows(trend: Trend) -> list[tuple[str, ...]]:
    """A row a cell under `CELL_COLUMNS`."""
    return [
        (
            one.cell,
            str(one.jobs),
            _figure(one.p50_ms),
            _figure(one.p95_ms),
            "—" if one.success.value is None else fmt.in_unit(one.success.value, "share"),
            fmt.estimate(one.usd_per_image, "usd"),
            str(one.rate_limited),
        )
        for one in trend.cells
    ]


def _figure(found: Estimate) -> str:
    limits = fmt.interval(found)
    return fmt.estimate(found) + (f" ({limits})" if limits else "") + (" thin" if found.thin and found.n else "")


def period_words(seconds: float) -> str:
    """900 → 15 min."""
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size and (seconds / size).is_integer():
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
