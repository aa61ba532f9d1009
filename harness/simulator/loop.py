"""An event loop that wakes when it is asked to: an event leaves at its moment and not at the next millisecond."""

from __future__ import annotations

import asyncio
import gc
import select
import selectors
import sys
from collections.abc import Callable, Coroutine
from typing import Any

_FD_SETSIZE = 1024  # what select(2) can hold

if sys.platform == "linux":

    class _Punctual(selectors.EpollSelector):
        """epoll counts in milliseconds and asyncio rounds up to them; select(2) on its descriptor counts in µs."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is not None and timeout > 0 and self.fileno() < _FD_SETSIZE:
                select.select([self.fileno()], [], [], timeout)
                timeout = 0
            return super().select(timeout)

    def _loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_Punctual())

    _FACTORY: Callable[[], asyncio.AbstractEventLoop] | None = _loop
else:
    _FACTORY = None


def run(work: Coroutine[Any, Any, None]) -> None:
    """`asyncio.run` on such a loop."""
    with asyncio.Runner(loop_factory=_FACTORY) as runner:
        runner.run(work)


def settle() -> None:
    """Nothing that is there now will ever go: collections need not look at it again, and none may take milliseconds.

    What a thousand streams hold lives as long as they do, so looking through all of it (40 ms) frees next to nothing:
    the oldest generation's turn comes once in 5 million allocations instead of after every few thousand.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 5, 1500)
