"""YAML bytes → plain values, with the file and line of every one of them.

Subtleness ahead: PyYAML speaks YAML 1.1, where ``no`` is false, ``1:30`` is 90 and ``on`` is a key called true. Editors
speak 1.2. Scalars are resolved here by the rules of 1.2's core schema, so that a file means what the editor shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from harness.errors import Problem
from harness.scenario.words import scrub, show

Path = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_NODES = 50_000  # counted with aliases expanded, so that ten lines cannot become a billion values
MAX_DEPTH = 24

_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_NULL = re.compile(r"~|null|Null|NULL|")


class _Loader(yaml.SafeLoader):
    """Resolves nothing by itself: plain scalars keep the string tag and are read in `_scalar`."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


@dataclass(frozen=True)
class Place:
    """Where a value stands."""

    file: str
    line: int


@dataclass
class Document:
    """Plain values (dict, list, str, int, float, bool, None) and where each stands. Keys are always text."""

    file: str
    tree: object = None
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def line(self, path: Path) -> Place:
        """The place of the nearest enclosing thing that has one."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path[:-1]
        return self.places.get((), Place(self.file, 1))

    def problem(self, line: int, what: str, fix: str) -> None:
        self.problems.append(Problem(self.file, line, scrub(what), scrub(fix)))


def read_document(raw: bytes, file: str) -> Document:
    """Read one YAML document. Never raises: what is wrong stands in `problems`, and `tree` is then None or partial."""
    document = Document(file)
    if len(raw) > MAX_BYTES:
        document.problem(1, f"the file has {len(raw)} bytes", f"keep it under {MAX_BYTES} bytes")
        return document
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        document.problem(line, f"byte {error.start} is not UTF-8", "save the file as UTF-8")
        return document
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        document.problem(
            mark.line + 1 if mark else 1, f"not YAML: {what}", "check indentation (spaces only), colons and quotes here"
        )
        return document
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.problem(line, "a control character that YAML does not allow", "remove it, or write it as an escape")
        return document
    except RecursionError:
        document.problem(1, "nested too deeply", f"keep it under {MAX_DEPTH} levels")
        return document
    except Exception as error:  # noqa: BLE001 - whatever the parser trips over, it is the file that cannot be read
        document.problem(1, f"the YAML parser gave up ({type(error).__name__})", "look for odd escapes or directives")
        return document
    if root is None:
        document.problem(1, "the file is empty", "start from scenarios/demo.yaml")
        return document
    document.places[()] = Place(file, root.start_mark.line + 1)
    document.tree = _value(document, root, (), frozenset())
    return document


def _value(document: Document, node: yaml.Node, path: Path, open_nodes: frozenset[int]) -> object:
    line = node.start_mark.line + 1
    document.nodes += 1
    if document.nodes > MAX_NODES:
        if document.nodes == MAX_NODES + 1:
            document.problem(
                line, f"more than {MAX_NODES} values", "aliases may be multiplying each other: write it out"
            )
        return None
    if id(node) in open_nodes or len(path) > MAX_DEPTH:
        document.problem(line, "nested too deeply, or an alias that holds itself", "write the value out")
        return None
    inner = open_nodes | {id(node)}
    if isinstance(node, yaml.SequenceNode):
        items: list[object] = []
        for index, child in enumerate(node.value):
            document.places[(*path, index)] = Place(document.file, child.start_mark.line + 1)
            items.append(_value(document, child, (*path, index), inner))
        return items
    if isinstance(node, yaml.MappingNode):
        return _mapping(document, node, path, inner)
    return _scalar(document, node, line)


def _mapping(document: Document, node: yaml.MappingNode, path: Path, inner: frozenset[int]) -> dict[str, object]:
    mapping: dict[str, object] = {}
    for key_node, child in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.problem(line, "a list or mapping is used as a key", "keys are plain words; `{{ }}` needs quotes")
            continue
        key = _text(document, key_node, line)
        if key == "<<":
            document.problem(line, "merge keys (`<<`) are not read here", "write the fields out")
            continue
        if key in mapping:
            first = document.places[(*path, key)].line
            document.problem(
                line, f"{show(key)} is given twice; the first is on line {first}", "keep one of the two, or rename it"
            )
            continue
        document.places[(*path, key)] = Place(document.file, line)
        mapping[key] = _value(document, child, (*path, key), inner)
    return mapping


def _text(document: Document, node: yaml.ScalarNode, line: int) -> str:
    text = str(node.value)
    if any("\ud800" <= char <= "\udfff" for char in text):
        document.problem(line, "half of a surrogate pair is not a character", "write the character itself")
        return ""
    return text


def _scalar(document: Document, node: yaml.Node, line: int) -> object:
    assert isinstance(node, yaml.ScalarNode)
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    if tag != "str":
        document.problem(line, f"the tag !{tag.lstrip('!')} is not read here", "write a plain value, without a tag")
        return None
    text = _text(document, node, line)
    if node.style is not None:  # quoted or a block: text, whatever it looks like
        return text
    try:
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text):
            return int(text, 0 if text[:2] in ("0o", "0x") else 10)
        if _FLOAT.fullmatch(text):
            special = text[-3:].lower()
            return float(text[:-4] + special if special in ("inf", "nan") else text)
    except ValueError:
        document.problem(line, "a number with too many digits", "write a smaller number")
        return None
    return text
