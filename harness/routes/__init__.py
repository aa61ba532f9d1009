"""MEASURE: how a job becomes calls. One file a family; `harness.scenario.families` lists them."""

from __future__ import annotations

from importlib import import_module

from harness.routes.base import Route, Target
from harness.scenario.families import FAMILIES


def make_route(kind: str, target: Target) -> Route:
    """The route family `kind` pointed at `target`."""
    route: Route = import_module(FAMILIES[kind].module).RouteFamily(target)
    return route
