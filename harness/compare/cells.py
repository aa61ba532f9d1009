"""Which jobs of one run stand against which of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.compare.model import SettingDifference
from harness.compare.settings import AXES, values
from harness.errors import UsageProblem
from harness.report.jobs import none_if_nan, positions_by

_PAIRED = ("model", "text_model", *AXES)
Key = tuple[object, ...]


@dataclass(frozen=True)
class CellPair:
    """The jobs of one cell in both runs, and the name of the cell."""

    cell: str
    a: pd.DataFrame
    b: pd.DataFrame


@dataclass(frozen=True)
class Matched:
    """Pairs of cells in the order of A, and what has none in the other run (null when nothing)."""

    pairs: tuple[CellPair, ...]
    alone: SettingDifference | None


def match(jobs_a: pd.DataFrame, jobs_b: pd.DataFrame, allowed: Sequence[SettingDifference]) -> Matched:
    """Pair cells by what they ask for.

    Of a setting that may differ, the values that both runs have are compared. Where they share none and each has one
    (two regions, two models), the one stands against the other. Prompts are treated in the same way.

    Raises:
        UsageProblem: it is not clear which value should stand against which, or no cell is in both runs.
    """
    differs = {one.setting for one in allowed}
    dropped = []
    for name in ("prompt_hash", *_PAIRED):
        if ("prompts" if name == "prompt_hash" else name) not in differs:
            continue
        in_a, in_b = values(jobs_a, name), values(jobs_b, name)
        if in_a & in_b:
            jobs_a, jobs_b = _with(jobs_a, name, in_a & in_b), _with(jobs_b, name, in_a & in_b)
        elif name != "prompt_hash" and (len(in_a) > 1 or len(in_b) > 1):
            raise UsageProblem(
                f"{name} has {len(in_a)} values in A and {len(in_b)} others in B, so it is not clear which stands "
                "against which: compare runs with one value each, or with values in common"
            )
        else:
            dropped.append(name)
    names = [name for name in _PAIRED if name not in dropped]
    groups_a, groups_b = _groups(jobs_a, names), _groups(jobs_b, names)
    shared = [key for key in groups_a if key in groups_b]
    if not shared:
        raise UsageProblem("no cell is in both runs: there is nothing to compare")
    varying = [
        index
        for index, name in enumerate(names)
        if name in ("route", "quality") or len({key[index] for key in (*groups_a, *groups_b)}) > 1
    ]

    def label(key: Key) -> str:
        return " ".join(f"{names[i]}={_word(key[i])}" for i in varying if key[i] is not None) or "all jobs"

    only_a = [label(key) for key in groups_a if key not in groups_b]
    only_b = [label(key) for key in groups_b if key not in groups_a]
    alone = None
    if only_a or only_b:
        alone = SettingDifference(setting="cells", a=_alone(only_a), b=_alone(only_b))
    return Matched(
        tuple(CellPair(label(key), jobs_a.iloc[groups_a[key]], jobs_b.iloc[groups_b[key]]) for key in shared), alone
    )


def _with(jobs: pd.DataFrame, name: str, wanted: frozenset[object]) -> pd.DataFrame:
    column = [none_if_nan(value) in wanted for value in jobs[name].astype(object)]
    return jobs[np.array(column, dtype=np.bool_)]


def _groups(jobs: pd.DataFrame, names: Sequence[str]) -> dict[Key, np.ndarray]:
    found = positions_by(jobs, names) if len(jobs) else {}
    columns = [jobs[name] for name in names]
    keyed = {tuple(none_if_nan(column.iloc[rows[0]]) for column in columns): rows for rows in found.values()}
    return dict(sorted(keyed.items(), key=lambda item: tuple(_rank(value) for value in item[0])))


def _rank(value: object) -> tuple[int, float, str]:
    ordered = {"low": 0, "medium": 1, "high": 2}
    if value is None or isinstance(value, str):
        return 0, ordered.get(value or "", 9), value or ""
    return 1, float(value) if isinstance(value, int | float) else 0.0, ""


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _alone(labels: Sequence[str]) -> str:
    if not labels:
        return "nothing besides"
    more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    return f"{len(labels)} only here ({'; '.join(labels[:3])}{more})"
