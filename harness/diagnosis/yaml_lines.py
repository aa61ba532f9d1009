"""YAML as plain values that know their line. Scalars follow YAML 1.2's core: ``no`` and ``yes`` are words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from harness.errors import Problem

MAX_BYTES = 2_000_000
MAX_DEPTH = 12
MAX_NODES = 100_000

_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]{0,15})?")
_CONSTANTS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}


class _Loader(yaml.SafeLoader):
    """Resolves nothing by itself: plain scalars keep the string tag."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


@dataclass(frozen=True)
class Lined:
    """A value and its line: text, number, bool or None; lists hold `Lined`, mappings text → `Lined`."""

    value: Any
    line: int


class _Refused(Exception):
    """The document is YAML and yet not one that is read here: line, what, fix."""


def read_lined(raw: bytes, file: str) -> tuple[Lined | None, Problem | None]:
    """One document, or why there is none."""
    if len(raw) > MAX_BYTES:
        return None, Problem(file, 1, f"the file has {len(raw)} bytes", f"keep it under {MAX_BYTES}")
    try:
        root = yaml.compose(raw.decode("utf-8-sig"), Loader=_Loader)
        if root is None:
            return None, Problem(file, 1, "the file is empty", "give a list of layers, as docs/layers.md says")
        return _value(root, 0, [0]), None
    except UnicodeDecodeError as error:
        return None, Problem(file, raw.count(b"\n", 0, error.start) + 1, "not UTF-8", "save the file as UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return None, Problem(file, line, f"not YAML: {error.problem or error.context}", "check indentation and quotes")
    except (yaml.YAMLError, RecursionError) as error:
        return None, Problem(file, 1, f"not YAML ({type(error).__name__})", "look for control characters or nesting")
    except _Refused as refused:
        return None, Problem(file, *refused.args)


def _value(node: yaml.Node, depth: int, count: list[int]) -> Lined:
    line = node.start_mark.line + 1
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_NODES:
        raise _Refused(line, "too deep or too large", "write the values out, without aliases of aliases")
    if isinstance(node, yaml.SequenceNode):
        return Lined([_value(child, depth + 1, count) for child in node.value], line)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Lined] = {}
        for key, child in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            at = key.start_mark.line + 1
            if not name or name == "<<" or name in mapping:
                raise _Refused(at, f"the key {name!r} is given twice or is no plain word", "keep one plain key")
            mapping[name] = Lined(_value(child, depth + 1, count).value, at)
        return Lined(mapping, line)
    assert isinstance(node, yaml.ScalarNode)
    text = str(node.value)
    if node.tag != "tag:yaml.org,2002:str":
        raise _Refused(line, f"the tag {node.tag[-20:]!r} is not read here", "write a plain value, without a tag")
    if node.style is not None:  # quoted or a block: text, whatever it looks like
        return Lined(text, line)
    if text in _CONSTANTS:
        return Lined(_CONSTANTS[text], line)
    if _NUMBER.fullmatch(text):
        return Lined(float(text) if "." in text else int(text), line)
    return Lined(text, line)
