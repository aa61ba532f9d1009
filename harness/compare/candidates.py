"""Cells of several runs as candidates side by side. Nothing is pooled: each cell keeps the name of its run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.compare.build import Measured
from harness.compare.settings import allowed_names, differences, refuse
from harness.errors import UsageProblem
from harness.estimate import Estimate
from harness.recommend.build import recommend
from harness.recommend.model import Recommendation
from harness.report.recommendation import as_needs, candidates, stabilities

MUST_BE_EQUAL = frozenset({"model", "text_model", "prompts", "simulated", "time_scale"})
"""What two cells must share for their prices and seconds to be a choice. In anything else candidates may differ: that
is what is chosen between; or it is said beside the answer."""


def recommend_runs(
    run_dirs: Sequence[Path], *, volume: float | None = None, allow: Sequence[str] = ()
) -> Recommendation:
    """What to use for what, from the cells of these runs, which have been diagnosed. Nothing is written.

    The uses are those of the first run's scenario, over the shipped ones.

    Raises:
        UsageProblem: a run cannot be read, or two of them differ in what would make their cells no choice.
    """
    runs = [_read(run_dir) for run_dir in run_dirs]
    names = [run.conditions.run_id for run in runs]
    if len(set(names)) < len(names):
        raise UsageProblem("the same run is given twice")
    first, *others = runs
    allowed = allowed_names(allow)
    notes = []
    for other in others:
        found = differences(first.conditions, first.jobs, other.conditions, other.jobs)
        refuse([one for one in found if one.setting in MUST_BE_EQUAL], allowed)
        beside = [one for one in found if one.setting in allowed or one.setting in ("concurrency", "retries", "caps")]
        notes += [
            f"{other.conditions.run_id} differs in {one.setting}: {one.b}, where {first.conditions.run_id} has {one.a}."
            for one in beside
        ]
    if others:
        notes.append("Cells of different runs were not interleaved: what an hour does to all jobs of a run is in them.")
    several = bool(others)
    cells = [
        cell for run in runs for cell in candidates(run.jobs, run.conditions, run.conditions.run_id if several else "")
    ]
    stable = {
        key: value
        for run in runs
        for key, value in stabilities(run.jobs, run.conditions.run_id if several else "").items()
    }
    # Votes of one run say nothing of another's pictures: they were never beside each other.
    ratings = {} if several else _ratings(run_dirs[0], first)
    return recommend(cells, first.conditions.uses, stable, volume=volume, ratings=ratings, notes=notes)


def _ratings(run_dir: Path, run: Measured) -> dict[str, Estimate]:
    from harness.rating.votes import read_votes
    from harness.report import tables
    from harness.report.jobs import Shapes
    from harness.report.ratings import rate

    votes = read_votes(run_dir)
    if not votes.cast:
        return {}
    return as_needs(rate(votes, tables.cells(run.jobs, run.conditions, Shapes(run.jobs, run.conditions))))


def _read(run_dir: Path) -> Measured:
    from harness.conditions import EVENTS_FILE, read_conditions
    from harness.diagnosis.model import read_diagnosis
    from harness.frame import load_frame
    from harness.report.jobs import join_verdicts

    conditions = read_conditions(run_dir)
    _, verdicts = read_diagnosis(run_dir)
    frame, _ = load_frame(run_dir / EVENTS_FILE, lean=True)
    if frame.empty:
        raise UsageProblem(f"{run_dir}: holds no jobs; there is nothing to recommend from")
    return Measured(conditions, join_verdicts(frame, verdicts))
