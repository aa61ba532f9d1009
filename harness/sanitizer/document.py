"""JSON as it stands: every string and number is found with its place, and only what must change is changed.

Nothing is parsed and printed anew, so figures keep their digits, blanks stay, and a key that is there twice is looked
at twice. Works on a stack, so depth costs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_DEPTH = 100
_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[\[\]{}:,]|true|false|null|NaN|-?Infinity', re.DOTALL
)
_NAME_KEYS = ("name", "key", "header", "field", "k", "attribute", "property", "Name", "Key")
_VALUE_KEYS = frozenset({"value", "val", "v", "values", "Value"})
_OTLP = frozenset({"stringValue", "intValue", "doubleValue", "boolValue", "bytesValue", "string_value", "int_value"})
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{1,60}")


@dataclass(frozen=True)
class Place:
    """Where a leaf stands. `name` is what speaks for it; `above` are the names around it, innermost first."""

    name: str
    above: tuple[str, ...] = ()
    siblings: frozenset[str] = frozenset()


class _Box:
    __slots__ = ("above", "count", "key", "keys", "last", "list", "name", "named", "start")

    def __init__(self, is_list: bool, name: str, above: tuple[str, ...], start: int) -> None:
        self.list = is_list
        self.name = name
        self.above = above
        self.start = start
        self.key: str | None = None
        self.last = ""
        self.count = 0
        self.named = ""
        self.keys: set[str] = set()


Leaf = Callable[[str, Place], str | None]


def is_json(text: str) -> bool:
    """Whether the text is one JSON value with something to look into.

    Raises:
        RecursionError: it is nested deeper than any real one.
    """
    head = text.lstrip()[:1]
    if head not in ("{", "[", '"'):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _plan(text: str) -> dict[int, str]:
    """Start of an object → the string under its naming key, for lists of {name, value} in either order."""
    names: dict[int, str] = {}
    if not any(f'"{key}"' in text for key in _NAME_KEYS):
        return names
    stack: list[tuple[int, bool]] = []
    key: str | None = None
    expect_key = False
    for found in _TOKEN.finditer(text):
        token = found[0]
        first = token[0]
        if first in "{[":
            stack.append((found.start(), first == "{"))
            expect_key, key = first == "{", None
        elif first in "}]":
            if stack:
                stack.pop()
            key, expect_key = None, False
        elif first == ",":
            expect_key, key = bool(stack) and stack[-1][1], None
        elif first == '"':
            if expect_key:
                key, expect_key = token[1:-1], False
            elif key in _NAME_KEYS and stack and len(token) < 200:
                names.setdefault(stack[-1][0], token[1:-1])
    return names


def clean_json(text: str, leaf: Leaf, key: Callable[[str], str], number: Callable[[str, Place], str | None]) -> str:
    """The text with every leaf judged. `leaf` and `number` give what stands instead, or null to leave it."""
    out: list[str] = []
    done = 0
    named = _plan(text)
    root = _Box(True, "", (), -1)
    stack: list[_Box] = [root]
    expect_key = False
    cut_at: int | None = None
    for found in _TOKEN.finditer(text):
        token, start = found[0], found.start()
        first = token[0]
        box = stack[-1]
        if first in "{[":
            name = _name(box, stack) if stack else ""
            fresh = _Box(first == "[", name, (name, *box.above)[:8], start)
            fresh.named = named.get(start, "")
            stack.append(fresh)
            expect_key = first == "{"
            if len(stack) > MAX_DEPTH and cut_at is None:
                cut_at = len(stack)
                out.append(text[done:start])
                done = start
        elif first in "}]":
            if cut_at is not None and len(stack) == cut_at:
                out.append('"<cut:00000000>"')
                done = found.end()
                cut_at = None
            if len(stack) > 1:
                stack.pop()
            expect_key = False
            stack[-1].count += 1
        elif first == ",":
            expect_key = not box.list
        elif first == ":" or cut_at is not None:
            continue
        elif first == '"':
            value = _value(token)
            if expect_key:
                box.key = value
                box.keys.add(value)
                expect_key = False
                fresh_key = key(value)
                if fresh_key != value:
                    out += (text[done:start], _dumped(fresh_key, token))
                    done = found.end()
                continue
            instead = leaf(value, Place(_name(box, stack), box.above, frozenset(box.keys)))
            box.last = value
            box.count += 1
            if instead is not None and instead != value:
                out += (text[done:start], _dumped(instead, token))
                done = found.end()
        elif first in "-0123456789":
            instead = number(token, Place(_name(box, stack), box.above))
            box.count += 1
            if instead is not None:
                out += (text[done:start], json.dumps(instead))
                done = found.end()
        else:
            box.count += 1
    out.append(text[done:])
    return "".join(out)


def _name(box: _Box, stack: list[_Box]) -> str:
    """The name that speaks for the next value in this container."""
    if box.list:
        if box.count % 2 and _HEADER.fullmatch(box.last) and (box.count == 1 or "header" in box.name.lower()):
            return box.last  # ["Authorization", "…"] and Node's flat rawHeaders
        return box.name
    key = box.key or ""
    if key in _VALUE_KEYS and box.named:
        return box.named
    if key in _OTLP and len(stack) > 1 and stack[-2].named:
        return stack[-2].named
    return key


def _value(token: str) -> str:
    if "\\" not in token:
        return token[1:-1]
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token[1:-1]


def _dumped(value: str, token: str) -> str:
    return json.dumps(value, ensure_ascii=token.isascii() or any("\ud800" <= c <= "\udfff" for c in value))
