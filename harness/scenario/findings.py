"""Collects mistakes by path in the file, one a place, and turns pydantic's errors into our own words."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from harness.errors import Problem
from harness.scenario.cells import ALIASES
from harness.scenario.models import Scenario
from harness.scenario.reader import Document, Path
from harness.scenario.words import Mistake, listing, nearest, scrub, secret_name, show

# Fields that belong to other endpoints, other models or other times, and what to do instead.
FOREIGN: dict[str, tuple[str, str]] = {
    "response_format": ("gpt-image models refuse response_format", "leave it out: the answer is always base64"),
    "style": ("gpt-image models refuse style", "leave it out and say it in the prompt"),
    "input_fidelity": ("gpt-image-2 refuses input_fidelity: it is always high", "leave it out"),
    "prompt": ("prompts come as a list", "write `prompts:` with one item"),
    "user": ("an end user's id does not belong in a benchmark", "leave it out"),
} | {
    name: (f"{name} belongs to a chat or Responses endpoint, not to the Images API", "write `prompts:` instead")
    for name in ("messages", "input", "instructions", "tools", "modalities", "temperature", "max_tokens", "top_p")
}
RETIRED_QUALITIES = {"standard": "medium", "hd": "high"}
SECRET_FIX = "keep secrets out of files: export the value and name the variable, api_key_env: OPENAI_API_KEY"


class Findings:
    """Mistakes found so far. The first one at a place stands; what it breaks further down is not reported again."""

    def __init__(self, document: Document, model: type[BaseModel] = Scenario) -> None:
        self._document = document
        self._model = model  # what the file is read as
        self._seen: set[Path] = set()
        self._problems: list[Problem] = list(document.problems)

    def add(self, path: Path, what: str, fix: str) -> None:
        """Report a mistake at a path of the file."""
        place = self._document.line(path)
        problem = Problem(place.file, place.line, scrub(what), scrub(fix))
        self._seen.add(path)
        if problem not in self._problems:
            self._problems.append(problem)

    def add_problems(self, problems: Sequence[Problem]) -> None:
        """Take over the mistakes of another file."""
        self._problems += problems

    def reported(self, path: Path) -> bool:
        """Whether this very place has been reported."""
        return path in self._seen

    def known(self, path: Path) -> bool:
        """Whether this place, or something that it stands in, has been reported."""
        return any(path[:length] in self._seen for length in range(1, len(path) + 1))

    def under(self, *heads: str) -> bool:
        """Whether anything under one of these fields of the file has been reported."""
        return any(path and path[0] in heads for path in self._seen)

    def problems(self) -> list[Problem]:
        """Everything, in the order of the file."""
        return sorted(self._problems, key=lambda problem: (problem.file != self._document.file, problem.line))

    def add_errors(self, errors: Sequence[ErrorDetails], tree: object) -> None:
        """Report what pydantic found, except where a better report stands already."""
        for error in errors:
            path = self._path(error["loc"])
            value = _value_at(tree, path)
            if self.known(path) or (error["type"] == "too_short" and value):  # its items are wrong, not their number
                continue
            what, fix = word(error, path, value, self._model)
            self.add(path, what, fix)

    def _path(self, loc: tuple[str | int, ...]) -> Path:
        """Pydantic's location without what is not in the file: union branches, ``[key]``, the 0 of a lone value."""
        path = tuple(loc)
        while path and path not in self._document.places and path[-1] in ("[key]", 0):
            path = path[:-1]
        return path


def _value_at(tree: object, path: Path) -> object:
    for step in path:
        if isinstance(tree, dict):
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int) and 0 <= step < len(tree):
            tree = tree[step]
        else:
            return None
    return tree


def known_fields(path: Path, root: type[BaseModel] = Scenario) -> list[str]:
    """The fields that may stand in the mapping at a path of the file, aliases included."""
    model = _plain(_at(path, root))
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    names = [field.alias or name for name, field in model.model_fields.items()]
    return names + [alias for alias, name in ALIASES.items() if name in names]


