"""A declared chain against expected waits: what is cut and by whom, where work goes on for nobody, what would help.

A layer is as patient as its lowest cap that counts. The layer that gives up first ends the call for the user, and
whatever lies behind it goes on for nobody: an orphan. That happens wherever an inner layer outlives an outer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from harness.chain.model import PREVIEWS, Cap, Kind, Wait, layers_of
from harness.chain.settings import known_of

Rescue = Literal["yes", "no", "unknown"]
_WAITS: tuple[Kind, ...] = ("total", "first_byte", "idle")
_SAME = 0.01  # two caps that are this close fire in an order that nobody can foretell


@dataclass(frozen=True)
class Bite:
    """A cap that is shorter than a cell's wait. `most`: at the expected time already; else only slow jobs meet it."""

    layer: str
    product: str | None
    setting: str | None
    kinds: tuple[Kind, ...]
    cap_s: float
    wait_s: float
    most: bool


@dataclass(frozen=True)
class Orphan:
    """Where the work goes on for nobody: behind `layer`, which gives up at `at_s`."""

    layer: str
    at_s: float
    outlived_by: tuple[str, ...]  # layers behind it that wait longer, or whose caps are not known
    goes_on: str | None  # what the catalog says happens behind this product: yes, no, never_reached, unknown


@dataclass(frozen=True)
class Way:
    """Whether a way of keeping bytes flowing saves a cell from every cap that bites, and why."""

    rescues: Rescue
    why: str


@dataclass(frozen=True)
class CellView:
    """One cell of the scenario against the chain. `bites`: what fires first comes first."""

    wait: Wait
    bites: tuple[Bite, ...]
    orphan: Orphan | None
    streaming: Way | None  # null where nothing has to be saved
    heartbeats: Way | None


@dataclass(frozen=True)
class Inversion:
    """An inner layer outlives an outer one. `tie`: they are so close that either may fire first."""

    outer: str
    outer_s: float
    inner: str
    inner_s: float
    jobs: Literal["plain", "streamed"]
    kinds: tuple[Kind, ...]
    tie: bool
    met: bool  # a cell is expected to wait that long


@dataclass(frozen=True)
class ChainView:
    """Everything that is known of a chain before it is used."""

    caps: tuple[Cap, ...]
    lowest: dict[str, Cap]  # by kind
    cells: tuple[CellView, ...]
    inversions: tuple[Inversion, ...]


def look_at(caps: Sequence[Cap], waits: Sequence[Wait]) -> ChainView:
    """Look at a chain, outermost layer first. Pure."""
    cells = tuple(_cell(caps, wait) for wait in waits)
    lowest: dict[str, Cap] = {}
    for kind in get_args(Kind):
        known = [cap for cap in caps if cap.kind == kind and cap.cap_s is not None]
        if known:
            lowest[kind] = min(known, key=lambda cap: cap.cap_s or 0.0)
    return ChainView(tuple(caps), lowest, cells, tuple(_inversions(caps, cells)))


def _cell(caps: Sequence[Cap], wait: Wait) -> CellView:
    bites = _bites(caps, wait)
    if not bites:
        return CellView(wait, (), None, None, None)
    return CellView(wait, bites, _orphan(caps, bites[0], wait), _streaming(bites, wait), _heartbeats(bites))


def _bites(caps: Sequence[Cap], wait: Wait) -> tuple[Bite, ...]:
    """Caps of one setting are one bite, whatever kinds they count."""
    found: dict[tuple[str, str, float], Bite] = {}
    for cap in caps:
        expected, allowed = wait.under(cap.kind), wait.allowed(cap.kind)
        if cap.cap_s is None or expected is None or allowed is None or cap.cap_s >= max(expected, allowed):
            continue
        key = (cap.layer, cap.setting or cap.kind, cap.cap_s)
        before = found.get(key)
        found[key] = Bite(
            layer=cap.layer,
            product=cap.product,
            setting=cap.setting,
            kinds=(*before.kinds, cap.kind) if before else (cap.kind,),
            cap_s=cap.cap_s,
            wait_s=max(expected, before.wait_s) if before else expected,
            most=cap.cap_s < expected or (before is not None and before.most),
        )
    order = [name for name, _ in layers_of(caps)]
    return tuple(sorted(found.values(), key=lambda bite: (bite.cap_s, order.index(bite.layer))))


