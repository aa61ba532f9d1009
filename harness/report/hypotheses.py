"""Judging the claims of a scenario: supported, refuted, or not shown.

One rule for all of them: the 95 % interval of the figure is held against the range that the claim gives. It lies
within as a whole: supported. It lies outside as a whole: refuted. Otherwise, and without an interval: not shown. A
side of the interval that cannot be told is open, so few jobs show nothing.

* A quantile has the interval of its order statistics or, with cut jobs, that of the Kaplan-Meier curve; a limit from
  below that holds whatever the cut jobs would have taken is that of all times as they stand.
* A share has Wilson's interval, a mean Student's (figures that do not vary are known exactly).
* A comparison is `harness.stats.compare`: ratio or difference of two quantiles over resampled blocks.

Each claim is judged at 95 % by itself. Which answers would also stand with all claims judged together is Holm's
procedure (`harness.stats.holm` has the source) by intervals instead of p-values: of m answers those stand whose
interval at 1 - 5 % / m still gives the same answer; then of the rest those at 1 - 5 % / (number of the rest); and so
on until none is added. A p-value is below a level exactly where the interval at 1 - that level decides, so this is the
same for every kind of test. m counts every claim that had an interval, answered or not: each could have been.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from msgspec.structs import replace
from scipy import stats

from harness.conditions import Hypothesis, HypothesisTest, RunConditions
from harness.report.jobs import (
    DELIVERED,
    NOT_JUDGED,
    BoolArray,
    FloatArray,
    IntArray,
    clock_times,
    is_in,
    numbers,
    rounded,
)
from harness.report.model import Estimate, HypothesisResult, HypothesisState
from harness.report.objectives import same
from harness.stats import proportion, quantile, survival
from harness.stats.compare import Arm, compare
from harness.stats.quantiles import INTERVAL_CONFIDENCE

_COUNTED = frozenset({"cost_usd", "image_bytes", "usage_output_tokens"})
_PER_IMAGE = frozenset({"cost_usd", "image_bytes"})
_RATES = frozenset({"error_rate", "rate_limited_rate"})
_SHOWN_AS = {"ratio": ("×", 1.0), "share": ("%", 100.0)}  # unit of a test → how a report says it
_ANSWERS = ("supported", "refuted")
_SEED = 0  # of the resamples: the same run is judged the same


@dataclass(frozen=True)
class _Found:
    """A figure in the unit of its test, its interval (null is open), and what it rests on."""

    value: float | None
    low: float | None
    high: float | None
    n_b: int
    why: str
    n_a: int | None = None
    censored: int = 0
    thin: bool = False
    floor: int | None = None
    beyond: float | None = None


def judge_claims(conditions: RunConditions, jobs: pd.DataFrame) -> tuple[HypothesisResult, ...]:
    """Every claim over the jobs that its selectors name, in the order of the scenario."""
    results = [_judge(claim, conditions, jobs) for claim in conditions.hypotheses]
    standing = _standing(results, conditions, jobs)
    return tuple(
        replace(result, survives_holm=at in standing) if result.state in _ANSWERS else result
        for at, result in enumerate(results)
    )


def _standing(results: Sequence[HypothesisResult], conditions: RunConditions, jobs: pd.DataFrame) -> set[int]:
    """Which answers stand with all claims judged together."""
    tried = sum(result.value.low is not None or result.value.high is not None for result in results)
    waiting = {at: result.state for at, result in enumerate(results) if result.state in _ANSWERS}
    standing: set[int] = set()
    while waiting:
        confidence = 1 - (1 - INTERVAL_CONFIDENCE) / (tried - len(standing))
        added = set()
        for at, state in waiting.items():
            test = conditions.hypotheses[at].test
            if test is not None and _state(test, _found(test, conditions, jobs, confidence))[0] == state:
                added.add(at)
        if not added:
            break
        standing |= added
        waiting = {at: state for at, state in waiting.items() if at not in added}
    return standing


def _judge(claim: Hypothesis, conditions: RunConditions, jobs: pd.DataFrame) -> HypothesisResult:
    test = claim.test
    if test is None:
        why = claim.elsewhere or "it has no test"
        return HypothesisResult(
            name=claim.name, claim=claim.claim, source=claim.source, contradicts=claim.contradicts,
            threshold=None, testable=False, state="not_shown", why=why,
        )  # fmt: skip
    found = _found(test, conditions, jobs)
    state, meaning = _state(test, found)
    unit, scale = _SHOWN_AS.get(test.unit, (test.unit, 1.0))

    def shown(value: float | None) -> float | None:
        return None if value is None else rounded(value * scale, 6 if test.unit in ("ratio", "usd", "share") else 3)

    return HypothesisResult(
        name=claim.name,
        claim=claim.claim,
        source=claim.source,
        contradicts=claim.contradicts,
        threshold=claim.threshold,
        testable=True,
        state=state,
        why=f"{found.why}; {meaning}" if meaning else found.why,
        metric=test.metric,
        statistic=test.statistic,
        measure=test.measure,
        a=test.a,
        b=test.b,
        value=Estimate(
            value=shown(found.value),
            low=shown(found.low),
            high=shown(found.high),
            n=found.n_b + (found.n_a or 0),
            censored=found.censored,
            thin=found.thin,
            floor=found.floor,
            beyond=shown(found.beyond),
        ),
        unit=unit,
        n_a=found.n_a,
        n_b=found.n_b,
    )


def _state(test: HypothesisTest, found: _Found) -> tuple[HypothesisState, str]:
    if found.low is None and found.high is None:
        return "not_shown", "" if not found.n_b else "too few jobs, or too many cut, for an interval"
    low = -math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    least = -math.inf if test.at_least is None else test.at_least
    most = math.inf if test.at_most is None else test.at_most
    # A limit that was written as 0.006 and a figure that was added up to it are the same.
    slack = 1e-9 * max(1.0, *(abs(limit) for limit in (least, most) if math.isfinite(limit)))
    if test.strict:
        slack = -slack
    if least - slack <= low and high <= most + slack:
        return "supported", "the whole interval is within the claim"
    if high < least - slack or low > most + slack:
        return "refuted", "the whole interval is outside of the claim"
    return "not_shown", "the interval reaches into the claim and out of it"


def _found(
    test: HypothesisTest, conditions: RunConditions, jobs: pd.DataFrame, confidence: float = INTERVAL_CONFIDENCE
) -> _Found:
    for selector in (test.b, test.a or {}):
        at_once = selector.get("concurrency")
        if at_once is not None and str(conditions.concurrency) not in at_once:
            asked = " or ".join(at_once)
            return _nothing(f"this run had {conditions.concurrency} at a time; set load.concurrency to {asked}")
        unknown = [name for name in selector if name != "concurrency" and name not in jobs.columns]
        if unknown:
            return _nothing(f"no job has a field named {unknown[0]}")
    if test.metric not in _RATES and test.metric not in jobs.columns:
        return _nothing(f"no job has a figure named {test.metric}")
    chosen = jobs[_selected(jobs, test.b)]
    if test.a is not None:
        return _compared(test, jobs[_selected(jobs, test.a)], chosen, jobs, confidence)
    if chosen.empty:
        return _nothing("no job matches")
    if test.metric in _RATES:
        return _rate(test.metric, chosen, confidence)
    times, censored, _ = _values(chosen, test.metric)
    if not times.size:
        return _nothing("no job gave a value")
    counted = _jobs(times.size) + (f", {np.count_nonzero(censored)} of them cut" if censored.any() else "")
    if test.statistic == "mean":
        return _mean(times, censored, counted, confidence)
    return _quantile(times, censored, _p(test), counted, confidence)


def _nothing(why: str) -> _Found:
    return _Found(None, None, None, 0, why)


def _jobs(n: int) -> str:
    return f"{n} {'job' if n == 1 else 'jobs'}"


def _p(test: HypothesisTest) -> float:
    return float(test.statistic.removeprefix("p")) / 100


def _selected(jobs: pd.DataFrame, selector: Mapping[str, Sequence[str]]) -> BoolArray:
    chosen = np.ones(len(jobs), dtype=np.bool_)
    for name, wanted in selector.items():
        if name == "concurrency":
            continue
        codes, values = pd.factorize(jobs[name])  # each value once; what is missing has code -1, the last
        chosen &= np.array([any(same(value, one) for one in wanted) for value in [*values, None]])[codes]
    return chosen


def _values(jobs: pd.DataFrame, metric: str) -> tuple[FloatArray, BoolArray, IntArray]:
    """The figure of each job that has one, whether it is only known to be larger, and the job's position."""
    if metric not in _COUNTED:
        times, censored, counts = clock_times(jobs, metric)
        rows = np.flatnonzero(counts)
        return times[rows], censored[rows], rows
    values = numbers(jobs, metric)
    images = numbers(jobs, "image_count")
    has_value = ~np.isnan(values) & is_in(jobs, "outcome", DELIVERED) & (images > 0)
    rows = np.flatnonzero(has_value)
    found = values[rows] / images[rows] if metric in _PER_IMAGE else values[rows]
    return found, np.zeros(rows.size, dtype=np.bool_), rows


