"""The form of an audit: one verdict, when it holds, what shows it, and the first safe move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.diagnosis.case import Case, Mask
from harness.diagnosis.model import JobVerdict, VerdictName

Row = dict[str, Any]
Where = Callable[[Case], Mask]
Explain = Callable[[Case, int, Row], JobVerdict]


def always(case: Case) -> bool:  # noqa: ARG001 - the common answer to "can this audit say anything here?"
    """The audit applies to every run."""
    return True


@dataclass(frozen=True)
class Audit:
    """One thing to diagnose. `where` is vectorised over all jobs; `explain` is called for single rows.

    Order in the registry decides: a job gets the verdict of the first audit that holds for it.
    """

    verdict: VerdictName
    title_holds: str
    title_clear: str
    next_step: str
    where: Where
    explain: Explain
    applies: Callable[[Case], bool] = always


def none_of(case: Case) -> Mask:
    """A mask in which nothing holds."""
    return np.zeros(len(case.jobs), dtype=bool)
