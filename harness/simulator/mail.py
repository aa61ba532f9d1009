"""From the work behind an entry to whoever hands the answer on: words in order, each with its moment."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from harness.simulator.script import Piece, Script


@dataclass(frozen=True, slots=True)
class Word:
    """Something that the backend said; no item means the end."""

    said_ns: int
    at_s: float  # planned, in world seconds after the request was received
    item: Script | Piece | None


class Mail:
    """Words, the news that the caller has left, and one reader that waits for either.

    One future at a time and no task: at a thousand streams the waiting itself must cost nothing.
    """

    def __init__(self) -> None:
        self._left = False
        self._words: deque[Word] = deque()
        self._reader: asyncio.Future[None] | None = None

    def put(self, word: Word) -> None:
        """Say something."""
        self._words.append(word)
        self._wake()

    def leave(self) -> None:
        """The caller is gone: the reader need not wait any more."""
        self._left = True
        self._wake()

    def caller_left(self) -> bool:
        """Whether there is nobody to answer any more."""
        return self._left

    async def next(self, timeout_s: float | None) -> Word | None:
        """The next word; nothing when the caller left, or after `timeout_s` real seconds without a word."""
        if not self._words and not self._left and (timeout_s is None or timeout_s > 0):
            loop = asyncio.get_running_loop()
            self._reader = loop.create_future()
            timer = None if timeout_s is None else loop.call_later(timeout_s, self._wake)
            try:
                await self._reader
            finally:
                self._reader = None
                if timer is not None:
                    timer.cancel()
        return self._words.popleft() if self._words else None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
