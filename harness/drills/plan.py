"""What a drill will do, known before its first byte: jobs, load, outage and cost. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from harness.drills.user import price_usd, shapes_of
from harness.errors import UsageProblem
from harness.plan import Job, Plan
from harness.policies.model import Load, Policy, PolicyFile
from harness.scenario import Scenario
from harness.scenario.cells import FIELDS, Cell, make_cell
from harness.scenario.words import listing, nearest


@dataclass(frozen=True)
class PolicyPlan:
    """One policy as it will be drilled."""

    policy: Policy
    primary: str
    jobs: tuple[Job, ...]
    simulator: Mapping[str, Any] | None  # the world that it is drilled in, with the caps that it sets
    least_usd: float | None  # every job takes one request a stage
    most_usd: float | None  # every retry, copy and fallback is used


@dataclass(frozen=True)
class DrillPlan:
    """All of them. Seconds are of the measured world."""

    policies: tuple[PolicyPlan, ...]
    load: Load
    break_at: int | None  # the job at whose beginning the primary is broken, from 1; null: it never is
    outage_s: float
    budget_usd: float | None
    budget_jobs: int | None  # here: requests
    simulated: bool

    @property
    def jobs(self) -> int:
        """Jobs of one policy."""
        return len(self.policies[0].jobs)

    @property
    def least_usd(self) -> float | None:
        """Of all policies."""
        return _total([one.least_usd for one in self.policies])

    @property
    def most_usd(self) -> float | None:
        """Of all policies; the budget lies before it."""
        return _total([one.most_usd for one in self.policies])


def make_drill(
    scenario: Scenario,
    plan: Plan,
    file: PolicyFile,
    *,
    only: Sequence[str] = (),
    jobs: int | None = None,
    breaks: bool = True,
    break_after: float = 1 / 3,
    outage_s: float | None = None,
    usd: float | None = None,
) -> DrillPlan:
    """The drill of a scenario under the policies of a file.

    Args:
        scenario: routes, shapes, prompts, budget.
        plan: of the scenario.
        file: the policies and the load; what it assumes about routes and limits is for simulation, and not used here.
        only: names of the policies that are wanted; all by default.
        jobs: of each policy; by default as many as the scenario plans on the primary.
        breaks: whether the primary is broken at all.
        break_after: the share of the jobs that begins before.
        outage_s: how long it stays broken; by default about a third of the drill.
        usd: a cap on the cost of all policies together, instead of the scenario's own.

    Raises:
        UsageProblem: something that cannot be carried out live, or no cap on what it may cost.
    """
    chosen = _chosen(file, only)
    load = file.load if "load" in file.model_fields_set else _load_of(scenario)
    policies = tuple(_policy_plan(scenario, plan, file, policy, jobs) for policy in chosen)
    most = scenario.budget.usd if usd is None else usd
    if most is None and not scenario.simulated:
        raise UsageProblem(
            f"{scenario.source}: a drill sends requests that may be billed, and has no cap: "
            "set budget.usd, or give --usd"
        )
    count = len(policies[0].jobs)
    break_at = math.ceil(count * break_after) + 1 if breaks else None
    if break_at is not None and break_at > count:
        raise UsageProblem(f"{count} jobs are too few to break the primary among them: raise --jobs or repeats")
    if breaks and outage_s is None:
        outage_s = _third_s(load, plan, policies[0])
    drill = DrillPlan(policies, load, break_at, outage_s or 0.0, most, scenario.budget.jobs, scenario.simulated)
    if most is not None and (drill.least_usd is None or drill.least_usd > most + 1e-9):
        least = "not known" if drill.least_usd is None else f"at least {drill.least_usd:.2f} USD"
        raise UsageProblem(
            f"{scenario.source}: the drill's cost is {least}, and its cap is {most:.2f} USD: give fewer --jobs, drill "
            "one --policy, or raise --usd; nothing was sent"
        )
    return drill


def arrivals_s(load: Load, seed: int) -> Iterator[float]:
    """When jobs begin, in seconds, for a load with a rate: evenly, or as a Poisson process."""
    if load.rate is None:
        raise ValueError("a load without a rate has no arrivals of its own")
    dice = random.Random(f"arrivals/{seed}")
    at_s = 0.0
    while True:
        yield at_s
        at_s += 1 / load.rate if load.arrivals == "constant" else dice.expovariate(load.rate)


def load_text(load: Load) -> str:
    """``12 jobs a minute (poisson)``, ``4 users who wait for their image``"""
    if load.rate is not None:
        return f"{load.rate * 60:g} jobs a minute ({load.arrivals})"
    users = load.concurrency or 1
    return "1 user who waits for the image" if users == 1 else f"{users} users who wait for their image"


def _load_of(scenario: Scenario) -> Load:
    """The scenario's own load, where the policy file says nothing: of its shapes the two that users have."""
    own = scenario.load
    if own.rate is not None:
        return Load(rate=own.rate, arrivals=own.arrivals)
    return Load(concurrency=own.concurrency)