def _rate(metric: str, jobs: pd.DataFrame, confidence: float) -> _Found:
    judged = jobs[~is_in(jobs, "outcome", NOT_JUDGED)]
    if metric == "error_rate":
        count, what = len(judged) - int(is_in(judged, "outcome", ("image",)).sum()), "failed"
    else:
        count, what = int(np.count_nonzero(numbers(judged, "rate_limited_attempts") > 0)), "met a 429"
    share = proportion(count, len(judged), confidence)
    return _Found(share.share, share.low, share.high, len(judged), f"{count} of {_jobs(len(judged))} {what}")


def _mean(values: FloatArray, censored: BoolArray, counted: str, confidence: float) -> _Found:
    mean, n = float(values.mean()), int(values.size)
    if n < 2:
        return _Found(mean, None, None, n, counted)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
    if censored.any():  # larger than that, and nobody knows by how much
        return _Found(None, mean - half, None, n, counted, censored=int(censored.sum()), beyond=mean)
    return _Found(mean, mean - half, mean + half, n, counted)


def _quantile(times: FloatArray, censored: BoolArray, p: float, counted: str, confidence: float) -> _Found:
    found = survival(times, censored).quantile(p, confidence)
    # Each job takes at least as long as it was watched: a lower limit of the one is a lower limit of the other.
    low = max((limit for limit in (found.low, quantile(times, p, confidence).low) if limit is not None), default=None)
    return _Found(
        found.value, low, found.high, found.n, counted,
        censored=found.censored, thin=found.thin, floor=found.floor, beyond=found.beyond,
    )  # fmt: skip


