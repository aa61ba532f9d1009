"""One ordered list of changes for a chain: what is to be widened, by whom, to what; and what helps where nobody can."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from harness.chain.analysis import Bite, ChainView, patience
from harness.chain.model import Kind, layers_of
from harness.chain.settings import known_of, line_for

HEADROOM = 1.25  # above what is needed; the same as a diagnosis uses
STEP_S = 30  # caps are set in round numbers
APART_S = 10  # between the caps of two layers, so that the inner one gives up first and can say so
_WAITS: tuple[Kind, ...] = ("total", "first_byte", "idle")


@dataclass(frozen=True)
class Change:
    """One step. `to_s` null: this cap cannot be widened far enough, and `instead` is the way."""

    number: int
    action: Literal["widen", "go_around", "narrow"]
    layer: str
    product: str | None
    setting: str | None
    kinds: tuple[Kind, ...]
    from_s: float
    to_s: float | None
    line: str | None  # in the product's own words
    set_by: str | None
    why: str
    instead: str | None = None


@dataclass
class _Need:
    bite: Bite
    cells: list[str]
    need_s: float
    way: str | None


def changes(view: ChainView) -> tuple[Change, ...]:
    """What to change, in order: the cap that fires first comes first, because it hides the next one.

    Only what bites is widened, and no further than is needed: a layer that is left alone stays outside of it.
    """
    needs = _needs(view)
    targets = _targets(view, needs)
    steps = [_step(need, targets[key]) for key, need in needs.items()]
    steps.sort(key=lambda step: step.from_s)
    steps += _narrowed(view, needs, targets)
    return tuple(_numbered(step, number) for number, step in enumerate(steps, start=1))


def _numbered(step: Change, number: int) -> Change:
    return replace(step, number=number)


_Key = tuple[str, str]


def _key(layer: str, setting: str | None, kind: str) -> _Key:
    return (layer, setting or kind)


def _needs(view: ChainView) -> dict[_Key, _Need]:
    found: dict[_Key, _Need] = {}
    for cell in view.cells:
        for bite in cell.bites:
            need = max(cell.wait.allowed(kind) or 0.0 for kind in bite.kinds)
            key = _key(bite.layer, bite.setting, bite.kinds[0])
            one = found.setdefault(key, _Need(bite, [], 0.0, None))
            one.cells.append(cell.wait.cell)
            if need >= one.need_s:
                one.need_s, one.bite, one.way = need, bite, _way(bite, cell.wait.streamed_silence_s)
    return found


def _way(bite: Bite, silence: float | None) -> str:
    """What helps without this cap being moved."""
    if "total" in bite.kinds:
        return "hand back a job id and poll: this cap counts the whole call, and no stream or heartbeat resets it"
    if silence is not None and silence < bite.cap_s:
        return f"stream with previews: the longest silence is then about {silence:.0f} s"
    early = "send the headers at once, and " if "first_byte" in bite.kinds else ""
    return f"{early}a heartbeat at least every {bite.cap_s / 3:.0f} s from behind this layer"


def _targets(view: ChainView, needs: dict[_Key, _Need]) -> dict[_Key, float]:
    """New values, from the inside outwards. Each outer one stays a little longer than those behind it."""
    targets: dict[_Key, float] = {}
    inner = 0.0
    layers = layers_of(view.caps)
    for at in range(len(layers) - 1, -1, -1):
        name, _ = layers[at]
        mine = {key: need for key, need in needs.items() if key[0] == name}
        for key, need in mine.items():
            wanted = math.ceil(need.need_s * HEADROOM / STEP_S) * STEP_S
            stays = _staying(view, needs, at)
            if stays is not None and need.need_s <= stays - APART_S < wanted:
                wanted = math.floor(stays - APART_S)
            targets[key] = float(max(wanted, inner + APART_S if inner else 0.0))
        if mine:
            inner = max(inner, *(targets[key] for key in mine))
    return targets


def _staying(view: ChainView, needs: dict[_Key, _Need], at: int) -> float | None:
    """The lowest cap of the layers further out that stays as it is."""
    outer = [cap for _, caps in layers_of(view.caps)[:at] for cap in caps]
    kept = [cap for cap in outer if _key(cap.layer, cap.setting, cap.kind) not in needs]
    return patience(kept, _WAITS)


def _step(need: _Need, target: float) -> Change:
    bite = need.bite
    known = known_of(bite.product, bite.setting, bite.kinds[0])
    most = f"about {bite.wait_s:.0f} s expected" if bite.most else f"slow jobs need {need.need_s:.0f} s"
    cells = f"{len(need.cells)} cell{'s' if len(need.cells) != 1 else ''}"
    why = f"cuts {cells} ({', '.join(need.cells[:3])}{', …' if len(need.cells) > 3 else ''}): {most}"
    to_s: float | None = target
    if known is not None and known.fixed:
        to_s, why = None, f"{why}; nobody can change it"
    elif known is not None and known.max_s is not None and target > known.max_s:
        to_s = known.max_s if known.max_s >= need.need_s else None
        why = f"{why}; {known.max_s:g} s is the most that it can be set to"
    line = None
    if to_s is not None:
        line = line_for(bite.product, bite.setting, to_s) or (known.example if known is not None else None)
    return Change(
        number=0,
        action="go_around" if to_s is None else "widen",
        layer=bite.layer,
        product=bite.product,
        setting=bite.setting or (known.setting if known is not None else None),
        kinds=bite.kinds,
        from_s=bite.cap_s,
        to_s=to_s,
        line=line,
        set_by=known.set_by if known is not None else None,
        why=why,
        instead=need.way,
    )


def _narrowed(view: ChainView, needs: dict[_Key, _Need], targets: dict[_Key, float]) -> list[Change]:
    """Inner layers that would still outlive an outer one: lowered under it, where nothing is cut by that."""
    steps: list[Change] = []
    longest = max((cell.wait.needed_s or cell.wait.whole_s or 0.0 for cell in view.cells), default=0.0)
    outer_s: float | None = None
    for name, caps in layers_of(view.caps):
        after = [(targets.get(_key(cap.layer, cap.setting, cap.kind), cap.cap_s), cap) for cap in caps]
        known = [(value, cap) for value, cap in after if value is not None and cap.kind in _WAITS]
        if not known:
            continue
        mine, cap = min(known, key=lambda pair: pair[0])
        wanted = None if outer_s is None else math.floor(outer_s - APART_S)
        if wanted is not None and outer_s is not None and mine >= outer_s:
            untouched = _key(cap.layer, cap.setting, cap.kind) not in needs
            if longest and wanted >= longest and untouched and cap.setting:
                kinds = tuple(one.kind for value, one in known if one.setting == cap.setting)
                why = f"outlives the layers in front of it ({outer_s:g} s): what it still waits for, nobody gets"
                line = line_for(cap.product, cap.setting, wanted)
                steps.append(
                    Change(0, "narrow", name, cap.product, cap.setting, kinds, mine, float(wanted), line, None, why)
                )
                mine = float(wanted)
        outer_s = mine if outer_s is None else min(outer_s, mine)
    return steps
