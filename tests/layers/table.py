"""The table for the docs: situation × layer → what was seen, what the harness says of it, and what really happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.layers.observation import Observation, Recording
from tests.layers.score import NOBODY, Scored, judged
from tests.layers.situations import SITUATIONS

HEAD = """# Real layers, measured

Written by `python -m tests.layers --table` from the recordings in `tests/layers/recorded`
(`python -m tests.layers --record` makes them anew, `pytest -m layers` checks this machine's own layers against the same
answers). Every layer stands in front of the embedded API with a cap of 2 s (LiteLLM as it comes: 1 s), declared in the
route's chain. A verdict is that of `harness diagnose`, first without and then with the backend's log.
"""

OTHER = "no layer"


def table(recordings: Sequence[Recording]) -> str:
    """Markdown."""
    alone = judged(recordings, declared=True, with_log=False)
    proven = judged(recordings, declared=True, with_log=True)
    bare = judged(recordings, declared=False, with_log=False)
    parts = [HEAD, _situations(), _figures(alone, proven, bare)]
    for recording in recordings:
        rows = [
            (one, other) for one, other in zip(alone, proven, strict=True) if one.recording.layer == recording.layer
        ]
        parts.append(_section(recording, rows))
    return "\n".join(parts)


def _situations() -> str:
    return "\n".join(["## Situations", "", *(f"* **{one.name}** – {one.says}" for one in SITUATIONS.values()), ""])


def _figures(alone: Sequence[Scored], proven: Sequence[Scored], bare: Sequence[Scored]) -> str:
    rows = ["## How it came out", "", "| evidence | right | list | no answer | wrong |", "|---|---|---|---|---|"]
    for what, scored in (
        ("chain declared, no log", alone),
        ("chain declared, backend's log", proven),
        ("nothing declared, no log", bare),
    ):
        count = {name: sum(one.mark == name for one in scored) for name in ("right", "list", "none", "wrong")}
        rows.append(f"| {what} | {count['right']} | {count['list']} | {count['none']} | {count['wrong']} |")
    return "\n".join([*rows, ""])


def _section(recording: Recording, rows: Iterable[tuple[Scored, Scored]]) -> str:
    caps = ", ".join(dict.fromkeys(f"`{cap['setting']}` {cap['cap_s']:g} s" for cap in recording.chain))
    lines = [f"## {recording.layer} {recording.version}", "", f"{recording.side}; {caps or 'no cap'}", ""]
    lines += ["| situation | seen | verdict | with the backend's log | image made |", "|---|---|---|---|---|"]
    for alone, proven in rows:
        seen = alone.observation
        lines.append(f"| {seen.situation} | {_seen(seen)} | {_said(alone)} | {_said(proven)} | {_made(seen)} |")
    return "\n".join([*lines, ""])


def _seen(observation: Observation) -> str:
    event = observation.event
    status = event.get("http_status")
    what = "no reply" if status is None else str(status)
    ended = "" if event["ended"] == "complete" else f", {event['ended'].replace('_', ' ')}"
    return f"{what}{ended}, {event['total_ms'] / 1000:.1f} s"


def _said(scored: Scored) -> str:
    verdict = scored.verdict
    if verdict.verdict != "false_timeout":
        return verdict.verdict + (f" (names {scored.recording.product})" if scored.mark == "list" else "")
    who = OTHER if verdict.layer == NOBODY else f"{verdict.product} {verdict.setting}"
    return f"{verdict.grade}: {who}" + (" ✗" if scored.mark == "wrong" else "")


def _made(observation: Observation) -> str:
    truth = observation.truth
    if truth.finished is None:
        return "never reached"
    made = "yes" if truth.finished else "no"
    return made if truth.calls == 1 else f"{made}, {truth.calls} calls"
