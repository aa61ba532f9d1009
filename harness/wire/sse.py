"""Server-sent events from arriving bytes: pure, any cut, and every frame knows when it arrived.

Follows the WHATWG event-stream grammar, with two differences that a measuring tool needs: comments are counted (they
keep a connection alive without being an event), and a last frame without its blank line is given back, marked,
instead of being dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_FRAME_BYTES = 128 * 1024 * 1024


class FrameTooLarge(Exception):
    """One frame is larger than any image could make it."""


@dataclass(frozen=True)
class Frame:
    """One event as it stood on the wire.

    `first_ns` is the arrival of its first byte, `whole_ns` that of the end of the blank line behind it.
    """

    event: str | None
    data: bytes
    first_ns: int
    whole_ns: int
    terminated: bool = True


class SseDecoder:
    """Feed chunks, get frames. The result does not depend on where the chunks were cut, but for the stamps."""

    def __init__(self) -> None:
        self.comments = 0
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._line_first_ns = 0
        self._skip_newline = False
        self._at_start = True
        self._data: list[bytes] = []
        self._event: str | None = None
        self._frame_first_ns: int | None = None
        self._frame_bytes = 0
        self._last_ns = 0

    def feed(self, chunk: bytes, at_ns: int) -> Iterator[Frame]:
        """Yield the frames that `chunk`, arrived at `at_ns`, completes.

        Raises:
            FrameTooLarge: a frame passes the limit.
        """
        self._last_ns = at_ns
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
            self._extend(chunk[start:end], at_ns)
            frame = self._end_line(at_ns)
            if frame is not None:
                yield frame
            start = following
            if 0 <= newline < start:
                newline = chunk.find(b"\n", start)
            if 0 <= carriage < start:
                carriage = chunk.find(b"\r", start)
        if start < len(chunk):
            self._extend(chunk[start:], at_ns)

    def close(self) -> Iterator[Frame]:
        """The stream ended: yield what stands without its blank line, marked `terminated=False`."""
        if self._line:
            frame = self._end_line(self._last_ns)
            if frame is not None:  # pragma: no cover - an unfinished line is never blank
                yield frame
        if self._data or self._event is not None:
            yield self._take(self._last_ns, terminated=False)

    def _extend(self, piece: bytes, at_ns: int) -> None:
        if not piece:
            return
        if not self._line:
            self._line_first_ns = at_ns
        self._line.append(piece)
        self._line_bytes += len(piece)
        if self._line_bytes + self._frame_bytes > MAX_FRAME_BYTES:
            raise FrameTooLarge

    def _end_line(self, at_ns: int) -> Frame | None:
        line = self._line[0] if len(self._line) == 1 else b"".join(self._line)
        first_ns = self._line_first_ns
        self._line, self._line_bytes = [], 0
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            if self._data or self._event is not None:
                return self._take(at_ns, terminated=True)
            self._frame_first_ns = None
            return None
        if line[:1] == b":":
            self.comments += 1
            return None
        name, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if self._frame_first_ns is None:
            self._frame_first_ns = first_ns
        if name == b"data":
            self._data.append(value)
            self._frame_bytes += len(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _take(self, at_ns: int, *, terminated: bool) -> Frame:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        first_ns = at_ns if self._frame_first_ns is None else self._frame_first_ns
        frame = Frame(self._event, data, first_ns, at_ns, terminated)
        self._data, self._event, self._frame_first_ns, self._frame_bytes = [], None, None, 0
        return frame
