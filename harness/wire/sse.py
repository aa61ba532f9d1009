"""Server-sent events from arriving bytes: pure, any cut, and every frame knows when it arrived.

Follows the WHATWG event-stream grammar, with two differences that a measuring tool needs: comments are counted (they
keep a connection alive without being an event), and a last frame without its blank line is given back, marked,
instead of being dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.wire.stamp import Stamp

MAX_FRAME_BYTES = 128 * 1024 * 1024


_NEVER = Stamp(0, 0)


class FrameTooLarge(Exception):
    """One frame is larger than any image could make it."""


@dataclass(frozen=True)
class Frame:
    """One event as it stood on the wire.

    `first` is the arrival of its first byte, `whole` that of the end of the blank line behind it.
    """

    event: str | None
    data: bytes
    first: Stamp
    whole: Stamp
    terminated: bool = True


class SseDecoder:
    """Feed pieces, get frames. The result does not depend on where the pieces were cut, but for the stamps."""

    def __init__(self) -> None:
        self.comments = 0
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._line_first = _NEVER
        self._skip_newline = False
        self._at_start = True
        self._data: list[bytes] = []
        self._event: str | None = None
        self._frame_first: Stamp | None = None
        self._frame_bytes = 0
        self._last = _NEVER

    def feed(self, chunk: bytes, began: Stamp, arrived: Stamp | None = None) -> Iterator[Frame]:
        """Yield the frames that `chunk` completes. Its first byte came at `began`, its last at `arrived`.

        Raises:
            FrameTooLarge: a frame passes the limit.
        """
        arrived = arrived or began
        self._last = arrived
        # Anything in the middle came no earlier than the first byte and no later than the last.
        within = Stamp(began.not_before_ns, arrived.not_after_ns)
        start = 0
        if self._skip_newline and chunk:
            self._skip_newline = False
            start = 1 if chunk[0] == 0x0A else 0
        newline, carriage = chunk.find(b"\n", start), chunk.find(b"\r", start)
        while newline >= 0 or carriage >= 0:
            if carriage < 0 or 0 <= newline < carriage:
                end, following = newline, newline + 1
            else:
                end = carriage
                following = carriage + 2 if newline == carriage + 1 else carriage + 1
                self._skip_newline = following == len(chunk) and newline < 0
            self._extend(chunk[start:end], within if start else began)
            frame = self._end_line(arrived)
            if frame is not None:
                yield frame
            start = following
            if 0 <= newline < start:
                newline = chunk.find(b"\n", start)
            if 0 <= carriage < start:
                carriage = chunk.find(b"\r", start)
        if start < len(chunk):
            self._extend(chunk[start:], within if start else began)

    def close(self) -> Iterator[Frame]:
        """The stream ended: yield what stands without its blank line, marked `terminated=False`."""
        if self._line:
            frame = self._end_line(self._last)
            if frame is not None:  # pragma: no cover - an unfinished line is never blank
                yield frame
        if self._data or self._event is not None:
            yield self._take(self._last, terminated=False)

    def _extend(self, piece: bytes, first: Stamp) -> None:
        if not piece:
            return
        if not self._line:
            self._line_first = first
        self._line.append(piece)
        self._line_bytes += len(piece)
        if self._line_bytes + self._frame_bytes > MAX_FRAME_BYTES:
            raise FrameTooLarge

    def _end_line(self, arrived: Stamp) -> Frame | None:
        line = self._line[0] if len(self._line) == 1 else b"".join(self._line)
        first = self._line_first
        self._line, self._line_bytes = [], 0
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            if self._data or self._event is not None:
                return self._take(arrived, terminated=True)
            self._frame_first = None
            return None
        if line[:1] == b":":
            self.comments += 1
            return None
        name, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if self._frame_first is None:
            self._frame_first = first
        if name == b"data":
            self._data.append(value)
            self._frame_bytes += len(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _take(self, arrived: Stamp, *, terminated: bool) -> Frame:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        frame = Frame(self._event, data, self._frame_first or arrived, arrived, terminated)
        self._data, self._event, self._frame_first, self._frame_bytes = [], None, None, 0
        return frame
