"""Checks of uses that span several fields: names, and shapes that the matrix never makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.scenario.cells import Cell
from harness.scenario.findings import Findings, as_list, as_map
from harness.scenario.reader import Path
from harness.scenario.words import listing, show


def check_uses(tree: Mapping[str, object], cells: Sequence[Cell], findings: Findings) -> None:
    """Each name once, and some cell of the matrix in each size and format: a use that nothing can serve is a slip."""
    names: list[object] = []
    for index, use in enumerate(as_map(item) for item in as_list(tree.get("uses"))):
        path: Path = ("uses", index)
        name = use.get("name")
        if name in names:
            findings.add((*path, "name"), f"there is a use {show(name)} already", "give another name")
        names.append(name)
        for key, made in (
            ("sizes", {cell.size for cell in cells}),
            ("formats", {cell.output_format or "png" for cell in cells}),
        ):
            wanted = as_list(use.get(key))
            if wanted and not findings.under("uses") and not made & set(wanted):
                found = listing(sorted(str(one) for one in made if one is not None)) or "none"
                findings.add((*path, key), f"no cell is made in any of these {key}", f"the matrix has {found}")
