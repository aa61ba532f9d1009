"""Whether more jobs of the second run ended without an image, over all cells at once.

Cells may fail at rates of their own and be of unequal weight in the two runs, so the jobs are not thrown together.
Given how many failed in a cell altogether, chance alone makes the number among B's jobs hypergeometric, and the sum
over cells is the convolution of those. The p-value is the exact tail of that sum.

Source: N. Mantel and W. Haenszel, "Statistical aspects of the analysis of data from retrospective studies of disease",
Journal of the National Cancer Institute 22 (1959) 719-748, with the exact tail in the place of its chi-square.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from harness.compare.cells import CellPair
from harness.compare.model import FailureChange
from harness.report.jobs import NOT_JUDGED, is_in

Counts = tuple[int, int, int, int]  # failed and judged in A, failed and judged in B


def failure_change(pairs: Sequence[CellPair], confidence: float) -> FailureChange:
    """Failures of all cells; `more` when chance alone would give this many in B less often than 1 - confidence."""
    rows: list[Counts] = []
    for pair in pairs:
        counted = []
        for jobs in (pair.a, pair.b):
            judged = ~is_in(jobs, "outcome", NOT_JUDGED)
            counted += [int((judged & ~is_in(jobs, "outcome", ("image",))).sum()), int(judged.sum())]
        rows.append((counted[0], counted[1], counted[2], counted[3]))
    failed_a, judged_a, failed_b, judged_b = (sum(column) for column in zip(*rows, strict=True))
    p_value = more_p(rows)
    return FailureChange(
        failed_a=failed_a,
        judged_a=judged_a,
        failed_b=failed_b,
        judged_b=judged_b,
        p_value=p_value,
        more=p_value is not None and p_value < 1 - confidence,
    )


def more_p(rows: Sequence[Counts]) -> float | None:
    """P(as many failures in B, or more | the failures of each cell), one cell a row; null without jobs on a side."""
    tail, seen, known = np.ones(1), 0, False
    for failed_a, judged_a, failed_b, judged_b in rows:
        if not judged_a or not judged_b:
            continue
        known = True
        failed = failed_a + failed_b
        chances = stats.hypergeom.pmf(np.arange(failed + 1), judged_a + judged_b, failed, judged_b)
        tail = np.convolve(tail, chances)
        seen += failed_b
    return min(1.0, float(tail[seen:].sum())) if known else None
