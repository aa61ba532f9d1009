"""Opaque tokens of free text, and what base64 and hex hold."""

from __future__ import annotations

import re

from harness.sanitizer import patterns
from harness.sanitizer.opaque import HASHES, ID_SHAPES, MIN_CHARS, SELF_EVIDENT, decoded, is_opaque
from harness.sanitizer.scanbase import Scan

MAX_DEPTH = 6  # of structures and encodings inside each other


class OpaqueScan(Scan):
    """A token is guilty unless it is an id in an id's place or a hash in a hash's."""

    def _may_stay(self, start: int, end: int, token: str) -> bool:
        if self._pardoned(start, end) or SELF_EVIDENT.fullmatch(token):
            return True
        before = self.text[max(0, start - 40) : start]
        bare = token.strip("-_=+~*")
        if ID_SHAPES.fullmatch(bare) and patterns.CALLED.search(before) and decoded(bare) is None:
            return True
        return (
            HASHES.fullmatch(bare) is not None and patterns.HASHED.search(before) is not None and decoded(bare) is None
        )

    def _opaque(self, view: bytes) -> None:
        text = self.text
        for found in patterns.TOKEN.finditer(view):
            start, end = found.span(1)
            token = text[start:end]
            lead = token.rpartition("=")[0] if "=" in token.rstrip("=") else ""
            if lead:
                start += len(token[: len(token.rstrip("="))].rpartition("=")[0]) + 1
                token = text[start:end]
            while token and token[0] in "-_+~*=":
                start, token = start + 1, token[1:]
            if (
                len(token) >= MIN_CHARS
                and is_opaque(token.rstrip("=~*-_"))
                and not self._may_stay(start, end, token.rstrip("=~*-_"))
            ) and not self._may_stay(*self._whole(start, end)):
                self.add(start, end, "opaque", 7)
        for found in patterns.SLASHED.finditer(view):
            start, end = found.span(1)
            token = text[start:end].replace("\\/", "/")
            if (
                len(token) >= 24
                and self._slashed_is_opaque(token)
                and not self._pardoned(start, end)
                and not self._may_stay(start, end, token)
            ):
                self.add(*self._widened(start, end), "opaque", 7)
        for found in patterns.SHORT_BASE64.finditer(view):
            start, end = found.span(1)
            token = text[start:end]
            if not token.islower() or token.isalnum():
                self._encoded(start, end, token)

    def _whole(self, start: int, end: int) -> tuple[int, int, str]:
        """The token with what dots and colons join to it: an id may have parts."""
        while (
            start
            and self.text[start - 1] in "-_=.:;" + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        ):
            start -= 1
        while end < len(self.text) and (self.text[end] in "-_=.:;" or self.text[end].isalnum()):
            end += 1
        token = self.text[start:end].rstrip(".:;")
        return start, start + len(token), token

    def _slashed_is_opaque(self, token: str) -> bool:
        parts = [part for part in token.rstrip("=").split("/") if part]
        if not parts or max(map(len, parts)) < 6:
            return False
        strange = sum(
            len(part)
            for part in parts
            if len(part) >= 4
            and is_opaque(part.rjust(16, part[0]) if len(part) < 16 else part)
            and re.search(r"[A-Z0-9]", part[1:])
        )
        return strange * 2 >= len(token) and strange >= 12

    def _encoded(self, start: int, end: int, token: str) -> None:
        inside = decoded(token)
        if inside is None or self.depth >= MAX_DEPTH:
            return
        by_chance = len(inside) < 12 and not token.endswith("=") and token.isalpha()
        told = len(inside) >= 12 or self.engine.finds(inside, self.depth + 2) or (":" in inside and inside.isascii())
        if told and not by_chance:
            self.add(*self._widened(start, end), "encoded", 6)
