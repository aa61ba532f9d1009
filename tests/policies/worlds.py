"""Worlds and policies for tests, in one line each."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.policies.engine import Replication, Tally
from harness.policies.laws import Fixed, Law
from harness.policies.model import Limits, Load, Policy
from harness.policies.world import Failure, RouteWorld, Source, World


def policy(**fields: Any) -> Policy:
    """A policy as the file would give it."""
    return Policy.model_validate({"name": "it", **fields})


def world(law: Law | float, *, limits: Limits | None = None, fails: float = 0.0, **routes: Any) -> World:
    """One route `main` and more of them by keyword; an image costs 1 USD, a preview 0.01."""
    made = {"main": route(law, fails=fails), **routes}
    return World(routes=made, first_route="main", limits=limits or Limits())


def route(law: Law | float, *, fails: float = 0.0, usd: float = 1.0, **more: Any) -> RouteWorld:
    """A route; `fails` requests of it end in a 500 after a second."""
    failures = (Failure("5xx", fails, np.array([1.0])),) if fails else ()
    given = Fixed(float(law)) if isinstance(law, int | float) else law
    return RouteWorld(main=Source(law=given, failures=failures, usd=usd, partial_usd=0.01), **more)


def tally(done: Policy, place: World, load: Load | None = None, seed: int = 0) -> Tally:
    """One replication, far apart jobs by default so that none is in another's way."""
    apart = load or Load(rate=0.0005, arrivals="constant", jobs=400)
    return Replication(done, place, apart, np.random.default_rng(seed)).run()
