"""Of all false timeouts of a run: the one cap that cut most. Headline and decision are both about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.diagnosis.audit import Rows
from harness.diagnosis.case import Case
from harness.diagnosis.verdicts import Verdicts, plain


@dataclass(frozen=True)
class Culprit:
    """`rows`: the jobs that it cut, on whatever route; `route`: where it cut most of them."""

    layer: str | None
    setting: str | None
    cap_s: float | None
    route: str
    rows: Rows


def culprit(case: Case, verdicts: Verdicts) -> Culprit:
    """The layer, setting and cap with the most false timeouts; there is at least one."""
    table = verdicts.table
    most = table["verdict"] == "false_timeout"
    alike = table[most].groupby(["layer", "setting", "cap_s"], observed=True, dropna=False, sort=False).size()
    layer, setting, cap_s = (plain(part) for part in alike.index[int(alike.to_numpy().argmax())])
    for name, value in (("layer", layer), ("setting", setting), ("cap_s", cap_s)):
        most &= table[name].isna() if value is None else table[name] == value
    rows = np.flatnonzero(most)
    return Culprit(layer, setting, cap_s, str(case.jobs["route"].iloc[rows].value_counts().index[0]), rows)
