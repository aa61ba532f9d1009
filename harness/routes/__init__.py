"""MEASURE: how a job becomes calls. One file a family, one line here."""

from __future__ import annotations

from importlib import import_module

from harness.routes.base import Route, Target

# kind → module with a class `RouteFamily(target)`. Imported when used: the SDK alone takes about a second.
FAMILIES: dict[str, str] = {
    "images": "harness.routes.images",
}


def make_route(kind: str, target: Target) -> Route:
    """The route family `kind` pointed at `target`."""
    route: Route = import_module(FAMILIES[kind]).RouteFamily(target)
    return route