def _plain(annotation: Any) -> Any:
    """``Annotated[X, …]`` and ``X | None`` are X."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return _plain(next(part for part in typing.get_args(annotation) if part is not type(None)))
    return annotation


def _at(path: Path, root: type[BaseModel]) -> Any:
    """The declared type of what stands at a path of the file, or None where nothing is declared."""
    current: Any = root
    for step in path:
        current = _plain(current)
        origin = typing.get_origin(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = {field.alias or name: field for name, field in current.model_fields.items()}
            current = fields[step].annotation if isinstance(step, str) and step in fields else None
        elif origin is tuple and isinstance(step, int):
            current = typing.get_args(current)[0]
        elif origin is Mapping and isinstance(step, str):
            current = typing.get_args(current)[1]
        else:
            return None
    return current


def word(error: ErrorDetails, path: Path, value: object, root: type[BaseModel] = Scenario) -> tuple[str, str]:
    """What is wrong and the fix, for one of pydantic's errors."""
    kind, context = error["type"], error.get("ctx", {})
    name = next((str(step) for step in reversed(path) if isinstance(step, str)), "the file")
    shown = "the value" if secret_name(name) else show(value)
    if isinstance(context.get("error"), Mistake):
        return context["error"].what, context["error"].fix
    if kind == "extra_forbidden":
        return _unknown(name, path, root)
    if kind == "missing":
        return f"`{name}` is missing", f"add `{name}: …`{_description(path, root)}"
    if kind == "literal_error":
        return _not_listed(name, value, shown, str(context.get("expected", "")))
    if kind in _RANGES and not isinstance(value, dict | list):
        limits = ", ".join(_LIMITS[key].format(context[key]) for key in _LIMITS if key in context)
        return f"{name}: {shown} is out of range", f"it must be {limits}{_description(path, root)}"
    if kind == "string_pattern_mismatch":
        return f"{name}: {shown} is not a plain name", "use lower-case letters, digits, - and _, starting with a letter"
    if kind in _TYPES:
        wanted, fix = _TYPES[kind]
        scalar = kind not in ("string_type", "tuple_type", "model_type", "dict_type", "mapping_type")
        if isinstance(value, str) and scalar and re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?|true|false", value.strip()):
            fix = f"write {value.strip()} without quotes"
        found = f"text {shown}" if isinstance(value, str) else shown
        return f"{name} must be {wanted}, not {found}", fix + _description(path, root)
    if kind == "too_short":
        return f"{name} is empty", f"give at least one value{_description(path, root)}"
    return f"{name}: {error['msg'][:1].lower()}{error['msg'][1:120]}", f"mend the value{_description(path, root)}"


_LIMITS = {
    "ge": "at least {}",
    "gt": "more than {}",
    "le": "at most {}",
    "lt": "less than {}",
    "min_length": "at least {} characters long",
    "max_length": "at most {} characters long",
}
_RANGES = (
    "greater_than_equal",
    "greater_than",
    "less_than_equal",
    "less_than",
    "string_too_long",
    "string_too_short",
)
_TYPES = {
    "int_type": ("a whole number", "write a whole number"),
    "int_from_float": ("a whole number", "write a whole number"),
    "int_parsing_size": ("a whole number of sensible size", "write a smaller number"),
    "float_type": ("a number", "write a number"),
    "finite_number": ("a finite number", "write a number"),
    "bool_type": ("true or false", "write true or false"),
    "string_type": ("text", "put it in quotes"),
    "tuple_type": ("a list", "write one item a line, each after `- `"),
    "model_type": ("a mapping", "write `field: value` lines under it"),
    "model_attributes_type": ("a mapping", "write `field: value` lines under it"),
    "dict_type": ("a mapping", "write `name: value` lines under it"),
    "mapping_type": ("a mapping", "write `name: value` lines under it"),
}


def _unknown(name: str, path: Path, root: type[BaseModel]) -> tuple[str, str]:
    known = known_fields(path[:-1], root)
    if secret_name(name) and name not in known:
        return f"`{show(name).strip('`')}` would hold a secret in the file", SECRET_FIX
    if name in FOREIGN and root is Scenario:
        return FOREIGN[name]
    near = nearest(name, known)
    if near is None and root is Scenario:
        elsewhere = nearest(name, known_fields(("matrix",)))
        if elsewhere == name and "matrix" in known:
            return f"`{name}` is a request field and does not stand here", "move it under `defaults:` or `matrix:`"
    return f"there is no field {show(name)} here", f"write {near}" if near else f"known here: {listing(sorted(known))}"


def _not_listed(name: str, value: object, shown: str, expected: str) -> tuple[str, str]:
    allowed = re.findall(r"'([^']*)'", expected)
    if name == "quality" and isinstance(value, str) and value in RETIRED_QUALITIES:
        return f"quality {value} belonged to the DALL·E models", f"write {RETIRED_QUALITIES[value]}"
    if isinstance(value, str) and value.lower() == "jpg" and "jpeg" in allowed:
        return "jpg is spelled jpeg here", "write jpeg"
    near = nearest(value, allowed) if isinstance(value, str) else None
    return f"{name} cannot be {shown}", f"write {near}" if near else f"write {listing(allowed)}"


def _description(path: Path, root: type[BaseModel]) -> str:
    """The field's own description in brackets, when the path leads to a field."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    model = _plain(_at(path[:-1], root)) if path else None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return ""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    field = fields.get(str(path[-1]))
    return f" ({field.description.rstrip('.')})" if field is not None and field.description else ""


def as_map(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one: what else it is gets reported by its type."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
