"""The records of a history. Clocks in ms of the measured world, moments in seconds since 1970, money in USD."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from harness.conditions import Objective
from harness.errors import HarnessError, UsageProblem
from harness.estimate import Estimate

WATCH_FILE = "watch.json"
ALERTS_FILE = "alerts.json"

# What a history keeps of each job's clocks, and objectives can speak of.
CLOCKS = (
    "final_image_ms", "delivered_ms", "total_ms", "service_ms", "first_byte_ms", "first_partial_image_ms",
)  # fmt: skip
# By which objectives can choose jobs: the fields in which cells differ, and those two.
CHOSEN_BY = (
    "route", "quality", "size", "output_format", "output_compression", "n", "stream", "partial_images", "background",
    "moderation", "reference_images", "mask", "edit_form", "prompt_complexity", "cell",
)  # fmt: skip

RoundStatus = Literal[
    "complete",  # every job of the round was sent and seen to its end
    "partial",  # the round's own budget or the user stopped it
    "interrupted",  # the process died; what its journal holds was taken in by the next one
    "failed",  # our own failure: no embedded API, a full disk, an error of ours
]
State = Literal["not_enough", "inactive", "pending", "firing"]
Judged = Literal["breach", "ok", "unclear", "not_enough"]


class RoundRow(msgspec.Struct, frozen=True, kw_only=True):
    """One round. `due_s` is when the schedule wanted it; `missed` how many rounds fell out before it."""

    round_id: str
    began_s: float
    ended_s: float
    due_s: float | None
    status: RoundStatus
    why: str | None = None
    missed: int = 0
    planned_jobs: int = 0
    jobs: int = 0
    spent_usd: float = 0.0  # what may have been billed: unknown answers and unknown prices at their estimate
    time_scale: float = 1.0
    simulated: bool = False
    run: str | None = None  # the folder of the run, below the history


class WatchConditions(msgspec.Struct, frozen=True, kw_only=True):
    """``watch.json``: what is watched and by which rules, so that reading needs no scenario file."""

    schema_version: int = 1
    scenario: str
    scenario_sha256: str
    why: str = ""
    began_at: str
    every_s: float  # of the measured world
    time_scale: float = 1.0
    simulated: bool = False
    false_alarm_days: float = 30.0
    links_live_s: float = 86_400.0
    objectives: tuple[Objective, ...] = ()
    cells: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()  # sha256 of every version of the scenario that this history holds, oldest first


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """Where one alert stands. `bad` and `good` count judgements in a row; `since` is when the state began."""

    name: str
    subject: str  # what it speaks of: an objective, a route, a cell
    labels: dict[str, str] = {}
    state: State = "not_enough"
    since: str | None = None
    started_at: str | None = None  # when it began to fire
    resolved_at: str | None = None  # when it last stopped to
    summary: str = ""
    value: Estimate | None = None
    bad: int = 0
    good: int = 0

    @property
    def key(self) -> str:
        return f"{self.name} {self.subject}"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says now."""

    name: str
    subject: str
    labels: dict[str, str] = {}
    judged: Judged
    summary: str
    value: Estimate | None = None


class CellFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A cell over the window that alerts look at."""

    cell: str
    route: str
    quality: str
    jobs: int
    p50_ms: Estimate
    p95_ms: Estimate
    success: Estimate  # share, 0 to 1
    usd_per_image: Estimate


class FreshJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job of the newest round, as far as monitors count it. `final_image_ms` is null unless an image came."""

    cell: str
    route: str
    quality: str
    outcome: str
    rate_limited: bool
    cost_usd: float | None
    images: int
    final_image_ms: float | None
    cut: bool  # its clock is only known to be larger


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is told to others after a round."""

    at: str
    scenario: str
    every_s: float
    round: RoundRow
    cells: tuple[CellFigures, ...]
    alerts: tuple[AlertState, ...]
    fresh: tuple[FreshJob, ...]
    resolved: tuple[AlertState, ...] = ()  # with this round
    spent_today_usd: float = 0.0
    spent_total_usd: float = 0.0
    unreadable: tuple[str, ...] = ()

    @property
    def firing(self) -> tuple[AlertState, ...]:
        return tuple(one for one in self.alerts if one.state == "firing")


def write_json(path: Path, value: object) -> None:
    """Whole or not at all.

    Raises:
        HarnessError: the disk does not take it.
    """
    fresh = path.with_name(f".{path.name}.tmp")
    try:
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
        fresh.replace(path)
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); make room or a right to write there, and start again: the "
            "history is kept"
        ) from None


def read_watch(history: Path) -> WatchConditions:
    """Read ``watch.json``.

    Raises:
        UsageProblem: there is none, or it is not one of ours.
    """
    path = history / WATCH_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=WatchConditions)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageProblem(
            f"{history}: no {WATCH_FILE} here; give a directory that `harness watch` writes (reports/watch-…)"
        ) from None
    except (msgspec.MsgspecError, OSError) as error:
        raise UsageProblem(f"{path}: not the conditions of a watch ({error})") from None
