"""The form of an audit: one verdict, when it holds, what shows it, and the first safe move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.diagnosis.case import Case, Mask
from harness.diagnosis.model import JobVerdict, VerdictName

Row = dict[str, Any]
Rows = np.ndarray[tuple[int], np.dtype[np.int64]]
Where = Callable[[Case], Mask]
Explain = Callable[[Case, int, Row], JobVerdict]
Details = Callable[[Case, Rows], dict[str, Any]]


def no_details(case: Case, rows: Rows) -> dict[str, Any]:  # noqa: ARG001 - most verdicts are a name and no more
    """Nothing beside the name of the verdict."""
    return {}


def always(case: Case) -> bool:  # noqa: ARG001 - the common answer to "can this audit say anything here?"
    """The audit applies to every run."""
    return True


@dataclass(frozen=True)
class Audit:
    """One thing to diagnose. `where` is vectorised over all jobs; `explain` finds the words for single rows.

    `details` gives, for the rows that it is asked for, what `explain` says beside the name: columns of
    `harness.diagnosis.verdicts.COLUMNS`.

    Order in the registry decides: a job gets the verdict of the first audit that holds for it.
    """

    verdict: VerdictName
    title_holds: str
    title_clear: str
    next_step: str
    where: Where
    explain: Explain
    applies: Callable[[Case], bool] = always
    details: Details = no_details


def none_of(case: Case) -> Mask:
    """A mask in which nothing holds."""
    return np.zeros(len(case.jobs), dtype=bool)
