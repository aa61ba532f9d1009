"""A response body that remembers when each byte arrived, and does not fill the memory while it waits to be read."""

from __future__ import annotations

import tempfile
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import IO, NamedTuple

from harness.wire.stamp import Stamp

MAX_BODY_BYTES = 256 * 1024 * 1024  # more than ten 4K images as base64; beyond it the answer is an outcome, not data
MAX_READS = 4_000_000  # a body that comes byte by byte costs more to stamp than to hold
HEAD_BYTES = 256
HELD_BYTES = 32 * 1024 * 1024  # what all bodies of this process may hold in memory; the rest waits in a nameless file


class BodyTooLarge(Exception):
    """The body, or what it inflates to, is larger than we are willing to hold."""


class Piece(NamedTuple):
    """What one read brought: `began` is the arrival of its first byte, `arrived` that of its last."""

    data: bytes
    began: Stamp
    arrived: Stamp


def _ends_in_string(event: bytes) -> bool:
    """The last line of an event's beginning stops inside of a string that holds no escape."""
    start = event.rfind(b"\n") + 1
    return event.count(b'"', start) % 2 == 1 and event.find(b"\\", start) < 0


class _Held:
    """How much all bodies together hold in memory."""

    def __init__(self) -> None:
        self.bytes = 0


_held = _Held()


class StampedBody:
    """Pieces of a body with the stamps of the reads that brought them.

    `expendable` marks events of which only the stamps are wanted, by a word in their first `HEAD_BYTES`: of their
    payload, what is nothing but text inside of one string is counted and stamped, and not kept.
    """

    def __init__(self, expendable: bytes | None = None) -> None:
        self._expendable = expendable
        self._head = b""
        self._dropping = False
        self._pieces: list[bytes | None] = []  # None: it lies in the spill file, at its own offset
        self._stamps = array("q")  # four a piece: began not before, not after; arrived not before, not after
        self._ends = array("q")  # running byte count, for the bisection
        self._spill: IO[bytes] | None = None
        self._held = 0
        self._blank = True
        self._tail = b""
        self.size = 0

    def add(self, data: bytes, began: Stamp, arrived: Stamp | None = None) -> None:
        """Append what one read brought.

        Raises:
            BodyTooLarge: a limit is passed; the piece is not kept.
        """
        if not data:
            return
        if self.size + len(data) > MAX_BODY_BYTES or len(self._pieces) >= MAX_READS:
            raise BodyTooLarge
        self._pieces.append(b"" if self._expendable and self._is_expendable(data) else self._keep(data))
        self.size += len(data)
        self._ends.append(self.size)
        self._stamps.extend((*began, *(arrived or began)))
        self._blank = self._blank and not data.strip(b" \t\r\n")
        self._tail = data[-4:] if len(data) >= 4 else (self._tail + data)[-4:]

    def _is_expendable(self, data: bytes) -> bool:
        if self.at_boundary:
            self._head, self._dropping = b"", False
        if self._dropping:
            # A quote, an escape or a line's end: the payload is over, and what follows is wanted again.
            self._dropping = not any(data.find(mark) >= 0 for mark in (b'"', b"\\", b"\n", b"\r"))
            return self._dropping
        if len(self._head) < HEAD_BYTES:
            before, self._head = self._head, self._head + data[: HEAD_BYTES - len(self._head)]
            told = len(self._head) == HEAD_BYTES and self._head.startswith((b"event:", b"data:"))
            self._dropping = told and (self._expendable or b"") in self._head and _ends_in_string(before + data)
        return False

    def _keep(self, data: bytes) -> bytes | None:
        if _held.bytes + len(data) <= HELD_BYTES:
            _held.bytes += len(data)
            self._held += len(data)
            return data
        try:
            if self._spill is None:
                # Nameless on disk from the start: nobody else can open it, and it is gone with this process.
                self._spill = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by release()
            self._spill.seek(self.size)
            if self._spill.write(data) == len(data):
                return None
        except OSError as error:  # a full disk is ours, and must not look like a connection that broke
            raise BodyTooLarge("no room to hold it") from error
        raise BodyTooLarge("no room to hold it")

    def release(self) -> None:
        """Give the bytes back; sizes and stamps stay."""
        _held.bytes -= self._held
        self._held = 0
        self._pieces = []
        if self._spill is not None:
            self._spill.close()
            self._spill = None

    def __del__(self) -> None:
        self.release()

    def __iter__(self) -> Iterator[Piece]:
        start = 0
        for index, (held, end) in enumerate(zip(self._pieces, self._ends, strict=False)):
            yield Piece(self._read(start, end) if held is None else held, *self._stamps_of(index))
            start = end

    def _read(self, start: int, end: int) -> bytes:
        assert self._spill is not None
        self._spill.seek(start)
        return self._spill.read(end - start)

    def _stamps_of(self, index: int) -> tuple[Stamp, Stamp]:
        four = self._stamps[4 * index : 4 * index + 4]
        return Stamp(four[0], four[1]), Stamp(four[2], four[3])

    def __bool__(self) -> bool:
        return self.size > 0

    @property
    def at_boundary(self) -> bool:
        """Nothing but blanks so far, or a blank line at the end: the next byte may begin an event or the payload."""
        return self._blank or self._tail.endswith((b"\n\n", b"\r\r", b"\n\r\n"))

    @property
    def first_ns(self) -> int | None:
        """When the first byte arrived."""
        return self._stamps[1] if self._ends else None

    @property
    def last_ns(self) -> int | None:
        """When the last byte arrived."""
        return self._stamps[-1] if self._ends else None

    def arrived(self, offset: int) -> Stamp:
        """When the byte at `offset` (0 ≤ offset < size) arrived."""
        index = bisect_right(self._ends, offset)
        began, arrived = self._stamps_of(index)
        first = offset == (self._ends[index - 1] if index else 0)
        return began if first else arrived

    def whole(self) -> bytes:
        """All bytes in one piece."""
        if len(self._pieces) == 1 and self._pieces[0] is not None:
            return self._pieces[0]
        return b"".join(piece.data for piece in self)

    def head(self, count: int) -> bytes:
        """The first bytes, at most `count`."""
        start = b""
        for data, _, _ in self:
            start += data[: count - len(start)]
            if len(start) >= count:
                break
        return start

    def decoded(self, content_encoding: str) -> StampedBody:
        """Undo gzip or deflate piece by piece; every inflated byte has the stamps of the piece that completed it.

        Unknown encodings and broken streams give back what could be inflated: bad data is an outcome.

        Raises:
            BodyTooLarge: a compression bomb.
        """
        encoding = content_encoding.strip().lower()
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            return self
        inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        result = StampedBody()
        for data, began, arrived in self:
            while data:
                try:
                    piece = inflate.decompress(data, _INFLATE_STEP_BYTES)
                except zlib.error:
                    return result
                result.add(piece, began, arrived)
                data = inflate.unconsumed_tail
        return result


_INFLATE_STEP_BYTES = 1024 * 1024
