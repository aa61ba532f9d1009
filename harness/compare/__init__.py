"""Two runs against each other, cell by cell: may they be compared, and is the second one worse?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.compare.model import Comparison

__all__ = ["compare_runs"]


def compare_runs(
    run_a: Path, run_b: Path, *, metric: str = "final_image_ms", min_effect: float = 0.05, allow: Sequence[str] = ()
) -> Comparison:
    """Compare two run directories that have been diagnosed; `run_a` is the baseline. Nothing is written.

    Args:
        metric: a clock of `harness.metrics`.
        min_effect: the smallest effect that matters, as a share of the baseline.
        allow: names of settings (`harness.compare.settings.SETTINGS`) that differ on purpose.

    Raises:
        UsageProblem: a run cannot be read, or the two differ in a setting that is not allowed to.
    """
    from harness.compare.build import Measured, comparison
    from harness.conditions import EVENTS_FILE, read_conditions
    from harness.diagnosis.model import read_diagnosis
    from harness.frame import load_frame
    from harness.report.jobs import join_verdicts

    def read(run_dir: Path) -> Measured:
        conditions = read_conditions(run_dir)
        _, verdicts = read_diagnosis(run_dir)
        frame, _ = load_frame(run_dir / EVENTS_FILE, lean=True)
        return Measured(conditions, join_verdicts(frame, verdicts))

    return comparison(read(run_a), read(run_b), metric=metric, min_effect=min_effect, allow=allow)
