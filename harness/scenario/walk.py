"""A scenario narrowed to a hop walk: one shape, at every entry point of one chain, interleaved."""

from __future__ import annotations

import hashlib

from harness.errors import UsageProblem
from harness.scenario.cells import FIELDS, Cell
from harness.scenario.families import FAMILIES
from harness.scenario.loads import Load
from harness.scenario.models import Matrix, RequestFields, Scenario
from harness.scenario.words import listing, nearest


def hop_order(scenario: Scenario, route: str) -> tuple[str, ...]:
    """The route and the hops that it lists, outermost first.

    Raises:
        UsageProblem: there is no such route, or it lists no hops.
    """
    if route not in scenario.routes:
        near = nearest(route, scenario.routes)
        raise UsageProblem(
            f"{scenario.source}: there is no route {route}; write {near or listing(sorted(scenario.routes))}"
        )
    hops = scenario.routes[route].hops
    if not hops:
        able = [name for name, spec in scenario.routes.items() if spec.hops]
        more = f"; {listing(able)} has" if able else ""
        raise UsageProblem(
            f"{scenario.source}: route {route} lists no hops{more}; add `hops: [edge, gateway, direct]`, the routes "
            "that enter the same chain further in, outermost first"
        )
    return (route, *hops)


def walk_scenario(
    scenario: Scenario, route: str, *, blocks: int, concurrency: int = 1, cell: str | None = None
) -> Scenario:
    """The scenario of a walk: the shape of one cell of `route`, once a block at every hop.

    Raises:
        UsageProblem: no such cell, or a hop's family cannot carry the shape.
    """
    order = hop_order(scenario, route)
    shape = _shape(scenario, route, cell)
    for name in order:
        family = FAMILIES[scenario.routes[name].kind]
        if (shape.stream and not family.streams) or (shape.edits and not family.edits):
            what = "edits" if shape.edits and not family.edits else "streams"
            raise UsageProblem(
                f"{scenario.source}: hop {name} is of kind {scenario.routes[name].kind}, which carries no {what}; "
                f"choose another cell of {route} with --cell"
            )
    context = {"model": scenario.model}
    fields = {name: getattr(shape, name) for name in FIELDS if name != "route"}
    given = {name: value for name, value in fields.items() if value not in (None, False, 0)}
    narrowed = scenario.model_copy(
        update={
            "defaults": RequestFields.model_validate(given, context=context),
            "matrix": Matrix.model_validate({"route": list(order)}, context=context),
            "repeats": blocks,
            "load": Load(concurrency=concurrency),
            "objectives": (),
            "hypotheses": (),
            "early_stop": None,
            "uses": (),
        }
    )
    # Another run than the scenario's own: neither goes on with the other's journal.
    told = f"{scenario.sha256}/hops/{'/'.join(order)}/{shape.id}/{blocks}"
    narrowed._sha256 = hashlib.sha256(told.encode()).hexdigest()
    narrowed._source = scenario.source
    return narrowed


def _shape(scenario: Scenario, route: str, cell: str | None) -> Cell:
    cells = [one for one in scenario.cells() if one.route == route]
    if cell is None and cells:
        return cells[0]
    found = next((one for one in cells if one.id == cell), None)
    if found is None:
        known = listing([one.id for one in cells[:6]]) if cells else "none"
        wanted = f"no cell {cell}" if cell is not None else "no cell"
        raise UsageProblem(f"{scenario.source}: route {route} has {wanted}; its cells: {known}")
    return found
