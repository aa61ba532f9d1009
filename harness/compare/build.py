"""From two runs in hand to what is said of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.compare.cells import CellPair, match
from harness.compare.failures import failure_change
from harness.compare.model import CellEffect, Comparison, FailureChange, Overall, Side
from harness.compare.settings import allowed_names, differences, refuse
from harness.conditions import RunConditions
from harness.errors import UsageProblem
from harness.metrics import BY_NAME
from harness.report.effects import effect_fields
from harness.report.jobs import clock_curve, clock_times, estimate
from harness.stats.compare import Arm, Effect, adjusted, compare_at
from harness.stats.quantiles import INTERVAL_CONFIDENCE

MEDIAN, TAIL = 0.5, 0.9


@dataclass(frozen=True)
class Measured:
    """A run: its conditions, and its jobs with their verdicts as `harness.report.jobs.join_verdicts` gives them."""

    conditions: RunConditions
    jobs: pd.DataFrame


def comparison(
    a: Measured, b: Measured, *, metric: str = "final_image_ms", min_effect: float = 0.05, allow: Sequence[str] = ()
) -> Comparison:
    """B against A, the baseline; see `harness.compare.compare_runs`."""
    if metric not in BY_NAME:
        raise UsageProblem(f"there is no metric {metric}; write one of {', '.join(BY_NAME)}")
    for name, run in (("A", a), ("B", b)):
        if run.jobs.empty:
            raise UsageProblem(f"run {name} ({run.conditions.run_id}) holds no jobs")
    allowed = allowed_names(allow)
    found = differences(a.conditions, a.jobs, b.conditions, b.jobs)
    refuse(found, allowed)
    matched = match(a.jobs, b.jobs, found)
    if matched.alone is not None:
        refuse([matched.alone], allowed)
        found = [*found, matched.alone]
    # One family: every median and every p90. Otherwise two chances of a false alarm would count as one.
    effects = adjusted([effect for pair in matched.pairs for effect in _effects(pair, metric, min_effect)])
    cells, tails = (
        tuple(_row(pair, effect, metric) for pair, effect in zip(matched.pairs, effects[at::2], strict=True))
        for at in (0, 1)
    )
    failures = failure_change(matched.pairs, INTERVAL_CONFIDENCE)
    verdict, sentence = overall(cells, tails, failures, metric, min_effect)
    return Comparison(
        metric=metric,
        p=MEDIAN,
        tail_p=TAIL,
        family=sum(effect.p_value is not None for effect in effects),
        min_effect=min_effect,
        confidence=INTERVAL_CONFIDENCE,
        a=_side(a),
        b=_side(b),
        allowed=tuple(found),
        notes=_notes(a, b),
        cells=cells,
        tails=tails,
        failures=failures,
        verdict=verdict,
        sentence=sentence,
    )


def overall(
    cells: Sequence[CellEffect],
    tails: Sequence[CellEffect],
    failures: FailureChange,
    metric: str,
    min_effect: float,
) -> tuple[Overall, str]:
    """One verdict: worse when a cell is slower beyond the minimum, in its median or its p90, or more jobs fail; then
    whatever is undecided.

    A p90 for which there are too few jobs to judge it by (no test was possible) decides nothing and is named. One that
    was tested and is inconclusive keeps the whole inconclusive.
    """
    reasons = []
    for what, rows in (("the median", cells), ("the p90", tails)):
        slower = sum(row.verdict == "slower" for row in rows)
        if slower:
            reasons.append(
                f"{what} of {metric} is slower by more than {100 * min_effect:g} % in {slower} of {len(cells)} cells"
            )
    judged = [row for row in tails if row.p_value is not None]
    faster = sum(row.verdict == "faster" for row in cells)
    undecided = len({row.cell for row in (*cells, *judged) if row.verdict == "inconclusive"})
    silent = len(tails) - len(judged)
    beside = f" The p90 cannot be judged in {silent} of {len(tails)} cells: too few jobs." if silent else ""
    if failures.more:
        reasons.append(
            f"{failures.failed_b} of {failures.judged_b} jobs failed, "
            f"where in A {failures.failed_a} of {failures.judged_a} did"
        )
    elif failures.failed_b * failures.judged_a > failures.failed_a * failures.judged_b:
        beside = (
            f" More jobs failed in B ({failures.failed_b} of {failures.judged_b}, in A {failures.failed_a} of "
            f"{failures.judged_a}), which may be chance.{beside}"
        )
    if reasons:
        return "worse", f"B is worse: {'; '.join(reasons)}.{beside}"
    also = f"; faster in {faster}" if faster else ""
    if undecided:
        return (
            "inconclusive",
            f"Inconclusive in {undecided} of {len(cells)} cells; no cell is shown slower{also}.{beside}",
        )
    return "no_worse", f"B is no worse: no cell of {len(cells)} is slower by {100 * min_effect:g} %{also}.{beside}"


def _effects(pair: CellPair, metric: str, min_effect: float) -> tuple[Effect, ...]:
    """That of the median, and that of the p90."""
    prompts = pd.unique(pd.concat([pair.a["prompt_hash"].astype(object), pair.b["prompt_hash"].astype(object)]))
    codes = {prompt: number for number, prompt in enumerate(prompts)}
    # A block of one run shares no moment with that of another: pairing them would claim what is not so.
    apart = int(pair.a["block"].max()) + 1 - int(pair.b["block"].min())
    arm_a, arm_b = _arm(pair.a, metric, codes, 0), _arm(pair.b, metric, codes, apart)
    return compare_at(arm_a, arm_b, (MEDIAN, TAIL), min_effect=min_effect)


def _arm(jobs: pd.DataFrame, metric: str, codes: dict[object, int], apart: int) -> Arm:
    times, censored, counts = clock_times(jobs, metric)
    prompt = np.array([codes[value] for value in jobs["prompt_hash"].astype(object)], dtype=np.int64)
    block = jobs["block"].to_numpy(dtype=np.int64) + apart
    return Arm(times=times[counts], censored=censored[counts], block=block[counts], prompt=prompt[counts])


def _row(pair: CellPair, effect: Effect, metric: str) -> CellEffect:
    return CellEffect(
        cell=pair.cell,
        p=effect.p,
        a=estimate(clock_curve(pair.a, metric).quantile(effect.p)),
        b=estimate(clock_curve(pair.b, metric).quantile(effect.p)),
        verdict=effect.verdict,
        **effect_fields(effect),
    )


def _side(run: Measured) -> Side:
    conditions = run.conditions
    return Side(
        run_id=conditions.run_id,
        scenario=conditions.scenario,
        started_at=conditions.started_at,
        status=conditions.status,
        simulated=conditions.simulated,
        simulator_profile=conditions.simulator_profile,
        harness=conditions.host.harness,
        jobs=len(run.jobs),
    )


def _notes(a: Measured, b: Measured) -> tuple[str, ...]:
    """What does not forbid a comparison and has to be known with it."""
    notes = []
    one, other = a.conditions, b.conditions
    if one.run_id == other.run_id:
        notes.append("A and B are the same run.")
    for name, run in (("A", a), ("B", b)):
        if run.conditions.status != "complete":
            notes.append(
                f"Run {name} is {run.conditions.status}: {len(run.jobs)} of {run.conditions.planned_jobs} jobs."
            )
    for what, left, right in (
        ("simulator profile", one.simulator_profile, other.simulator_profile),
        ("harness version", one.host.harness, other.host.harness),
        ("SDK version", one.host.openai_sdk, other.host.openai_sdk),
        ("machine", one.host.platform, other.host.platform),
    ):
        if left != right:
            notes.append(f"The {what} differs: {left or 'none'} in A, {right or 'none'} in B.")
    if one.blocks < 2 or other.blocks < 2:
        notes.append("A run of one block says nothing of how much hours or minutes differ among themselves.")
    return tuple(notes)
