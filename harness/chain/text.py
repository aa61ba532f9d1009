"""A chain for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.chain.analysis import CellView, ChainView
from harness.chain.changes import Change
from harness.chain.model import Cap, layers_of


def lines(view: ChainView, steps: Sequence[Change]) -> Iterator[str]:
    """The caps, what they do to the cells, and the one list of changes."""
    yield from cap_lines(view.caps)
    if view.lowest:
        told = [f"{words(kind)} {cap.cap_s:g} s ({cap.layer})" for kind, cap in view.lowest.items()]
        yield f"lowest: {' · '.join(told)}"
    for cell in view.cells:
        yield from _cell(cell)
    for one in view.inversions:
        bears = "orphans are born between these two"
        if not one.met:
            bears = "no cell here waits that long" if view.cells else f"{bears}, of jobs that last longer"
        how = "as patient as" if one.tie else "outlives"
        pair = f"{one.inner} ({one.inner_s:g} s) {how} {one.outer} ({one.outer_s:g} s)"
        yield f"inverted, {one.jobs} jobs: {pair}; {'either may fire first' if one.tie else bears}"
    if not view.cells:
        return
    yield "changes:" if steps else "changes: none; nothing here bites"
    for step in steps:
        yield from _step(step)


def cap_lines(caps: Sequence[Cap]) -> Iterator[str]:
    """The layers with their caps, outermost first."""
    yield "chain, outermost first:" if caps else "chain: none declared"
    for name, theirs in layers_of(caps):
        product = theirs[0].product
        yield f"  {name}{f' ({product})' if product and product != name else ''}"
        for value_of in dict.fromkeys((cap.setting, cap.cap_s) for cap in theirs):
            same = [cap for cap in theirs if (cap.setting, cap.cap_s) == value_of]
            kinds = ", ".join(words(cap.kind) for cap in same)
            none = "no cap" if same[0].known else "not known"
            value = none if same[0].cap_s is None else f"{same[0].cap_s:g} s"
            origin = "the product's default; nobody set it" if same[0].default else same[0].place
            yield f"    {value_of[0] or 'cap'} {value} [{kinds}]{f'  {origin}' if origin else ''}"


def _cell(cell: CellView) -> Iterator[str]:
    wait = cell.wait
    if wait.polls:
        yield f"cell {wait.cell}: it polls; no call of it lasts as long as the image does"
        return
    if wait.whole_s is None:
        yield f"cell {wait.cell}: not known beforehand ({wait.note})"
        return
    silent = f", silent for {wait.silence_s:.0f} s" if wait.streamed and wait.silence_s is not None else ""
    yield f"cell {wait.cell}: about {wait.whole_s:.0f} s{silent} ({wait.basis})"
    if not cell.bites:
        yield "  passes"
    for bite in cell.bites:
        how = "cuts it" if bite.most else "cuts its slow jobs"
        kinds = ", ".join(map(words, bite.kinds))
        yield f"  {how}: {bite.layer} {bite.setting or ''} at {bite.cap_s:g} s [{kinds}]".replace("  at", " at")
    if cell.orphan is not None:
        behind = f" ({', '.join(cell.orphan.outlived_by)})" if cell.orphan.outlived_by else ""
        goes_on = {"yes": "goes on for nobody", "no": "ends with it", "never_reached": "was never reached"}
        told = goes_on.get(cell.orphan.goes_on or "", "may go on for nobody")
        yield f"  at {cell.orphan.at_s:g} s {cell.orphan.layer} gives up; what lies behind it{behind} {told}"
    for name, way in (("previews", cell.streaming), ("heartbeats", cell.heartbeats)):
        if way is not None:
            yield f"  {name} rescue it: {way.rescues}; {way.why}"


def _step(step: Change) -> Iterator[str]:
    who = f", set by {step.set_by}" if step.set_by else ""
    setting = step.setting or "its cap"
    if step.to_s is None:
        yield f"  {step.number}. go around {step.layer}: {setting} stays at {step.from_s:g} s"
    else:
        yield f"  {step.number}. {step.action} {setting} of {step.layer} from {step.from_s:g} s to {step.to_s:g} s{who}"
    yield f"     because it {step.why}"
    if step.line:
        yield f"     {step.line}"
    if step.instead:
        yield f"     {'instead' if step.to_s is None else 'or'}: {step.instead}"


def words(kind: str) -> str:
    return kind.replace("_", " ")