def _compared(test: HypothesisTest, a: pd.DataFrame, b: pd.DataFrame, jobs: pd.DataFrame, confidence: float) -> _Found:
    prompts = pd.Index(pd.unique(jobs["prompt_hash"]))
    arm_a, arm_b = _arm(a, test.metric, prompts), _arm(b, test.metric, prompts)
    if not arm_a.times.size or not arm_b.times.size:
        return _nothing("one side has no jobs that gave a value")
    effect = compare(arm_a, arm_b, p=_p(test), seed=_SEED, confidence=confidence)
    cut = effect.censored_a + effect.censored_b
    pairs = f" in {effect.pairs} pairs" if effect.pairs else ""
    counted = f"{effect.n_b} against {_jobs(effect.n_a)}{pairs}" + (f", {cut} of them cut" if cut else "")
    ratio = test.measure == "ratio"
    return _Found(
        value=effect.ratio if ratio else effect.difference,
        low=effect.ratio_low if ratio else effect.low,
        high=effect.ratio_high if ratio else effect.high,
        n_a=effect.n_a,
        n_b=effect.n_b,
        censored=cut,
        why=counted,
    )


def _arm(jobs: pd.DataFrame, metric: str, prompts: pd.Index[str]) -> Arm:
    times, censored, rows = _values(jobs, metric)
    return Arm(
        times=times,
        censored=censored,
        block=jobs["block"].to_numpy(dtype=np.int64)[rows],
        prompt=prompts.get_indexer(pd.Index(jobs["prompt_hash"].iloc[rows])).astype(np.int64),
    )
