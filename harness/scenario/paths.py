"""Dotted paths into JSON: how a task mapping says where things stand. Pure; bad data is an outcome, never an exception.

``data.items[0].url`` names a member, ``[*]`` every item of a list, ``|json`` a text that holds JSON itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.scenario.words import Mistake, show

_STEP = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<index>\d{1,4}|\*)\]|(?P<json>\|json)|(?P<dot>\.)")
EVERY = "*"
DECODE = "|json"
MAX_SHAPE_CHARS = 300

Step = str | int


@dataclass(frozen=True)
class Found:
    """What a path leads to. `missing` is the part of the path behind which nothing was, or None."""

    values: tuple[Any, ...]
    missing: str | None = None


def steps_of(path: str) -> tuple[Step, ...]:
    """The steps of a path.

    Raises:
        Mistake: it is no path.
    """
    steps: list[Step] = []
    at, dotted = 0, True  # whether a name may stand here
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (found["name"] and not dotted) or (found["dot"] and (dotted or not steps)):
            raise Mistake(
                f"{show(path)} is not a path", "write something like data.items[0].url or data.text|json.urls[*]"
            )
        at = found.end()
        dotted = found["dot"] is not None
        if found["name"]:
            steps.append(found["name"])
        elif found["index"]:
            steps.append(EVERY if found["index"] == EVERY else int(found["index"]))
        elif found["json"]:
            steps.append(DECODE)
    if not steps or dotted:
        raise Mistake(f"{show(path)} is not a path", "write something like data.id")
    return tuple(steps)


def check_path(path: str) -> str:
    """The path itself, if it is one."""
    steps_of(path)
    return path


def check_place(path: str) -> str:
    """A path at which something can be put: names only."""
    if not all(isinstance(step, str) and step not in (EVERY, DECODE) for step in steps_of(path)):
        raise Mistake(f"{show(path)} cannot be written to", "use names with dots between them: input.prompt")
    return path


def look(value: Any, path: str) -> Found:
    """Everything that `path` leads to in `value`."""
    values: list[Any] = [value]
    done: list[str] = []
    for step in steps_of(path):
        done.append(_shown(step, first=not done))
        values = [one for value in values for one in _step(value, step)]
        if not values:
            return Found((), "".join(done))
    return Found(tuple(values))


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set what `path` names, making the mappings on the way; what stands in the way gives way."""
    *way, last = [str(step) for step in steps_of(path)]
    for name in way:
        if not isinstance(body.get(name), dict):
            body[name] = {}
        body = body[name]
    body[last] = value


def shape(value: Any, depth: int = 3) -> str:
    """Keys and types of a value, no values: what an answer looked like that could not be understood."""
    return _shape(value, depth)[:MAX_SHAPE_CHARS]


def _shape(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        if depth == 0:
            return "{…}"
        inner: Sequence[str] = [f"{_key(name)}: {_shape(one, depth - 1)}" for name, one in list(value.items())[:20]]
        return "{" + ", ".join(inner) + (", …" if len(value) > 20 else "") + "}"
    if isinstance(value, list):
        return f"[{_shape(value[0], depth - 1)} × {len(value)}]" if value and depth else "[]" if not value else "[…]"
    kinds = {bool: "bool", int: "number", float: "number", str: "text", type(None): "null"}
    return kinds.get(type(value), "?")


def _key(name: object) -> str:
    """A key as it may be shown: one that does not look like a field's name may be somebody's data."""
    text = str(name)
    return text if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,39}", text) else "(key)"


def _shown(step: Step, *, first: bool) -> str:
    if isinstance(step, int) or step == EVERY:
        return f"[{step}]"
    return step if step == DECODE or first else f".{step}"


def _step(value: Any, step: Step) -> list[Any]:
    if step == EVERY:
        return list(value) if isinstance(value, list) else []
    if step == DECODE:
        try:
            # Strict: what it lets through can be written down as JSON again.
            return [msgspec.json.decode(value)] if isinstance(value, str) else []
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return []
    if isinstance(step, int):
        return [value[step]] if isinstance(value, list) and step < len(value) else []
    return [value[step]] if isinstance(value, dict) and value.get(step) is not None else []
