"""An event loop that knows when it last looked: what a late loop may have blurred becomes a number.

`run` is `asyncio.run` on such a loop. Receiving works on any loop; without the watch its intervals are wider.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import sys
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

# A thread that sleeps in epoll is awake within this time of the first byte, on a machine that is not overrun.
WAKE_NS = 1_000_000
BYTES_PER_TURN = 256 * 1024
SWITCH_S = 0.0005  # a worker thread may keep the interpreter this long while bytes wait
MANY_FILES = 16_384
SLEPT_NS = 50_000  # shorter than this, the selector did not sleep: something was ready already


class WatchedSelector(selectors.DefaultSelector):
    """Remembers its last returns. What it did not report as ready was not there when it returned.

    `allowance` is how many bytes of payload may still be read in this turn of the loop. What is left lying is ready
    again in the next one; meanwhile every connection that awaits a first byte has been looked at. A first byte that
    lies there for long may be joined with what comes behind it, and lose its stamp.
    """

    def __init__(self) -> None:
        super().__init__()
        now = time.monotonic_ns()
        self._returned_ns = now
        self._before_ns = now
        self._not_before_ns = now
        self.allowance = BYTES_PER_TURN

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        entered = time.monotonic_ns()
        events = super().select(timeout)
        now = time.monotonic_ns()
        slept = now - entered > SLEPT_NS
        self._before_ns = self._not_before_ns
        self._not_before_ns = max(entered, now - WAKE_NS) if slept else self._returned_ns
        self._returned_ns = now
        self.allowance = BYTES_PER_TURN
        return events

    @property
    def not_before_ns(self) -> int:
        """What is ready in this turn of the loop, and was not in the one before, became ready after this moment."""
        return self._not_before_ns

    @property
    def turn_before_ns(self) -> int:
        """The same for the turn before this one, for readers that are woken a turn later than the selector."""
        return self._before_ns


_watched: WeakKeyDictionary[asyncio.AbstractEventLoop, WatchedSelector] = WeakKeyDictionary()


def new_loop() -> asyncio.AbstractEventLoop:
    """A selector loop that is watched."""
    selector = WatchedSelector()
    loop = asyncio.SelectorEventLoop(selector)
    _watched[loop] = selector
    return loop


def watch_of(loop: asyncio.AbstractEventLoop) -> WatchedSelector | None:
    """The watch of a loop that `new_loop` made; None for any other."""
    return _watched.get(loop)


def _allow_many_files() -> None:
    """As many open files as this user may have: shells allow 1,024, and a connection is one."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # refused: it stays as it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, watched, on a thread that gets its turn soon while others decode."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    _allow_many_files()
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(main)
    finally:
        sys.setswitchinterval(before)
