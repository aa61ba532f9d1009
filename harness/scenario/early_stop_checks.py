"""Checks of `early_stop` that need the cells: rules that could never settle anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from harness.scenario.cells import Cell
from harness.scenario.early_stop import EarlyStopSpec, pairs, watched
from harness.scenario.findings import Findings, as_list, as_map


def check_early_stop(tree: Mapping[str, object], cells: Sequence[Cell], findings: Findings) -> None:
    """Every rule has cells, every comparison has pairs, and blocks are left that need not be sent."""
    if "early_stop" not in tree or findings.under("early_stop"):
        return
    try:
        spec = EarlyStopSpec.model_validate(tree["early_stop"])
    except ValidationError:
        return  # reported with the fields
    if spec.interval is not None and not watched(spec.model_copy(update={"compare": ()}), cells):
        findings.add(("early_stop", "interval", "where"), "no cell is selected here", "use values that the matrix has")
    for index in range(len(as_list(as_map(tree["early_stop"]).get("compare")))):
        rule = spec.compare[index]
        if not pairs(rule.a, rule.b, cells):
            findings.add(
                ("early_stop", "compare", index),
                "no cell of `a` has a partner in `b` that agrees on all other fields",
                "use values that the matrix has, and name every field in which the two differ",
            )
    repeats = tree.get("repeats", 1)
    if isinstance(repeats, int) and spec.after_blocks >= repeats:
        findings.add(
            ("early_stop", "after_blocks") if "after_blocks" in as_map(tree["early_stop"]) else ("early_stop",),
            f"with {repeats} {'block' if repeats == 1 else 'blocks'} there is nothing to leave out after "
            f"{spec.after_blocks}",
            "raise repeats, lower after_blocks, or take early_stop out",
        )
