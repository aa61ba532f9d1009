"""What has to be equal in two runs for a difference between them to mean anything, and how to say what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.compare.model import SettingDifference
from harness.conditions import RouteConditions, RunConditions
from harness.errors import UsageProblem
from harness.report.jobs import none_if_nan

AXES = (
    "route", "quality", "size", "output_format", "output_compression", "n", "stream", "partial_images", "background",
    "moderation", "reference_images", "mask", "edit_form",
)  # fmt: skip
"""Columns whose values make a cell."""

_ALIASES = {"format": "output_format", "compression": "output_compression"}
_OF_ROUTES = ("route_kind", "route_owner", "chain")
_OF_RUNS = ("caps", "concurrency", "retries", "time_scale", "simulated")
SETTINGS = ("model", "text_model", "prompts", *AXES, "cells", *_OF_ROUTES, *_OF_RUNS)
"""Names that `--allow` takes."""


def allowed_names(names: Sequence[str]) -> frozenset[str]:
    """The names as `SETTINGS` has them.

    Raises:
        UsageProblem: one of them is none.
    """
    found = [_ALIASES.get(name, name) for name in names]
    for name in found:
        if name not in SETTINGS:
            raise UsageProblem(f"--allow {name}: no such setting; write one of {', '.join(SETTINGS)}")
    return frozenset(found)


def differences(
    a: RunConditions, jobs_a: pd.DataFrame, b: RunConditions, jobs_b: pd.DataFrame
) -> list[SettingDifference]:
    """Every setting in which the runs differ, but for `cells`, in the order of `SETTINGS`. Pure."""
    found = [_prompts(jobs_a, jobs_b)]
    for name in ("model", "text_model", *AXES):
        found.append(_unequal(name, _listed(values(jobs_a, name)), _listed(values(jobs_b, name))))
    routes_a, routes_b = _routes(a, jobs_a), _routes(b, jobs_b)
    for name in _OF_ROUTES:
        found.append(_unequal(name, *_by_route(name, routes_a, routes_b)))
    for name in _OF_RUNS:
        found.append(_unequal(name, _of_run(a, name), _of_run(b, name)))
    order = {name: number for number, name in enumerate(SETTINGS)}
    return sorted((one for one in found if one is not None), key=lambda one: order[one.setting])


def refuse(found: Sequence[SettingDifference], allowed: frozenset[str]) -> None:
    """Go on only when all that differs is allowed to.

    Raises:
        UsageProblem: names each setting that is not, with both values and the option that lets it.
    """
    wrong = [one for one in found if one.setting not in allowed]
    if wrong:
        lines = [
            f"  {one.setting}: {one.a} in A, {one.b} in B\n    fix: --allow {one.setting}, if on purpose"
            for one in wrong
        ]
        raise UsageProblem("the two runs cannot be compared, because they differ in\n" + "\n".join(lines))


def values(jobs: pd.DataFrame, name: str) -> frozenset[object]:
    """The values of one column; null is one of them where a job has none."""
    return frozenset(none_if_nan(value) for value in pd.unique(jobs[name].astype(object)))


def _unequal(setting: str, a: str, b: str) -> SettingDifference | None:
    return None if a == b else SettingDifference(setting=setting, a=a, b=b)


def _prompts(jobs_a: pd.DataFrame, jobs_b: pd.DataFrame) -> SettingDifference | None:
    a, b = values(jobs_a, "prompt_hash"), values(jobs_b, "prompt_hash")
    if a == b:
        return None
    both = len(a & b)
    # The salt of the hashes is that of a user on a machine.
    shared = f"{both} in both" if both else "none in both; runs of two machines never share a hash"
    return SettingDifference(setting="prompts", a=f"{len(a)}", b=f"{len(b)} ({shared})")


def _listed(found: frozenset[object]) -> str:
    return ", ".join(sorted(_word(value) for value in found)) or "none"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else "null" if value is None else str(value)


def _routes(conditions: RunConditions, jobs: pd.DataFrame) -> dict[str, RouteConditions]:
    """The declared routes that jobs went over: one that only the scenario names changes nothing."""
    used = values(jobs, "route")
    return {route.name: route for route in conditions.routes if route.name in used}


def _by_route(name: str, a: dict[str, RouteConditions], b: dict[str, RouteConditions]) -> tuple[str, str]:
    """By name where the names are the same; else only which there are, because names that differ pair nothing."""
    if set(a) == set(b):
        return (
            ", ".join(f"{route} {_of_route(a[route], name)}" for route in sorted(a)),
            ", ".join(f"{route} {_of_route(b[route], name)}" for route in sorted(b)),
        )
    return (
        ", ".join(sorted({_of_route(route, name) for route in a.values()})),
        ", ".join(sorted({_of_route(route, name) for route in b.values()})),
    )


def _of_route(route: RouteConditions, name: str) -> str:
    if name == "chain":
        return " → ".join(f"{cap.layer} {cap.kind} {_seconds(cap.cap_s)}" for cap in route.chain) or "no chain"
    return route.kind if name == "route_kind" else route.owner


def _of_run(conditions: RunConditions, name: str) -> str:
    if name == "caps":
        caps = conditions.caps
        parts = (("connect", caps.connect_s), ("first byte", caps.first_byte_s), ("idle", caps.idle_s),
                 ("total", caps.total_s))  # fmt: skip
        return ", ".join(f"{word} {_seconds(cap)}" for word, cap in parts if cap is not None) or "none"
    return _word(getattr(conditions, name))


def _seconds(cap: float | None) -> str:
    return "?" if cap is None else f"{cap:g} s"
