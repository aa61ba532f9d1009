"""Checks of hypotheses that span several fields: names, and jobs that never come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.scenario.cells import Cell, where_text
from harness.scenario.findings import Findings, as_list, as_map
from harness.scenario.hypotheses import read_selector
from harness.scenario.reader import Path
from harness.scenario.words import Mistake, listing, nearest, show


def check_hypotheses(tree: Mapping[str, object], cells: Sequence[Cell], findings: Findings) -> None:
    """Each name once, contradictions by names that are there, and some cell of the matrix for every selector."""
    claims = [as_map(item) for item in as_list(tree.get("hypotheses"))]
    names = [claim.get("name") for claim in claims]
    known = [name for name in names if isinstance(name, str)]
    classes = [str(as_map(prompt).get("complexity")) for prompt in as_list(tree.get("prompts"))]
    for index, claim in enumerate(claims):
        path: Path = ("hypotheses", index)
        if names[index] in names[:index]:
            findings.add((*path, "name"), f"there is a claim {show(names[index])} already", "give another name")
        for at, other in enumerate(as_list(claim.get("contradicts"))):
            if other not in known or other == names[index]:
                near = nearest(str(other), [name for name in known if name != names[index]])
                fix = f"write {near}" if near else f"write one of {listing(known[:6])}"
                findings.add((*path, "contradicts", at), f"there is no other claim {show(other)}", fix)
        for part in (("measure", "where"), ("compare", "a"), ("compare", "b")):
            given = as_map(claim.get(part[0])).get(part[1])
            if isinstance(given, dict) and not findings.known((*path, *part)) and not _hits(given, cells, classes):
                findings.add((*path, *part), "no cell is selected here", "use values that the matrix has")


def _hits(given: Mapping[str, object], cells: Sequence[Cell], classes: Sequence[str]) -> bool:
    """Whether some job of this scenario will match. How many run at once is a matter of the run, so it is not asked."""
    try:
        selector = read_selector(dict(given))
    except Mistake:
        return True  # reported with the field
    assert isinstance(selector, dict)
    wanted = {key: values for key, values in selector.items() if key != "concurrency"}
    complexity = wanted.pop("prompt_complexity", None)
    if complexity is not None and not set(complexity) & {"null" if name == "None" else name for name in classes}:
        return False
    return any(all(where_text(cell, key) in values for key, values in wanted.items()) for cell in cells)
