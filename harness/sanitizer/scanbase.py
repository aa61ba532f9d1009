"""What every way of looking at a text shares: the byte view, the spans found, the ids that may stay."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from harness.sanitizer.session import PLACEHOLDER
from harness.sanitizer.spans import Span

if TYPE_CHECKING:
    from harness.sanitizer.engine import Engine

codecs.register_error(
    "harness-ff", lambda e: (b"\xff" * (e.end - e.start), e.end) if isinstance(e, UnicodeEncodeError) else (b"", 0)
)

_TOKEN_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_RIGHT = re.compile(r"[A-Za-z0-9_\-+/=.~%*]*")


def view_of(text: str) -> bytes:
    """One byte for every character; those outside ASCII are 0xff."""
    return text.encode("ascii", "harness-ff")


class Scan:
    """One text and what was found in it."""

    def __init__(self, engine: Engine, text: str, depth: int, prose_words: int) -> None:
        self.engine = engine
        self.session = engine.session
        self.text = text
        self.depth = depth
        self.prose_words = prose_words
        self.spans: list[Span] = []
        self.pardons: list[tuple[int, int]] = []
        self.mask = bytearray(view_of(text))
        self.placeholders = [found.span() for found in PLACEHOLDER.finditer(text)] if "<" in text else []
        for start, end in self.placeholders:
            self._blank(start, end)

    def _blank(self, start: int, end: int) -> None:
        self.mask[start:end] = b"\x01" * (end - start)

    def add(self, start: int, end: int, kind: str, rank: int = 5) -> None:
        """A part that must go, unless nothing of it is left but placeholders."""
        if end <= start or (
            not bytes(self.mask[start:end]).strip(b"\x01 \t\r\n\"',;&()[]{}\\:=<>")
            and self._all_placeholders(start, end)
        ):
            return
        self.spans.append(Span(start, end, kind, rank))

    def _all_placeholders(self, start: int, end: int) -> bool:
        rest = PLACEHOLDER.sub("", self.text[start:end])
        return not rest.strip(" \t\r\n\"',;&()[]{}\\:=<>") if rest != self.text[start:end] else True

    def _pardoned(self, start: int, end: int) -> bool:
        at = bisect_right(self.pardons, (start, len(self.text))) - 1
        return any(self.pardons[i][0] <= start and end <= self.pardons[i][1] for i in range(max(0, at - 1), at + 1))

    def _widened(self, start: int, end: int, floor: int = 0) -> tuple[int, int]:
        """Out to the edges of the token, but not to the left of `floor`."""
        text = self.text
        while start > floor and text[start - 1] in _TOKEN_CHARS:
            start -= 1
        right = _RIGHT.match(text, end)
        end = right.end() if right is not None else end
        while end > start and text[end - 1] in ".":
            end -= 1
        return start, end
