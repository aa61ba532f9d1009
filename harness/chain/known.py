"""What the layer catalog says of a setting: its default, its ceiling, who may set it. Straight from the data file.

The diagnosis reads the same file for its signatures. This room needs half a dozen plain fields of it, and must not
know the reading half.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True)
class Known:
    """One entry of the catalog, as far as a chain needs it."""

    id: str
    product: str
    setting: str
    kinds: tuple[str, ...]
    default_s: float | None
    max_s: float | None
    set_by: str | None  # who can change it; null where the catalog does not say or nobody can
    fixed: bool  # nobody can change it
    example: str | None
    goes_on: str | None  # whether the work behind it goes on after it fired: yes, no, never_reached, unknown
    source: str


@cache
def catalog() -> tuple[Known, ...]:
    """Every entry of the shipped catalog."""
    text = files("harness").joinpath("data/layers.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(_entry(one) for one in yaml.load(text, Loader=loader))


def _entry(one: Mapping[str, Any]) -> Known:
    goes_on = one.get("backend_goes_on")
    source = one.get("source") or ""
    return Known(
        id=str(one["id"]),
        product=str(one["product"]),
        setting=str(one.get("setting") or ""),
        kinds=tuple(one["kinds"]),
        default_s=_number(one.get("default_s")),
        max_s=_number(one.get("max_s")),
        set_by=one.get("set_by"),
        fixed="set_by" in one and one["set_by"] is None,
        example=one.get("example"),
        goes_on={True: "yes", False: "no", None: None}.get(goes_on, str(goes_on)),
        source=source if isinstance(source, str) else str(source[0]) if source else "",
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def find(product: str | None, setting: str | None, kind: str | None = None) -> Known | None:
    """The entry of a product's setting, by the setting's name, else by the kind of cap; null where there is none."""
    mine = [one for one in catalog() if one.product == product]
    if setting:
        for wanted in (setting, setting.rpartition(".")[2]):
            word = re.compile(rf"(?<![\w.-]){re.escape(wanted)}(?![\w-])", re.IGNORECASE)
            named = [one for one in mine if word.search(one.setting)]
            if named:
                return min(named, key=lambda one: len(one.setting))
        return None
    fitting = [one for one in mine if kind in one.kinds]
    return fitting[0] if len(fitting) == 1 else None
