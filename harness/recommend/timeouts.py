"""The timeout that goes with a cell, and what every cap on its route should then be.

It comes from the censored curve, never from successes alone: the upper limit of the p99's interval where there is one,
else of the p95's, times `HEADROOM`, in round numbers. p95 takes p99's place only for want of jobs. Where jobs were cut,
a timeout at or below the moment of a cut would be one that is known to cut; nothing is said then but how far to widen.

The innermost cap gets that value, and each layer further out stays `APART_S` longer, so that who gives up first is the
one that can say so (`harness.chain.changes`, whose headroom and distance these are).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.chain.changes import APART_S, HEADROOM
from harness.chain.known import Known
from harness.chain.model import OURS, Cap, Kind, layers_of
from harness.chain.settings import known_of, line_for
from harness.recommend.candidate import Candidate
from harness.recommend.model import CapAction, LayerTimeout, Timeout
from harness.recommend.needs import jobs_for_upper_limit
from harness.recommend.words import plural, seconds
from harness.stats import Curve

WIDER = 2.0  # for the next measurement, where cuts hide how long jobs would have taken
_STEPS = ((30.0, 1.0), (60.0, 5.0), (180.0, 10.0), (math.inf, 30.0))  # up to so many s: in steps of so many


def round_up(s: float) -> float:
    """A cap as people write it: 17, 55, 110 or 330 s."""
    step = next(step for most, step in _STEPS if s <= most)
    return float(math.ceil(s / step - 1e-9) * step)


def timeout_of(cell: Candidate, all_cells: Sequence[Candidate] = ()) -> Timeout:
    """The timeout of one cell, and its route's caps with it. A layer that slower cells of the same route pass as well
    (`all_cells`) is not narrowed under them: only our own timeout is a matter of each request."""
    shared = _slower(cell, all_cells)
    p, upper = _upper(cell.curve)
    earliest, latest = cell.cuts_ms or (None, None)
    wanted = None if upper is None else round_up(upper / 1000 * HEADROOM)
    if latest is not None and (wanted is None or wanted * 1000 <= latest):
        widen = round_up(latest / 1000 * WIDER)
        why = (
            f"Not estimable: cut at {seconds(earliest)}"
            + (f" to {seconds(latest)}" if earliest != latest and seconds(earliest) != seconds(latest) else "")
            + f" ({cell.curve.censored} of {plural(cell.curve.n, 'job')}); "
            + f"widen to at least {widen:g} s and measure again."
        )
        return Timeout(
            timeout_s=None,
            statistic=None,
            upper_ms=None,
            headroom=HEADROOM,
            why=why,
            widen_to_s=widen,
            layers=_layers(cell, None, None, False),
        )
    if wanted is None or p is None or upper is None:
        need = jobs_for_upper_limit(0.95)
        why = f"Not estimable: {plural(cell.curve.n, 'job')}, and an upper limit of p95 takes {need}."
        return Timeout(timeout_s=None, statistic=None, upper_ms=None, headroom=HEADROOM, why=why)
    rows = _layers(cell, wanted, upper / 1000, shared is not None)
    ours = next((row.should_be_s for row in rows if row.layer == OURS and "total" in row.kinds), None)
    name = f"p{100 * p:g}"
    why = (
        f"Upper limit of {name}: {seconds(upper)}, from {plural(cell.curve.n, 'job')}"
        + (f" with {cell.curve.censored} cut" if cell.curve.censored else "")
        + f". Times {HEADROOM:g} that is {wanted:g} s for the innermost cap, and {APART_S} s more for each further out."
    )
    return Timeout(
        timeout_s=ours if ours is not None else wanted,
        statistic=name,
        upper_ms=round(upper, 3),
        headroom=HEADROOM,
        why=why,
        shared=""
        if shared is None
        else f"{shared} goes over the same route and takes longer: give this timeout with each request, and leave "
        "what both pass wide enough for it.",
        layers=rows,
    )


def _slower(cell: Candidate, all_cells: Sequence[Candidate]) -> str | None:
    """The slowest other cell on this route, as far as it was watched, when it is slower than this one."""
    others = [
        (float(one.curve.x[-1]), one.label) for one in all_cells if one.route == cell.route and one is not cell
        and one.curve.n
    ]  # fmt: skip
    slowest = max(others, default=None)
    return slowest[1] if slowest is not None and cell.curve.n and slowest[0] > float(cell.curve.x[-1]) else None


def _upper(curve: Curve) -> tuple[float | None, float | None]:
    """p and the upper limit of its interval, in ms."""
    for p in (0.99, 0.95):
        found = curve.quantile(p)
        if found.n >= jobs_for_upper_limit(p) and found.high is not None:
            return p, found.high
        if found.censored:
            break  # cut, not few: a lower quantile would only hide it
    return None, None


@dataclass
class _Row:
    cap: Cap
    kinds: list[Kind]
    known: Known | None
    counts: str  # what this cap counts for this cell: "whole", "silence" or "" when it does not bite
    should: float | None = None
    note: str = ""


def _layers(cell: Candidate, wanted: float | None, need: float | None, shared: bool) -> tuple[LayerTimeout, ...]:
    """Every cap that counts while this cell waits, outermost first; ours is one of them, declared or not."""
    caps = list(cell.caps)
    if not any(cap.layer == OURS and cap.kind == "total" for cap in caps):
        at = next((index for index, cap in enumerate(caps) if cap.layer != OURS), len(caps))
        caps.insert(at, Cap(layer=OURS, product="harness", kind="total", cap_s=None, setting="timeouts.total"))
    grouped = [(name, _rows(cell, theirs)) for name, theirs in layers_of(caps)]
    grouped = [(name, rows) for name, rows in grouped if rows]
    silence = None if cell.silence is None else _upper(cell.silence)[1]
    quiet = None if silence is None else round_up(silence / 1000 * HEADROOM)
    for what, base, floor in (("whole", wanted, need), ("silence", quiet, None if silence is None else silence / 1000)):
        if base is not None and floor is not None:
            _assign([[row for row in rows if row.counts == what] for _, rows in grouped], base, floor)
    return tuple(_told(name, row, shared) for name, rows in grouped for row in rows)


def _rows(cell: Candidate, caps: Sequence[Cap]) -> list[_Row]:
    """The caps of a layer that count here; those of one setting are one row. Of streams the headers may come early, so
    that nothing is said of a first byte, and an idle cap counts the silence between two events."""
    rows: dict[tuple[str, float | None], _Row] = {}
    for cap in caps:
        counts = ""
        if cap.kind == "total":
            counts = "whole"
        elif cap.kind == "idle":
            counts = "silence" if cell.stream else "whole"
        elif cap.kind == "first_byte" and not cell.stream:
            counts = "whole"
        if not counts:
            continue
        key = (cap.setting or cap.kind, cap.cap_s)
        if key in rows:
            rows[key].kinds.append(cap.kind)
        else:
            rows[key] = _Row(cap, [cap.kind], known_of(cap.product, cap.setting, cap.kind), counts)
    return list(rows.values())


def _assign(layers: list[list[_Row]], base: float, need: float) -> None:
    """New values: from the inside outwards, each layer a little longer than those behind it; then, where a cap that
    nobody can move stands further out, from there inwards under it, as long as that cuts nothing."""
    at = base
    inner = False
    for rows in reversed(layers):
        movable = [row for row in rows if row.cap.cap_s is not None or row.cap.layer == OURS]
        if not movable:
            continue
        at += APART_S if inner else 0.0
        inner = True
        for row in movable:
            row.should = _reachable(row, at, need)
    ceiling = math.inf
    for rows in layers:
        for row in rows:
            if row.should is None or _is_fixed(row):
                continue
            if row.should >= ceiling:
                under = ceiling - APART_S
                if under >= need:
                    row.should = float(math.floor(under))
                elif not row.note:
                    row.note = "there is no room for it under the layers further out"
        mine = [row.cap.cap_s if _is_fixed(row) else row.should for row in rows]
        ceiling = min([ceiling, *(value for value in mine if value is not None)])


def _is_fixed(row: _Row) -> bool:
    return row.known is not None and row.known.fixed


def _reachable(row: _Row, wanted: float, need: float) -> float | None:
    """What this cap can be set to; null with a note where that is not enough."""
    known, today = row.known, row.cap.cap_s
    if known is not None and known.fixed:
        if today is not None and today < need:
            row.note = "nobody can change it, and it cuts: go around it, with a job id or a stream"
            return None
        row.note = "nobody can change it"
        return today
    if known is not None and known.max_s is not None and wanted > known.max_s:
        if known.max_s < need:
            row.note = f"{known.max_s:g} s is the most that it can be set to, and it cuts: go around it"
            return None
        row.note = f"{known.max_s:g} s is the most that it can be set to"
        return known.max_s
    return wanted


def _told(layer: str, row: _Row, shared: bool) -> LayerTimeout:
    today, should = row.cap.cap_s, row.should
    if shared and layer != OURS and should is not None and today is not None and should < today:
        should, row.note = today, row.note or "slower cells pass it too"
    action: CapAction
    if should is None:
        action = "go_around" if row.note else "unknown"
    elif today is None:
        action = "set"
    else:
        action = "widen" if should > today else "narrow" if should < today else "keep"
    note = row.note
    if action == "unknown" and not note:
        note = "its cap is not known" if today is None and layer != OURS else "nothing can be said yet"
    return LayerTimeout(
        layer=layer,
        product=row.cap.product,
        setting=row.cap.setting,
        kinds=tuple(row.kinds),
        today_s=today,
        should_be_s=should,
        action=action,
        line=None if should is None or action == "keep" else line_for(row.cap.product, row.cap.setting, should),
        note=note,
    )
