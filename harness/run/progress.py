"""Progress on stderr: a bar on a terminal, a plain line now and then otherwise."""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from harness.events import JobEvent

PLAIN_EVERY_S = 5.0
LONG_HOLD_S = 30.0  # of the measured world


class RunProgress:
    """Shows how far a run is, what it has spent and what went wrong. Use as a context manager."""

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self.total = total
        self.done = 0
        self.outcomes: Counter[str] = Counter()
        self.spent_usd = 0.0
        self._quiet = quiet
        self._console = Console(stderr=True)  # honours NO_COLOR
        self._bar: Progress | None = None
        self._last_line = time.monotonic()
        self._held_until_s = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
            self._task = self._bar.add_task("jobs", total=self.total, state="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif not self._quiet:
            self._line()

    def finished(self, event: JobEvent) -> None:
        """One more job is over."""
        self.done += 1
        self.outcomes[event.outcome] += 1
        self.spent_usd += event.cost_usd or 0.0
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, state=self._state())
        elif not self._quiet and time.monotonic() - self._last_line >= PLAIN_EVERY_S:
            self._line()

    def told_enough(self, cell: str) -> None:
        """A cell is settled."""
        if not self._quiet:
            self.say(f"{cell} has told enough: what is left of its jobs is not sent")

    def held(self, now_s: float, for_s: float) -> None:
        """A limit holds what is left. A long wait looks like a run that hangs, and is said once, with its length."""
        if self._quiet or for_s < LONG_HOLD_S or now_s + for_s <= self._held_until_s + 1:
            return
        self._held_until_s = now_s + for_s
        self.say(f"a limit holds what is left: nothing is sent for {for_s:.0f} s")

    def left_out(self) -> None:
        """One of the jobs will not be sent."""
        self.total -= 1
        if self._bar is not None:
            self._bar.update(self._task, total=self.total)

    def say(self, text: str) -> None:
        """A message that must not be lost in the bar."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def _state(self) -> str:
        parts = [f"{count} {name}" for name, count in self.outcomes.most_common(4)]
        return ", ".join([*parts, f"{self.spent_usd:.2f} USD"])

    def _line(self) -> None:
        self._last_line = time.monotonic()
        print(f"{self.done}/{self.total} jobs: {self._state()}", file=sys.stderr, flush=True)
