"""One round after the other: each an ordinary run, never two at once, a failed one recorded and the watch going on.

`rounds` is a generator: whoever takes a round from it records and tells it, and the next one is not thought of before
that is done. So rounds cannot overlap, and nothing more is sent when a round cannot be recorded.
"""

from __future__ import annotations

import gc
import secrets
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from harness.conditions import CONDITIONS_FILE, read_conditions
from harness.errors import HarnessError
from harness.watching.money import Bounds, Purse, next_day_s, spent_in
from harness.watching.schedule import Due, first, following

RUNS_DIR = "runs"
_LOOK_S = 30.0  # at most this long without a look at the clock: machines sleep, and clocks are set

Status = Literal["complete", "partial", "interrupted", "failed"]


@dataclass(frozen=True)
class Round:
    """A round that is over. Moments in seconds since 1970; `run_dir` is there even when nothing was written into it."""

    round_id: str
    run_dir: Path
    due_s: float | None
    began_s: float
    ended_s: float
    status: Status
    why: str | None
    missed: int
    spent_usd: float


@dataclass(frozen=True)
class Ran:
    """What a run says of itself: whether it came to its end, and what stopped it (`user` ends the watch)."""

    stopped_by: str | None = None
    message: str | None = None


class Clock(Protocol):
    """Time as a watch needs it."""

    def now_s(self) -> float: ...

    def wait(self, seconds: float) -> bool:
        """Sleep at most so long; False once the user has asked for the end."""
        ...

    def listen(self) -> None:
        """Make sure that the user is heard."""
        ...


class WallClock:
    """The machine's own. SIGINT and SIGTERM ask for the end; a run that is under way hears them itself."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def now_s(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> bool:
        return not self._asked.wait(max(0.0, seconds))

    def listen(self) -> None:
        # A run takes the signals over and leaves the defaults behind.
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: self._asked.set())


@dataclass(frozen=True)
class Ended:
    """Why there are no more rounds."""

    by: Literal["rounds", "user", "cap"]
    message: str = ""


def rounds(
    do_round: Callable[[Path], Ran],
    history: Path,
    every_s: float,
    bounds: Bounds,
    purse: Purse,
    round_usd: float | None,
    each_usd: Mapping[str, float | None],
    last_began_s: float | None,
    clock: Clock,
    say: Callable[[str], None],
    *,
    at_once: bool = False,
) -> Iterator[Round | Ended]:
    """Rounds as they end, and last of all why there are no more.

    `every_s` is of this machine. `round_usd` is what a round may cost at worst, `each_usd` what each job
    costs by estimate. `at_once`: the first round is not
    waited for, whenever the last one began (cron decides).
    """
    clock.listen()
    due = Due(clock.now_s()) if at_once else first(last_began_s, every_s, clock.now_s())
    done = 0
    while bounds.rounds is None or done < bounds.rounds:
        told = ""
        while True:
            if not _wait_until(due.at_s, every_s, clock, at_once=at_once):
                yield Ended("user")
                return
            refusal = purse.refuses(bounds, round_usd, clock.now_s())
            if refusal is None:
                break
            why, for_good = refusal
            if for_good or at_once:
                yield Ended("cap", why)
                return
            if why != told:
                say(f"{why}; waiting for the next day of UTC")
                told = why
            now_s = clock.now_s()
            skipped = following(due.at_s, every_s, next_day_s(now_s))
            due = Due(skipped.at_s, due.missed + skipped.missed + 1)
        ended, heard = _one(do_round, history, due, purse, each_usd, clock)
        clock.listen()
        yield ended
        done += 1
        if heard or not clock.wait(0):
            yield Ended("user")
            return
        due = following(due.at_s, every_s, clock.now_s())
    yield Ended("rounds")


def _wait_until(at_s: float, every_s: float, clock: Clock, *, at_once: bool) -> bool:
    while (left := at_s - clock.now_s()) > 0:
        if at_once or left > 2 * every_s + 86_400:  # the clock was set back by days: begin a new grid here
            return clock.wait(0)
        if not clock.wait(min(left, _LOOK_S)):
            return False
    return clock.wait(0)


def _one(
    do_round: Callable[[Path], Ran],
    history: Path,
    due: Due,
    purse: Purse,
    each_usd: Mapping[str, float | None],
    clock: Clock,
) -> tuple[Round, bool]:
    began_s = clock.now_s()
    round_id = f"{datetime.fromtimestamp(began_s, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    run_dir = history / RUNS_DIR / round_id
    status: Status = "complete"
    why: str | None = None
    heard = False
    try:
        ran = do_round(run_dir)
        if ran.stopped_by is not None:
            status, why = "partial", ran.message or f"stopped by {ran.stopped_by}"
            heard = ran.stopped_by == "user"
    except HarnessError as error:
        status, why = "failed", str(error)
    except Exception as error:  # noqa: BLE001  a watch outlives whatever one round runs into; it is recorded and alerted
        # Where it happened and not what it says: that may hold an address or worse.
        status, why = "failed", f"{type(error).__name__}{_place(error)}"
    finally:
        # A run freezes what lives, so that no collection disturbs its clocks; over thousands of runs that is a leak.
        gc.unfreeze()
        gc.collect()
    spent = spent_in(run_dir, each_usd)
    purse.pay(began_s, spent)
    return Round(round_id, run_dir, due.at_s, began_s, clock.now_s(), status, why, due.missed, spent), heard


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def strays(history: Path, known: Sequence[str], each_usd: Mapping[str, float | None]) -> Iterator[Round]:
    """Rounds whose process died before they were recorded, as far as their journals go. They are not gone on with: what
    would be sent now belongs to another hour."""
    folder = history / RUNS_DIR
    for run_dir in sorted(folder.iterdir()) if folder.is_dir() else ():
        if run_dir.name in known or not run_dir.is_dir():
            continue
        ended_s = max((file.stat().st_mtime for file in run_dir.iterdir()), default=run_dir.stat().st_mtime)
        began_s = run_dir.stat().st_ctime if not (run_dir / CONDITIONS_FILE).exists() else _began(run_dir)
        why = "the process that ran it died"
        usd = spent_in(run_dir, each_usd)
        yield Round(run_dir.name, run_dir, None, began_s, max(began_s, ended_s), "interrupted", why, 0, usd)


def _began(run_dir: Path) -> float:
    try:
        return datetime.fromisoformat(read_conditions(run_dir).started_at).timestamp()
    except (HarnessError, ValueError):
        return run_dir.stat().st_ctime
