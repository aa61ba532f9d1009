"""``shrink.json``: what was tried, how it ended, and the smallest shape that still shows the verdict.

A send is written down before it goes out, so that a process that dies has not lost what it may have been billed for.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import HarnessError, UsageProblem

SHRINK_FILE = "shrink.json"
EVENTS_FILE = "shrink-events.jsonl"  # the event of every send, as a run's journal holds them
BACKEND_FILE = "shrink-backend.jsonl"  # what the embedded API says of them

Param = Literal[
    "references", "stream", "format", "background", "moderation", "size", "quality", "n", "prompt"
]  # fmt: skip
PromptSource = Literal[
    "own",  # the job's own prompt, out of the scenario; its text is written nowhere
    "high", "medium", "low", "other",  # a synthetic one of that complexity
]  # fmt: skip
Kind = Literal["timeout", "refusal", "slow", "other"]
Purpose = Literal["control", "shrink", "confirm"]
Status = Literal[
    "running",  # or killed: run it again to go on
    "smallest",  # found, and confirmed with fresh sends
    "not_reproduced",  # not even the job's own shape shows the verdict any more
    "out_of_budget",
    "stopped",  # by the user
    "disturbed",  # too many sends in a row ended for reasons of their own
]


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for. None means that the field is left out of the request."""

    quality: str | None = None
    size: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    n: int = 1
    stream: bool = False
    partial_images: int | None = None
    background: str | None = None
    moderation: str | None = None
    reference_images: int = 0
    mask: bool = False
    edit_form: str | None = None
    prompt: PromptSource = "own"
    prompt_length: str = "0"  # length class of a packet: 0, 1-50, 51-200, …


class Sighting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one send ended, as far as it bears on the verdict. Durations in ms of the measured world.

    `total_ms` is that of the last attempt: a job that was retried waited for all of them, and a send is one.
    """

    verdict: str
    outcome: str
    layer: str | None = None
    product: str | None = None
    cap_s: float | None = None
    http_status: int | None = None
    error_code: str | None = None
    error_param: str | None = None
    clock: str | None = None  # which clock holds most of the time
    total_ms: float | None = None


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One send. `seen` is null while it is under way, and stays so when nobody saw its end."""

    number: int  # from 1
    shape: Shape
    purpose: Purpose
    sent_at: str
    estimate_usd: float | None
    seen: Sighting | None = None
    shows: bool | None = None  # null: it ended for a reason of its own, and says nothing
    cost_usd: float | None = None

    @property
    def counted_usd(self) -> float:
        """What it counts in the budget: its cost; where that is not known, its estimate."""
        return (self.estimate_usd or 0.0) if self.cost_usd is None else self.cost_usd


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The budget. None is no limit of that kind; without any nothing is sent."""

    usd: float | None = None
    tries: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a shape shows the verdict: most of `repeats` sends do, and of a slow one each within `factor`."""

    repeats: int = 3
    factor: float = 2.0


class ShrinkRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``shrink.json``."""

    schema_version: int = 1
    run_id: str
    job_id: str
    route: str  # of the scenario, where the sends went
    scenario_sha256: str
    model: str
    kind: Kind
    target: Sighting  # what a send has to show
    original: Shape
    rule: Rule
    limits: Limits
    status: Status = "running"
    trials: tuple[Trial, ...] = ()
    smallest: Shape | None = None  # so far; null until the original was seen to show it
    confirmed: bool = False
    needed: tuple[Param, ...] = ()  # of the smallest: what could not be made simpler all the way
    dropped: tuple[Param, ...] = ()
    smallest_shown: int = 0
    smallest_sends: int = 0  # of those that said something
    shapes_tried: int = 0
    sends: int = 0
    spent_usd: float = 0.0


def write_record(run_dir: Path, record: ShrinkRecord) -> None:
    """Write ``shrink.json`` whole or not at all, and have it on disk before returning.

    Raises:
        HarnessError: the disk would not take it; the file is as it was before.
    """
    target = run_dir / SHRINK_FILE
    fresh = target.with_suffix(".json.tmp")
    try:
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise HarnessError(f"{target}: could not be written ({error.strerror}); nothing more was sent") from None


def read_record(run_dir: Path) -> ShrinkRecord | None:
    """Read ``shrink.json``; None where there is none.

    Raises:
        UsageProblem: it is not one of ours.
    """
    path = run_dir / SHRINK_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=ShrinkRecord)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{path}: not what `harness shrink` writes ({error}); move it away to begin anew") from None
