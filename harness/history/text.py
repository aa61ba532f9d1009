"""Rounds and alerts as lines for a person."""

from __future__ import annotations

from datetime import datetime

from harness.history.model import AlertState, Standing
from harness.report import format as fmt

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
