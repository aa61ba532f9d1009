"""Axes → cells. A cell is one combination of request fields on one route, with an id that a person can read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

FIELDS = (
    "route",
    "quality",
    "size",
    "output_format",
    "output_compression",
    "n",
    "stream",
    "partial_images",
    "background",
    "moderation",
    "reference_images",
    "mask",
    "edit_form",
)
ALIASES = {"format": "output_format", "compression": "output_compression"}
MAX_CELLS = 2_000

# What is not a field of the request's own: the references go as files.
_OURS = frozenset({"id", "route", "reference_images", "mask", "edit_form"})

Axes = Mapping[str, Sequence[object]]


@dataclass(frozen=True)
class Cell:
    """One combination. None means that the field is left out of the request and the API decides."""

    id: str
    route: str
    quality: str | None = None
    size: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    n: int = 1
    stream: bool = False
    partial_images: int | None = None
    background: str | None = None
    moderation: str | None = None
    reference_images: int = 0  # 1 or more: an edit, not a generation
    mask: bool = False
    edit_form: str | None = None  # multipart or json; only of an edit

    @property
    def edits(self) -> bool:
        """Whether this asks for an edit of given pictures."""
        return self.reference_images > 0

    def request(self) -> dict[str, object]:
        """The fields to send, beside model and prompt: only those that were asked for."""
        fields = {name: value for name, value in asdict(self).items() if name not in _OURS}
        fields["n"] = None if self.n == 1 else self.n
        fields["stream"] = True if self.stream else None
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Placed:
    """A cell and where the file asks for it: `origin` is a path in the file, `declared` what was written for it."""

    cell: Cell
    origin: tuple[str | int, ...]
    declared: Mapping[str, object]


@dataclass
class Expansion:
    """All cells, doubles included, and what did not come out right."""

    cells: list[Placed] = field(default_factory=list)
    too_many: bool = False
    homeless: list[tuple[str | int, ...]] = field(default_factory=list)  # origins whose cells have no route
    idle_excludes: list[int] = field(default_factory=list)  # indices of excludes that drop nothing


def expand(
    axes: Axes, include: Sequence[Axes], exclude: Sequence[Axes], defaults: Mapping[str, object], routes: Sequence[str]
) -> Expansion:
    """Cross the axes, drop what an exclude matches, add what the includes say.

    Without axes there is one cell of defaults, unless includes are given: then there are only those.
    """
    result = Expansion()
    shared = {name: value for name, value in defaults.items() if value is not None}
    if len(routes) == 1:
        shared.setdefault("route", routes[0])
    wanted: list[tuple[tuple[str | int, ...], Axes]] = []
    if axes or not include:
        wanted.append((("matrix",), axes))
    wanted += [(("matrix", "include", index), item) for index, item in enumerate(include)]
    if sum(_product_size(item) for _, item in wanted) > MAX_CELLS:
        result.too_many = True
        return result
    dropped = [0] * len(exclude)
    for origin, item in wanted:
        for values in itertools.product(*item.values()):
            declared = dict(zip(item, values, strict=True))
            fields = {**shared, **declared}
            if origin == ("matrix",):
                hits = [index for index, rule in enumerate(exclude) if _matches(fields, rule)]
                for index in hits:
                    dropped[index] += 1
                if hits:
                    continue
            if fields.get("route") is None:
                if origin not in result.homeless:
                    result.homeless.append(origin)
                continue
            result.cells.append(Placed(make_cell(fields), origin, declared))
    result.idle_excludes = [index for index, count in enumerate(dropped) if not count]
    return result


def _product_size(axes: Axes) -> int:
    size = 1
    for values in axes.values():
        size *= len(values)
    return size


def _matches(fields: Mapping[str, object], rule: Axes) -> bool:
    neutral = {"n": 1, "stream": False, "reference_images": 0, "mask": False}
    return bool(rule) and all(
        fields.get(name, neutral.get(name)) in [neutral.get(name) if v is None else v for v in values]
        for name, values in rule.items()
    )


def make_cell(fields: Mapping[str, object]) -> Cell:
    """A cell with its id. `fields` has been checked; `partial_images` implies `stream`."""
    plain: dict[str, object] = {name: fields.get(name) for name in FIELDS}
    plain["n"] = plain["n"] or 1
    plain["stream"] = bool(plain["stream"]) or plain["partial_images"] is not None
    plain["reference_images"] = plain["reference_images"] or 0
    plain["mask"] = bool(plain["mask"])
    return Cell(id=_cell_id(plain), **plain)  # type: ignore[arg-type]


def _cell_id(fields: Mapping[str, object]) -> str:
    """``edge/high/1024x1024/png/stream-p2``: the route, then only what was asked for. Equal ids are equal cells."""
    parts = [str(fields["route"])]
    if fields["quality"] is not None:
        parts.append(f"quality-{fields['quality']}" if fields["quality"] == "auto" else str(fields["quality"]))
    if fields["size"] is not None:
        parts.append(f"size-{fields['size']}" if fields["size"] == "auto" else str(fields["size"]))
    compression = fields["output_compression"]
    if fields["output_format"] is not None:
        parts.append(f"{fields['output_format']}{'' if compression is None else compression}")
    elif compression is not None:
        parts.append(f"compression-{compression}")
    if fields["n"] != 1:
        parts.append(f"n{fields['n']}")
    if fields["stream"]:
        parts.append("stream" if fields["partial_images"] is None else f"stream-p{fields['partial_images']}")
    if fields["background"] is not None:
        parts.append(f"background-{fields['background']}")
    if fields["moderation"] is not None:
        parts.append(f"moderation-{fields['moderation']}")
    if fields["reference_images"]:
        parts.append(f"edit-{fields['reference_images']}{'-mask' if fields['mask'] else ''}")
    if fields["edit_form"] is not None:
        parts.append(str(fields["edit_form"]))
    return "/".join(parts)


def where_text(cell: Cell, key: str) -> str:
    """A cell's value as objectives and hypotheses write it: true and false in lower case, null for what is not sent."""
    value = cell.id if key == "cell" else getattr(cell, key)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
