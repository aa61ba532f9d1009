"""Images out of JSON without parsing them: megabytes of base64 are cut out by a search, the small rest is decoded."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

# Marks a place where an image was cut out. Drawn anew in each process: no answer can hold it.
_PLACE = f"#{secrets.token_hex(12)}-"
NAMES = (b'"b64_json"',)
_WORTH_CUTTING = 512
_BLANKS = b" \t\r\n"


@dataclass(frozen=True)
class Cut:
    """JSON with its base64 values put aside. `spans` are (start, end) of the values in the original bytes."""

    data: bytes
    spans: tuple[tuple[int, int], ...]

    def value(self) -> Any:
        """The decoded rest; a value that was cut out reads as a placeholder.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is no JSON.
        """
        rest = bytearray()
        taken = 0
        for index, (start, end) in enumerate(self.spans):
            rest += memoryview(self.data)[taken:start]
            rest += f"{_PLACE}{index}".encode()
            taken = end
        rest += memoryview(self.data)[taken:]
        return msgspec.json.decode(bytes(rest))

    def payload(self, value: object) -> tuple[bytes, tuple[int, int] | None] | None:
        """The base64 text that a decoded `b64_json` stands for, and where it lay; None when it is no text."""
        if not isinstance(value, str) or not value:
            return None
        place = value.removeprefix(_PLACE)
        if place != value and place.isdigit() and int(place) < len(self.spans):
            start, end = self.spans[int(place)]
            return self.data[start:end], (start, end)
        return value.encode("utf-8", "replace"), None


def cut_base64(data: bytes, names: tuple[bytes, ...] = NAMES) -> Cut:
    """Find the values of the fields `names`. One that holds an escape is left for the decoder, and so is a short one.

    A text that merely quotes such a field cannot be taken for one: inside a JSON string its quotes are escaped.
    """
    return Cut(data, tuple(sorted(span for name in names for span in _values_of(data, name))))


def _values_of(data: bytes, name: bytes) -> Iterator[tuple[int, int]]:
    at = data.find(name)
    while at >= 0:
        start = _value_start(data, at + len(name))
        if start is None:
            at = data.find(name, at + len(name))
            continue
        end = data.find(b'"', start)
        if end < 0:
            return
        if end - start >= _WORTH_CUTTING and data.find(b"\\", start, end) < 0:
            yield start, end
        at = data.find(name, end + 1)


def _value_start(data: bytes, at: int) -> int | None:
    """Where the text of the string value begins that follows a name; None when none does."""
    for expected in (b":", b'"'):
        while data[at : at + 1] and data[at] in _BLANKS:
            at += 1
        if data[at : at + 1] != expected:
            return None
        at += 1
    return at