def _orphan(caps: Sequence[Cap], first: Bite, wait: Wait) -> Orphan:
    layers = layers_of(caps)
    at = [name for name, _ in layers].index(first.layer)
    kinds: tuple[Kind, ...] = ("total",) if wait.streamed and first.kinds == ("total",) else _WAITS
    behind = [(name, patience(theirs, kinds)) for name, theirs in layers[at + 1 :]]
    known = known_of(first.product, first.setting, first.kinds[0])
    return Orphan(
        layer=first.layer,
        at_s=first.cap_s,
        outlived_by=tuple(name for name, lasts in behind if lasts is None or lasts > first.cap_s),
        goes_on=known.goes_on if known is not None else None,
    )


def patience(caps: Sequence[Cap], kinds: Sequence[Kind]) -> float | None:
    """How long a layer waits: the lowest of its caps of these kinds; null where none is known."""
    return min((cap.cap_s for cap in caps if cap.kind in kinds and cap.cap_s is not None), default=None)


def _streaming(bites: Sequence[Bite], wait: Wait) -> Way:
    total = next((bite for bite in bites if "total" in bite.kinds), None)
    if total is not None:
        return Way("no", f"{total.layer} counts the whole call ({total.cap_s:g} s), whatever flows")
    if wait.streamed and wait.streamed_silence_s is None:
        return Way("no", "it streams already")
    silence = wait.streamed_silence_s
    if silence is None:
        return Way("unknown", "how long a stream with previews would be silent is not known")
    lowest = min(bite.cap_s for bite in bites)
    if silence < lowest:
        return Way("yes", f"with {PREVIEWS} previews the longest silence is about {silence:.0f} s, under {lowest:g} s")
    return Way("no", f"with {PREVIEWS} previews it is still silent for about {silence:.0f} s, and {lowest:g} s is all")


def _heartbeats(bites: Sequence[Bite]) -> Way:
    total = next((bite for bite in bites if "total" in bite.kinds), None)
    if total is not None:
        return Way("no", f"{total.layer} counts the whole call ({total.cap_s:g} s), whatever flows")
    lowest = min(bite.cap_s for bite in bites)
    early = " with the headers sent at once" if any("first_byte" in bite.kinds for bite in bites) else ""
    return Way("yes", f"a byte at least every {lowest / 3:.0f} s{early}, from behind all of these layers")


def _inversions(caps: Sequence[Cap], cells: Sequence[CellView]) -> list[Inversion]:
    """For each outer layer the nearest inner one that outlives it. Without a stream every wait is the same wait; with
    one only caps of the same kind can be compared."""
    views: list[tuple[Literal["plain", "streamed"], tuple[Kind, ...]]] = []
    if not cells or any(not cell.wait.streamed and not cell.wait.polls for cell in cells):
        views.append(("plain", _WAITS))
    if any(cell.wait.streamed for cell in cells):
        views += [("streamed", ("total",)), ("streamed", ("idle",))]
    found: list[Inversion] = []
    layers = layers_of(caps)
    for jobs, kinds in views:
        for at, (outer, theirs) in enumerate(layers):
            outer_s = patience(theirs, kinds)
            for inner, others in layers[at + 1 :] if outer_s is not None else ():
                inner_s = patience(others, kinds)
                if outer_s is None or inner_s is None or inner_s < outer_s * (1 - _SAME):
                    continue
                met = any(
                    bite.layer == outer and bite.cap_s == outer_s
                    for cell in cells
                    if cell.wait.streamed == (jobs == "streamed")
                    for bite in cell.bites
                )
                tie = inner_s <= outer_s * (1 + _SAME)
                found.append(Inversion(outer, outer_s, inner, inner_s, jobs, kinds, tie, met))
                break
    return found