def _chosen(file: PolicyFile, only: Sequence[str]) -> list[Policy]:
    by_name = {policy.name: policy for policy in file.policies}
    for name in only:
        if name not in by_name:
            near = nearest(name, by_name)
            raise UsageProblem(f"--policy {name}: the file has {listing(by_name)}{f'; {near}?' if near else ''}")
    return [by_name[name] for name in dict.fromkeys(only)] if only else list(file.policies)


def _policy_plan(scenario: Scenario, plan: Plan, file: PolicyFile, policy: Policy, jobs: int | None) -> PolicyPlan:
    sent = {job.cell.route for job in plan.jobs}
    first = next(name for name in (*file.routes, *scenario.routes) if name in sent or name in file.routes)
    primary = policy.route or first
    for field, route in (
        ("route", primary),
        ("hedge.route", policy.hedge.route if policy.hedge else None),
        ("fallback.route", policy.fallback.route if policy.fallback else None),
    ):
        if route is not None and route not in scenario.routes:
            raise UsageProblem(
                f"policy {policy.name}: {field}: {scenario.source} has no route {route}; it has "
                f"{listing(scenario.routes)}"
            )
    if policy.async_ is not None and scenario.routes[primary].kind != "task":
        raise UsageProblem(
            f"policy {policy.name}: async: route {primary} answers at once; give the policy a route to a task API "
            "(`route:`), whose jobs are submitted and polled anyway, or leave the policy to `harness whatif`"
        )
    wanted = _jobs(scenario, plan, file, primary, first)
    many = tuple(wanted[index % len(wanted)] for index in range(jobs or len(wanted)))
    costs = [[price_usd(scenario.model, cell, len(job.prompt.text)) for cell in shapes_of(policy, job.cell)]
             for job in many]  # fmt: skip
    least = _total([_total(stages) for stages in costs])
    return PolicyPlan(
        policy, primary, many, _world(scenario, policy), least, None if least is None else least * legs_at_most(policy)
    )


def legs_at_most(policy: Policy) -> int:
    """Requests of one stage, when everything is used that the policy allows."""
    retries = 0 if policy.retry is None else policy.retry.max
    copies = 0 if policy.hedge is None else policy.hedge.max
    return 1 + retries + copies + (policy.fallback is not None)


def _jobs(scenario: Scenario, plan: Plan, file: PolicyFile, primary: str, first: str) -> list[Job]:
    """The scenario's jobs on the primary, else those on the first route sent there; of the shape that is meant."""
    shape = file.shape
    for home in dict.fromkeys((primary, first, *scenario.routes)):
        found = [
            job
            for job in plan.jobs
            if job.cell.route == home
            and all(value in (None, getattr(job.cell, name)) for name, value in shape.model_dump().items())
        ]
        if found:
            return [replace(job, cell=_on(primary, job.cell)) for job in found]
    raise UsageProblem(f"{scenario.source}: no cell on route {primary} has the shape that the policy file asks for")


def _on(route: str, cell: Cell) -> Cell:
    return make_cell({name: getattr(cell, name) for name in FIELDS} | {"route": route})


def _world(scenario: Scenario, policy: Policy) -> Mapping[str, Any] | None:
    """The simulated world with the caps that the policy sets.

    Raises:
        UsageProblem: a cap of a layer that is not the embedded API's.
    """
    world = scenario.simulator
    if not policy.caps:
        return world
    layers = dict((world or {}).get("layers", {}))
    for name, cap_s in policy.caps.items():
        port = next(
            (
                spec.simulator_layer
                for spec in scenario.routes.values()
                if spec.simulated and spec.simulator_layer in layers
                and (spec.simulator_layer == name or any(one.layer == name for one in spec.chain))
            ),
            None,
        )  # fmt: skip
        if port is None:
            raise UsageProblem(
                f"policy {policy.name}: caps: {name} is no layer of the embedded API; set it where it stands, and "
                "drill the policy without `caps`"
            )
        layers[port] = {key: value for key, value in layers[port].items() if key != "cap_s"}
        if cap_s is not None:
            layers[port]["cap_s"] = cap_s
    return {**(world or {}), "layers": layers}


def _third_s(load: Load, plan: Plan, first: PolicyPlan) -> float:
    """About a third of the time that the jobs take to begin."""
    count = len(first.jobs)
    if load.rate is not None:
        return count / load.rate / 3
    medians = {cell.cell.id: cell.median_s for cell in plan.cells}
    known = [medians.get(job.cell.id) for job in islice(first.jobs, 200)]
    told = [one for one in known if one is not None]
    if not told:
        raise UsageProblem("how long a job takes is not known beforehand: say with --outage how long the outage lasts")
    return count * (sum(told) / len(told)) / (load.concurrency or 1) / 3


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
