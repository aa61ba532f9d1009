"""From open values to closed ones. What does not fit is dropped and counted, never copied and never an error.

A run directory may have been written by an older harness, by `ingest`, or by somebody with bad intent: nothing in it is
trusted to be what its field's name says.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Literal, TypeVar

from harness.packet.facts import Unknown
from harness.packet.schema import DropKind, Dropped, Size
from harness.packet.shapes import looks_private
from harness.packet.vocabulary import normal

T = TypeVar("T", bound=str)
V = TypeVar("V")

_MODEL = re.compile(
    r"gpt-image-[1-9](?:\.[0-9])?(?:-(?:mini|sunburst|flare|codex))?(?:-20[0-9]{2}-[01][0-9]-[0-3][0-9])?"
    r"|chatgpt-image-latest|dall-e-[23]"
)
_SIZE = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})")
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,2}(?:(?:a|b|rc|\.dev|\.post)[0-9]{1,4})?")
_HEX16 = re.compile(r"[0-9a-f]{16}")
_GO_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|us|µs|ns|s|m|h)")
_UNIT_MS = {"h": 3_600_000.0, "m": 60_000.0, "s": 1000.0, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "ns": 1e-6}
_MONTH_MS = 31 * 24 * 3600 * 1000.0


class Narrower:
    """Narrows the values of one packet and counts what it had to leave out."""

    def __init__(self) -> None:
        self._dropped: Counter[DropKind] = Counter()

    def drop(self, kind: DropKind, count: int = 1) -> None:
        """Count values that have no place."""
        if count > 0:
            self._dropped[kind] += count

    def dropped(self) -> tuple[Dropped, ...]:
        """The counts so far, by kind in alphabetical order."""
        return tuple(Dropped(kind=kind, count=self._dropped[kind]) for kind in sorted(self._dropped))

    def known(self, value: str | None, words: Mapping[str, T], kind: DropKind = "name") -> T | None:
        """The word itself or null. `words` maps what may be met to what may be said."""
        if not value:
            return None
        found = words.get(value) or words.get(normal(value))
        if found is None:
            self.drop(kind)
        return found

    def word(self, value: str | None, words: Mapping[str, T], other: T, kind: DropKind = "name") -> T | None:
        """The word, `other` for a stranger, null for nothing."""
        return None if not value else self.known(value, words, kind) or other

    def counted(self, value: V, stranger: str = "other", kind: DropKind = "name") -> V:
        """Pass on a value that was narrowed elsewhere, counting it when it came out a stranger."""
        if value == stranger:
            self.drop(kind)
        return value

    def model(self, value: str) -> str:
        """A model of a known family, else ``other``: a deployment's name is its owner's own."""
        return value if _MODEL.fullmatch(value) else self.counted("other")

    def size(self, value: str | None) -> Size | Literal["auto", "other"] | None:
        """``auto``, or width and height."""
        if not value:
            return None
        if value == "auto":
            return "auto"
        found = _SIZE.fullmatch(value)
        if found is None:
            self.drop("name")
            return "other"
        return Size(width=int(found[1]), height=int(found[2]))

    def version(self, value: str) -> str | None:
        """A plain version number or null."""
        if _VERSION.fullmatch(value):
            return value
        self.drop("name")
        return None

    def ms(self, value: float | None, low: float = -_MONTH_MS, high: float = _MONTH_MS) -> float | None:
        """A figure within bounds, to the microsecond."""
        if value is None:
            return None
        if not math.isfinite(value) or not low <= value <= high:
            self.drop("number")
            return None
        return round(float(value), 3) + 0.0

    def seconds(self, value: float | None) -> float | None:
        """A duration in seconds, not negative."""
        return self.ms(value, 0.0, _MONTH_MS / 1000)

    def whole(self, value: int | None, low: int = 0, high: int = 10_000_000) -> int | None:
        """A whole number within bounds or null."""
        if value is None:
            return None
        if not low <= value <= high:
            self.drop("number")
            return None
        return int(value)

    def count(self, value: int, high: int = 10_000_000) -> int:
        """A count; one out of bounds becomes 0 and is counted as dropped."""
        return self.whole(value, 0, high) or 0

    def moment(self, text: str | None) -> datetime | None:
        """A moment with its offset, in whole milliseconds; a moment without an offset is no moment."""
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text[:40])
            offset = moment.utcoffset()
            if offset is None or abs(offset) > timedelta(hours=14) or not 2000 <= moment.year <= 2200:
                raise ValueError
        except (ValueError, OverflowError):
            self.drop("time")
            return None
        zone = timezone(timedelta(minutes=round(offset.total_seconds() / 60)))
        return moment.astimezone(zone).replace(microsecond=moment.microsecond // 1000 * 1000)

    def unknown(self, value: str | None) -> Unknown | None:
        """A stranger's length and fingerprint. What looks private gets no fingerprint: it could be guessed back."""
        if not value:
            return None
        self.drop("error_word")
        folded = re.sub(r"\d", "0", value)
        digest = hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return Unknown(chars=min(len(value), 10_000_000), fingerprint=None if looks_private(value) else digest)

    def fingerprint(self, value: str | None) -> str | None:
        """A fingerprint in the form the journal writes it."""
        if not value:
            return None
        if _HEX16.fullmatch(value):
            return value
        self.drop("error_word")
        return None

    def integer(self, value: str | None, high: int = 10**12) -> int | None:
        """A whole number out of a header."""
        if value is None:
            return None
        text = value.strip()
        if not re.fullmatch(r"[0-9]{1,13}", text):
            self.drop("header")
            return None
        return self.whole(int(text), 0, high)

    def duration_ms(self, value: str | None, bare_unit: str = "s") -> float | None:
        """A duration out of a header: Go's ``6m0s``, ``58.891s``, ``120ms``, or a bare number of `bare_unit`."""
        if value is None:
            return None
        text = value.strip()[:40]
        if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", text):
            return self.ms(float(text) * _UNIT_MS[bare_unit], 0.0)
        parts = list(_GO_PART.finditer(text))
        if not parts or "".join(part[0] for part in parts) != text:
            self.drop("header")
            return None
        return self.ms(sum(float(part[1]) * _UNIT_MS[part[2]] for part in parts), 0.0)
