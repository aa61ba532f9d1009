"""Verdicts of the harness over recordings, and whether each is right, wrong or no answer."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.conditions import BACKEND_FILE, Host, LayerCap, RouteConditions, RunConditions, write_conditions
from harness.diagnosis.judge import diagnose_run
from harness.diagnosis.model import JobVerdict
from tests.layers.expect import answer
from tests.layers.observation import Observation, Recording

Mark = Literal["right", "list", "none", "wrong"]

LIBRARY_OF = {"openai_python": "httpx"}
NOBODY = "a layer not named by the evidence"


@dataclass(frozen=True)
class Scored:
    """One observation and what was said of it."""

    recording: Recording
    observation: Observation
    verdict: JobVerdict
    mark: Mark

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.recording.layer}/{self.observation.situation}"


def judged(recordings: Sequence[Recording], *, declared: bool, with_log: bool) -> list[Scored]:
    """What `harness diagnose` says, with or without the declared chain and the backend's log."""
    pairs = [(one, seen) for one in recordings for seen in one.observations]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        events = b"".join(msgspec.json.encode(_as_line(one, seen)) + b"\n" for one, seen in pairs)
        (folder / "events.jsonl").write_bytes(events)
        write_conditions(folder, _conditions(recordings, declared=declared))
        if with_log:
            rows = [row for _, seen in pairs for row in seen.backend]
            (folder / BACKEND_FILE).write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        _, verdicts = diagnose_run(folder)
    return [
        Scored(one, seen, verdict, mark(one, seen, verdict))
        for (one, seen), verdict in zip(pairs, verdicts, strict=True)
    ]


def mark(recording: Recording, observation: Observation, verdict: JobVerdict) -> Mark:
    """Right: the layer and its setting, or no layer where none gave up. Wrong: anybody named who did not give up."""
    right = answer(recording.layer, observation.situation)
    named = verdict.verdict == "false_timeout" and verdict.layer != NOBODY
    if right.came:
        return "right" if verdict.verdict != "false_timeout" else "wrong"
    if right.setting is None:
        return "wrong" if named else "right"
    if named:
        # The SDK's timeout is its HTTP library's: without a chain the library's own word is as good as the SDK's.
        same = verdict.product in (right.product, LIBRARY_OF.get(right.product))
        return "right" if same and _same_setting(right.setting, verdict.setting) else "wrong"
    told = " ".join([*(row.fact for row in verdict.evidence), *verdict.excluded, verdict.settle or ""]).lower()
    listed = any(name in told for name in (right.product, recording.layer))
    return "list" if verdict.verdict == "undetermined" and listed else "none"


def _same_setting(right: str, said: str | None) -> bool:
    return said is not None and right.lower() in said.lower()


def _as_line(recording: Recording, observation: Observation) -> dict[str, Any]:
    return {**observation.event, "route": f"{recording.layer}-{observation.situation}", "run_id": "layers"}


def _conditions(recordings: Sequence[Recording], *, declared: bool) -> RunConditions:
    routes = tuple(
        RouteConditions(
            name=f"{one.layer}-{seen.situation}",
            kind=seen.event["route_kind"],
            owner=seen.event["route_owner"],
            chain=tuple(msgspec.convert(cap, LayerCap) for cap in one.chain) if declared else (),
        )
        for one in recordings
        for seen in one.observations
    )
    return RunConditions(
        run_id="layers",
        scenario="layers",
        why="",
        scenario_sha256="",
        seed=0,
        started_at="2026-11-21T00:00:00+00:00",
        timezone="UTC",
        planned_jobs=len(routes),
        blocks=1,
        routes=routes,
        host=Host(python="", platform="", cpus=0, openai_sdk="", harness=""),
    )
