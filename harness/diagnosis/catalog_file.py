"""A file of layers → `Layer` records, and every mistake in it with its line and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from harness.diagnosis.layer import BYTES_RESET, CLASSES, GOES_ON, GRADES, KINDS, Layer, Signature
from harness.diagnosis.patterns import what_runs_away
from harness.diagnosis.yaml_lines import Lined, read_lined
from harness.errors import Problem

_SLUG = re.compile(r"[a-z0-9][a-z0-9_]{1,79}")
_HEADER = re.compile(r"[a-z0-9_-]{1,80}")
_MAX_TEXT = 1000

REQUIRED = ("id", "product", "class", "title", "setting", "kinds", "first_move")
_TEXTS = ("title", "setting", "set_by", "after_headers", "backend_note", "first_move", "example", "told_apart_by",
          "version", "note")  # fmt: skip
_WORDS: Mapping[str, Sequence[str]] = {
    "class": CLASSES, "bytes_reset_it": BYTES_RESET, "backend_goes_on": GOES_ON, "grade": GRADES,
}  # fmt: skip
FIELDS = (
    *REQUIRED, *_TEXTS, *_WORDS, "default_s", "defaults_seen_s", "max_s", "early_s", "late_s", "signature",
    "signatures", "log", "names_the_layer", "confused_with", "source",
)  # fmt: skip
_PARTS = ("status", "headers", "body", "error", "exception")


@dataclass
class _Reader:
    file: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, at: Lined, what: str, fix: str) -> None:
        self.problems.append(Problem(self.file, at.line, what, fix))


def read_layers(
    raw: bytes, file: str, known: frozenset[str] = frozenset()
) -> tuple[tuple[Layer, ...], tuple[Problem, ...]]:
    """The layers of one file and the mistakes in it; `known` are the ids that it may name besides its own."""
    root, problem = read_lined(raw, file)
    if root is None:
        return (), (problem,) if problem else ()
    reader = _Reader(file)
    if not isinstance(root.value, list):
        reader.wrong(root, "not a list of layers", "begin every entry with `- id: …`")
        return (), tuple(reader.problems)
    layers: dict[str, Layer] = {}
    lines: dict[str, Lined] = {}
    for entry in root.value:
        layer = _layer(reader, entry)
        if layer is None:
            continue
        if layer.id in layers:
            reader.wrong(entry, f"{layer.id!r} is also on line {lines[layer.id].line}", "rename it")
        layers[layer.id], lines[layer.id] = layer, entry
    for name, layer in layers.items():
        for other in layer.confused_with:
            if other == name or (other not in layers and other not in known):
                reader.wrong(lines[name], f"confused_with names {other!r}, which is no other entry",
                             "give the id of an entry, or `{what: in words}`")  # fmt: skip
    return tuple(layers.values()), tuple(reader.problems)


def _layer(reader: _Reader, entry: Lined) -> Layer | None:
    found = len(reader.problems)
    if not isinstance(entry.value, dict):
        reader.wrong(entry, "not a mapping of fields", "begin every entry with `- id: …`")
        return None
    fields: dict[str, Lined] = entry.value
    for name, at in fields.items():
        if name not in FIELDS:
            close = get_close_matches(name, FIELDS, 1)
            reader.wrong(at, f"no field {name!r}", f"did you mean {close[0]!r}?" if close else "see docs/layers.md")
    for name in REQUIRED:
        if name not in fields or fields[name].value is None:
            reader.wrong(entry, f"{name} is missing", f"add `{name}: …`")
    if len(reader.problems) > found:
        return None
    values: dict[str, Any] = {}
    for name in ("id", "product"):
        values[name] = _matching(reader, fields[name], name, _SLUG, "lower-case letters, digits and underscores")
    for name in _TEXTS:
        values[name] = _text(reader, fields[name], name) if name in fields else None
    for name, words in _WORDS.items():
        if name in fields:
            values["layer_class" if name == "class" else name] = _word(reader, fields[name], name, words)
    for name in ("default_s", "max_s", "early_s", "late_s"):
        values[name] = _seconds(reader, fields[name], name) if name in fields else None
    values["early_s"], values["late_s"] = values["early_s"] or 0.0, values["late_s"] or 0.0
    for name, one in (("kinds", _kind), ("defaults_seen_s", _number), ("log", _pattern), ("source", _plain)):
        values[name] = _list(reader, fields[name], name, one) if name in fields else ()
    values["names_the_layer"] = _flag(reader, fields.get("names_the_layer"))
    values["signatures"] = _signatures(reader, fields)
    values["confused_with"], values["confused_with_others"] = _confused(reader, fields.get("confused_with"))
    if fields["kinds"].value == []:
        reader.wrong(fields["kinds"], "kinds is empty", f"give one or more of {', '.join(KINDS)}")
    return Layer(**values) if len(reader.problems) == found else None


def _text(reader: _Reader, at: Lined, name: str) -> str | None:
    if at.value is None:
        return None
    if not isinstance(at.value, str) or not at.value.strip() or len(at.value) > _MAX_TEXT:
        reader.wrong(at, f"{name} is not a text of 1 to {_MAX_TEXT} characters", "write it in words, quoted if need be")
        return None
    return at.value.strip()


def _matching(reader: _Reader, at: Lined, name: str, shape: re.Pattern[str], words: str) -> str:
    if not isinstance(at.value, str) or not shape.fullmatch(at.value):
        reader.wrong(at, f"{name} is no plain name", f"use {words}")
        return ""
    return at.value


def _word(reader: _Reader, at: Lined, name: str, words: Sequence[str]) -> str:
    if at.value not in words:
        reader.wrong(at, f"{name} is {at.value!r}", f"use one of {', '.join(words)}")
    return str(at.value)


def _seconds(reader: _Reader, at: Lined, name: str) -> float | None:
    if at.value is None:
        return None
    if isinstance(at.value, bool) or not isinstance(at.value, int | float) or not 0 <= at.value < 1e9:
        reader.wrong(at, f"{name} is not a number of seconds", "write seconds, 0 for off, or null")
        return None
    return float(at.value)


def _flag(reader: _Reader, at: Lined | None) -> bool:
    if at is not None and not isinstance(at.value, bool):
        reader.wrong(at, f"names_the_layer is {at.value!r}", "write true or false")
    return at is not None and at.value is True


def _list(reader: _Reader, at: Lined, name: str, one: Any) -> tuple[Any, ...]:
    if not isinstance(at.value, list):
        reader.wrong(at, f"{name} is not a list", f"write `{name}: [ … ]`")
        return ()
    return tuple(value for item in at.value if (value := one(reader, item, name)) is not None)


def _kind(reader: _Reader, at: Lined, name: str) -> str:
    return _word(reader, at, name, KINDS)


def _number(reader: _Reader, at: Lined, name: str) -> float | None:
    return _seconds(reader, at, name)


def _plain(reader: _Reader, at: Lined, name: str) -> str | None:
    return _text(reader, at, name)


def _pattern(reader: _Reader, at: Lined, name: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str] | None:
    if not isinstance(at.value, str):
        reader.wrong(at, f"{name} is no regular expression", "write it in single quotes")
        return None
    why = what_runs_away(at.value)
    if why is not None:
        reader.wrong(at, f"{name}: this expression may run away: {why}", "bound it, for instance {0,200}")
        return None
    try:
        return re.compile(at.value, flags)
    except re.error as error:
        reader.wrong(at, f"{name} does not compile ({error.msg})", "it is a Python regular expression; check brackets")
        return None


def _signatures(reader: _Reader, fields: Mapping[str, Lined]) -> tuple[Signature, ...]:
    single, several = fields.get("signature"), fields.get("signatures")
    if single is not None and several is not None:
        reader.wrong(several, "both signature and signatures", "keep `signatures:`, a list of alternatives")
    if several is not None:
        return _list(reader, several, "signatures", lambda r, at, _: _signature(r, at))
    if single is None or single.value is None:
        return ()
    found = _signature(reader, single)
    return () if found is None else (found,)


def _signature(reader: _Reader, at: Lined) -> Signature | None:
    if not isinstance(at.value, dict) or not at.value:
        reader.wrong(at, "a signature without parts", f"give one or more of {', '.join(_PARTS)}")
        return None
    parts: dict[str, Lined] = at.value
    for name, part in parts.items():
        if name not in _PARTS:
            reader.wrong(part, f"no part {name!r} of a signature", f"use {', '.join(_PARTS)}")
    status = _list(reader, parts["status"], "status", _status) if "status" in parts else ()
    headers: dict[str, re.Pattern[str]] = {}
    named = parts["headers"].value if "headers" in parts else {}
    if not isinstance(named, dict):
        reader.wrong(parts["headers"], "headers is no mapping", "write `headers: {server: '^nginx'}`")
        named = {}
    for name, part in named.items():
        pattern = _pattern(reader, part, f"header {name}", re.IGNORECASE)
        if not _HEADER.fullmatch(name):
            reader.wrong(part, f"header {name!r} is not in lower case", "write header names in lower case")
        elif pattern is not None:
            headers[name] = pattern
    texts = {name: _pattern(reader, parts[name], name) for name in ("body", "error", "exception") if name in parts}
    if not (headers or texts or status):
        return None
    return Signature(frozenset(status), headers, **texts)


def _status(reader: _Reader, at: Lined, name: str) -> int | None:
    if isinstance(at.value, bool) or not isinstance(at.value, int) or not (at.value == 0 or 100 <= at.value <= 599):
        reader.wrong(at, f"{name} {at.value!r} is no HTTP status", "use numbers from 100 to 599, or 0 for no answer")
        return None
    return at.value


def _confused(reader: _Reader, at: Lined | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ids: list[str] = []
    others: list[str] = []
    if at is None or at.value is None:
        return (), ()
    for item in at.value if isinstance(at.value, list) else [at]:
        if isinstance(item.value, str) and _SLUG.fullmatch(item.value):
            ids.append(item.value)
        elif isinstance(item.value, dict) and set(item.value) == {"what"}:
            others.append(str(item.value["what"].value))
        else:
            reader.wrong(item, "confused_with holds something else", "give ids of entries, or `{what: in words}`")
    return tuple(ids), tuple(others)
