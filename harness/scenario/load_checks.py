"""What does not go together under `load`."""

from __future__ import annotations

from collections.abc import Mapping

from harness.scenario.findings import Findings, as_map

# field → the field without which it means nothing
_NEEDS = {"arrivals": "rate", "max_in_flight": "rate", "when_full": "rate", "gap": "batch"}


def faults(load: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """What does not go together, as (field, what is wrong, what to do). `load` as it was written."""
    found = []
    shapes = [name for name in ("concurrency", "rate", "batch") if load.get(name) is not None]
    for other in shapes[1:]:
        found.append((other, f"{shapes[0]} and {other} are both given", "keep one: they are different kinds of load"))
    for name, needed in _NEEDS.items():
        if load.get(name) is not None and load.get(needed) is None:
            found.append((name, f"{name} means something with `{needed}` only", f"add `{needed}:`, or take it out"))
    if load.get("when_full") == "drop" and load.get("max_in_flight") is None:
        found.append(("when_full", "nothing is ever full without a limit", "add `max_in_flight:`"))
    if load.get("ramp") is not None and load.get("batch") is not None:
        found.append(("ramp", "batches do not rise", "use `concurrency` or `rate` with a ramp"))
    return found


def check_load(tree: Mapping[str, object], findings: Findings) -> None:
    """The fields of `load` that exclude or need each other."""
    if findings.under("load"):
        return
    for name, wrong, fix in faults(as_map(tree.get("load"))):
        findings.add(("load", name), wrong, fix)
