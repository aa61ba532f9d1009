"""A response body that remembers when each byte arrived."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator

MAX_BODY_BYTES = 256 * 1024 * 1024  # more than ten 4K images as base64; beyond it the answer is an outcome, not data


class BodyTooLarge(Exception):
    """The body, or what it inflates to, is larger than we are willing to hold."""


class StampedBody:
    """Chunks of a body with the stamp of the read that brought them."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._stamps: list[int] = []
        self._ends: list[int] = []  # running byte count, for the bisection
        self.size = 0

    def add(self, data: bytes, at_ns: int) -> None:
        """Append a chunk.

        Raises:
            BodyTooLarge: the limit is passed; the chunk is not kept.
        """
        if not data:
            return
        if self.size + len(data) > MAX_BODY_BYTES:
            raise BodyTooLarge
        self.size += len(data)
        self._chunks.append(data)
        self._stamps.append(at_ns)
        self._ends.append(self.size)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        return zip(self._chunks, self._stamps, strict=True)

    def __bool__(self) -> bool:
        return self.size > 0

    @property
    def first_ns(self) -> int | None:
        """When the first byte arrived."""
        return self._stamps[0] if self._stamps else None

    @property
    def last_ns(self) -> int | None:
        """When the last byte arrived."""
        return self._stamps[-1] if self._stamps else None

    def arrived_ns(self, offset: int) -> int:
        """When the byte at `offset` (0 ≤ offset < size) arrived."""
        return self._stamps[bisect_right(self._ends, offset)]

    def whole(self) -> bytes:
        """All bytes in one piece."""
        return b"".join(self._chunks)

    def decoded(self, content_encoding: str) -> StampedBody:
        """Undo gzip or deflate chunk by chunk; every inflated byte has the stamp of the chunk that completed it.

        Unknown encodings and broken streams give back what could be inflated: bad data is an outcome.

        Raises:
            BodyTooLarge: a compression bomb.
        """
        encoding = content_encoding.strip().lower()
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            return self
        inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        result = StampedBody()
        for data, at_ns in self:
            try:
                piece = inflate.decompress(data, MAX_BODY_BYTES + 1 - result.size)
            except zlib.error:
                break
            result.add(piece, at_ns)
            if inflate.unconsumed_tail:
                raise BodyTooLarge
        return result
