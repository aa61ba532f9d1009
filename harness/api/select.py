"""Choosing jobs by what they asked for: ``quality="high", route=["direct", "edge"]``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from harness.conditions import RunConditions
from harness.errors import UsageProblem
from harness.report.jobs import BoolArray
from harness.report.objectives import same

ALIASES = {"format": "output_format", "compression": "output_compression", "complexity": "prompt_complexity"}


def mask(jobs: pd.DataFrame, conditions: RunConditions, where: Mapping[str, object]) -> BoolArray:
    """Which jobs match every selector: a value, or several of which any will do; None is what was not asked for.

    Raises:
        UsageProblem: there is no such column, or no job has such a value (a route or cell that the run declares and
            that was not come to is no mistake).
    """
    chosen = np.ones(len(jobs), dtype=np.bool_)
    for given, value in where.items():
        name = ALIASES.get(given, given)
        if name not in jobs.columns:
            near = difflib.get_close_matches(given, [*map(str, jobs.columns), *ALIASES], 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else "; run.jobs.columns lists them"
            raise UsageProblem(f"jobs have no column {given!r} to be selected by{hint}")
        codes, values = pd.factorize(jobs[name])  # each value once; what is missing has code -1, the last
        present = [*values, None]
        fits = np.zeros(len(present), dtype=np.bool_)
        for wanted in _several(value):
            word = "null" if wanted is None else str(wanted)
            matching = np.array([same(one, word) for one in present], dtype=np.bool_)
            if not matching.any() and word not in _declared(name, conditions) and len(jobs):
                has = ", ".join(sorted(map(str, values))[:8]) or "nothing"
                raise UsageProblem(f"no job of this run has {given} {wanted!r}; there is {has}")
            fits |= matching
        chosen &= fits[codes]
    return chosen


def _several(value: object) -> Iterable[object]:
    return value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else (value,)


def _declared(name: str, conditions: RunConditions) -> Iterable[str]:
    if name == "route":
        return [route.name for route in conditions.routes]
    return conditions.cells if name == "cell" else ()
