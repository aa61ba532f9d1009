"""The timeout budget of a run: the share of jobs that each layer cuts at its cap, and would cut at another one.

Each cap is asked by itself, as if no other were there: jobs that a lower one cut count as lasting at least until then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.chain.model import OURS, Cap, declared
from harness.diagnosis.cap_clocks import Jobs, load_jobs
from harness.errors import UsageProblem
from harness.stats.beyond import Beyond, share_beyond

_KINDS = ("total", "first_byte", "idle")
_ASKED = re.compile(r"\s*([^=:,\s]+)(?::(total|first_byte|idle))?\s*=\s*(\d{1,6}(?:\.\d{1,6})?)\s*(s|m)?\s*")


@dataclass(frozen=True)
class CapShare:
    """One cap of one layer: what it cuts now, alone, and at the proposed value."""

    route: str
    layer: str
    setting: str | None
    kind: str
    cap_s: float | None
    now: Beyond | None
    seen: int  # jobs that the diagnosis ascribes to this layer
    proposed_s: float | None = None
    proposed: Beyond | None = None


@dataclass(frozen=True)
class Budget:
    """The rows of a run. `times_of`: the route whose jobs were asked, where it is another one."""

    run_id: str
    rows: tuple[CapShare, ...]
    times_of: str | None
    notes: tuple[str, ...]


def shares_of_run(run_dir: Path, route: str | None, at: str | None, times_of: str | None) -> Budget:
    """The budget of a run's declared chains, our own timeouts in front of them.

    `at` is ``LAYER=SECONDS`` or ``LAYER:KIND=SECONDS``, several with commas.

    Raises:
        UsageProblem: no run, no such route or layer, or `at` cannot be read.
    """
    jobs = load_jobs(run_dir)
    routes = {one.name: one for one in jobs.conditions.routes}
    for name in (route, times_of):
        if name is not None and name not in routes:
            raise UsageProblem(f"the run has no route {name}; it has {', '.join(routes)}")
    chains = {name: declared(one.chain, jobs.conditions.caps) for name, one in routes.items() if route in (None, name)}
    asked = parse_at(at or "", {cap.layer for caps in chains.values() for cap in caps})
    notes: list[str] = []
    rows: list[CapShare] = []
    for name, caps in chains.items():
        if routes[name].kind == "task":
            notes.append(f"route {name} polls: no call of it lasts as long as the image does")
            continue
        rows += _rows(jobs, name, caps, asked, times_of)
        out = jobs.left_out(jobs.on(times_of or name))
        if out and caps:
            notes.append(f"route {name}: {out} jobs were refused or ended unexplained; they say nothing here")
    if times_of is not None:
        notes.append(f"by the times of route {times_of}, of the shapes that each route asks for")
    return Budget(jobs.conditions.run_id, tuple(rows), times_of, tuple(notes))


def _rows(
    jobs: Jobs, route: str, caps: tuple[Cap, ...], asked: Mapping[tuple[str, str], float], times_of: str | None
) -> Iterator[CapShare]:
    where = jobs.on(route)
    by_layer, settings, products = (
        jobs.verdicts.table[name].astype(object).to_numpy() for name in ("layer", "setting", "product")
    )
    ours = np.where(products == "harness", settings, "")  # the client's caps are told apart by their settings
    if times_of is not None:
        shapes = jobs.shapes()
        wanted = jobs.on(times_of) & np.isin(shapes, np.unique(shapes[where]))
    else:
        wanted = where
    for cap in caps:
        if cap.kind not in _KINDS:
            continue
        clock = jobs.clock(cap.kind, wanted)
        proposed = asked.get((cap.layer, cap.kind), asked.get((cap.layer, "")))
        yield CapShare(
            route=route,
            layer=cap.layer,
            setting=cap.setting,
            kind=cap.kind,
            cap_s=cap.cap_s,
            now=None if cap.cap_s is None else share_beyond(clock.times, clock.censored, cap.cap_s),
            seen=int(np.count_nonzero(where & (ours == cap.setting if cap.layer == OURS else by_layer == cap.layer))),
            proposed_s=proposed,
            proposed=None if proposed is None else share_beyond(clock.times, clock.censored, proposed),
        )


def parse_at(text: str, layers: set[str]) -> dict[tuple[str, str], float]:
    """``edge=120,gateway:idle=300`` → seconds by layer and kind; the kind is empty where all kinds are meant.

    Raises:
        UsageProblem: it cannot be read, or names a layer that no chain has.
    """
    found: dict[tuple[str, str], float] = {}
    for part in filter(str.strip, text.split(",")):
        match = _ASKED.fullmatch(part)
        if match is None or float(match[3]) == 0:
            raise UsageProblem(f"--at: {part.strip()[:60]!r} is not LAYER=SECONDS; write for instance edge=120")
        if match[1] not in layers:
            known = ", ".join(sorted(layers)) or "none; declare `chain:` in the scenario"
            raise UsageProblem(f"--at: no route has a layer {match[1]}; declared: {known}")
        found[match[1], match[2] or ""] = float(match[3]) * (60 if match[4] == "m" else 1)
    return found


def share_lines(budget: Budget) -> Iterator[str]:
    """The budget for a terminal."""
    if not budget.rows:
        yield "no layer with a cap is declared on these routes"
    route = None
    for row in budget.rows:
        if row.route != route:
            route = row.route
            yield f"route {route}: share of jobs that last longer than each cap, were it the only one"
        name = f"  {row.layer} {row.setting or ''}".rstrip() + f" [{row.kind.replace('_', ' ')}]"
        if row.now is not None:
            seen = f"; {row.seen} seen to be cut by it" if row.seen else ""
            yield f"{name} now {row.cap_s:g} s: {_told(row.now)}{seen}"
        if row.proposed is not None:
            yield f"{name} at {row.proposed_s:g} s: {_told(row.proposed)}"
    for note in budget.notes:
        yield f"note: {note}"


def _told(found: Beyond) -> str:
    if found.n == 0:
        return "not estimable, no job says anything about it"
    if found.share is None:
        most = f", at most {found.at_most:.0%}" if found.at_most is not None and found.at_most < 1 else ""
        return f"not estimable{most} ({found.censored} of {found.n} jobs were cut before); see --times-of"
    cut = f", {found.censored} of them cut before" if found.censored else ""
    low, high = found.low or 0.0, found.high if found.high is not None else 1.0
    return f"{found.share:.1%} ({low:.1%} to {high:.1%}, {found.n} jobs{cut})"
