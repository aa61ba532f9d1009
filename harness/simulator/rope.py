"""Bytes in parts: an answer shares its pictures with every other answer, and only a slice is ever copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Part = bytes | memoryview


class Rope:
    """Immutable bytes made of parts. Joined only where somebody asks for `bytes`."""

    __slots__ = ("_parts", "_size")

    def __init__(self, *parts: Part) -> None:
        self._parts = tuple(part for part in parts if len(part))
        self._size = sum(map(len, self._parts))

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self._parts)

    def mapped(self, change: Callable[[bytes], bytes]) -> Rope:
        """Each part changed by itself. A picture that `change` leaves alone stays the one that others share."""
        return Rope(*(change(bytes(part)) for part in self._parts))

    def between(self, start: int, end: int) -> Rope:
        """The bytes from `start` up to `end`, without a copy of them."""
        return Rope(*self._views(start, end))

    def chunks(self, step: int) -> Iterator[Part]:
        """All of it, in order, at most `step` bytes at a time; copied only where a chunk lies in several parts."""
        for start in range(0, self._size, step):
            views = list(self._views(start, start + step))
            yield views[0] if len(views) == 1 else b"".join(views)

    def _views(self, start: int, end: int) -> Iterator[Part]:
        at = 0
        for part in self._parts:
            first, last = max(start - at, 0), min(end - at, len(part))
            if first < last:
                yield part if last - first == len(part) else memoryview(part)[first:last]
            at += len(part)
