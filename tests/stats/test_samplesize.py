"""Planned sample sizes against simulation: what was planned with them comes out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from harness.stats import quantile, sample_floor
from harness.stats.compare import Arm, compare
from harness.stats.samplesize import (
    MOST_JOBS,
    careful_log_sd,
    jobs_for_effect,
    jobs_for_width,
    log_sd,
    pooled_log_sd,
)


@pytest.mark.parametrize("p", [0.5, 0.9])
@pytest.mark.parametrize("half_width", [0.05, 0.1])
def test_an_interval_of_so_many_jobs_is_as_wide_as_was_asked_for(p: float, half_width: float) -> None:
    n = jobs_for_width(0.3, half_width, p=p)
    dice = np.random.default_rng(0)
    widths = []
    for _ in range(200):
        found = quantile(np.exp(dice.normal(10, 0.3, n)), p)
        assert found.low is not None
        assert found.high is not None
        widths.append(math.log(found.high / found.low) / 2)
    assert np.mean(widths) == pytest.approx(math.log1p(half_width), rel=0.05)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_an_effect_is_shown_as_often_as_was_asked_for(correlation: float) -> None:
    n = jobs_for_effect(0.3, 0.25, min_effect=0.05, power=0.8, correlation=correlation)
    dice = np.random.default_rng(1)
    shown = 0
    for trial in range(200):
        weather = dice.normal(10, 0.3 * math.sqrt(correlation), n)
        logs = [weather + dice.normal(0, 0.3 * math.sqrt(1 - correlation), n) for _ in range(2)]
        arms = [
            Arm(np.exp(log) * factor, np.zeros(n, dtype=np.bool_), np.arange(n), np.zeros(n, dtype=np.int64))
            for log, factor in zip(logs, (1, 1.25), strict=True)
        ]
        shown += compare(arms[0], arms[1], min_effect=0.05, resamples=400, seed=trial).verdict == "slower"
    assert 0.68 <= shown / 200 <= 0.9


def test_medians_of_pairs_vary_as_the_closed_form_says() -> None:
    wanted = (math.pi - 2 * math.asin(0.6)) * (0.3 * (1.959964 + 0.841621) / math.log(1.1)) ** 2
    assert jobs_for_effect(0.3, 0.1, min_effect=0.0, correlation=0.6) == math.ceil(wanted)


def test_pairs_save_jobs_and_cuts_comparisons_and_spread_cost_some() -> None:
    plain = jobs_for_effect(0.3, 0.15)
    assert jobs_for_effect(0.3, 0.15, correlation=0.7) < plain
    assert jobs_for_effect(0.3, 0.15, cut=0.5) == pytest.approx(2 * plain, abs=2)
    assert jobs_for_effect(0.6, 0.15) == pytest.approx(4 * plain, abs=4)
    assert jobs_for_effect(0.3, 0.15, min_effect=0.0, comparisons=50) > jobs_for_effect(0.3, 0.15, min_effect=0.0)


def test_no_plan_falls_below_what_a_quantile_asks_for() -> None:
    assert jobs_for_width(0.001, 0.5) == sample_floor(0.5)
    assert jobs_for_width(0.001, 0.5, p=0.9) == sample_floor(0.9)
    assert jobs_for_effect(0.0, 0.5) == sample_floor(0.5)


def test_an_effect_that_does_not_matter_cannot_be_shown_to() -> None:
    assert jobs_for_effect(0.3, 0.05, min_effect=0.05) == MOST_JOBS


def test_the_spread_of_a_pilot_is_known_with_and_without_cuts() -> None:
    dice = np.random.default_rng(2)
    times = np.exp(dice.normal(10, 0.4, 4000))
    none = np.zeros(4000, dtype=np.bool_)
    assert log_sd(times, none) == pytest.approx(0.4, rel=0.05)
    cap = float(np.quantile(times, 0.6))
    assert log_sd(np.minimum(times, cap), times > cap) == pytest.approx(0.4, rel=0.07)
    assert log_sd(np.minimum(times, 1.0), none | True) is None
    assert pooled_log_sd([(times, none), (times * 7, none)]) == pytest.approx(log_sd(times, none))
    assert pooled_log_sd([]) is None


def test_a_careful_spread_is_too_small_one_time_in_five() -> None:
    dice = np.random.default_rng(3)
    small = sum(careful_log_sd(float(np.std(dice.normal(0, 1, 8), ddof=1)), 8) < 1 for _ in range(4000))
    assert small / 4000 == pytest.approx(0.2, abs=0.02)


def test_figures_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="spread"):
        jobs_for_width(-1.0, 0.1)
    with pytest.raises(ValueError, match="width"):
        jobs_for_width(0.3, 0.0)
    with pytest.raises(ValueError, match="cut share"):
        jobs_for_width(0.3, 0.1, cut=1.0)
    with pytest.raises(ValueError, match="effect"):
        jobs_for_effect(0.3, 0.0)
    with pytest.raises(ValueError, match="two jobs"):
        careful_log_sd(0.3, 1)


@pytest.mark.parametrize("spread", [0.2, 0.36, 0.6])
def test_the_table_of_the_docs_is_what_the_code_says(spread: float) -> None:
    row = [
        jobs_for_width(spread, 0.1),
        jobs_for_width(spread, 0.1, p=0.9),
        jobs_for_effect(spread, 0.2),
        jobs_for_effect(spread, 0.2, correlation=0.3),
        jobs_for_effect(spread, 0.2, min_effect=0.0),
    ]
    text = (Path(__file__).resolve().parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")
    assert f"| {spread} | " + " | ".join(map(str, row)) + " |" in text


def test_the_fewest_jobs_of_the_docs_are_those_that_have_limits() -> None:
    for p, fewest in ((0.5, 6), (0.9, 36)):
        assert quantile(np.arange(float(fewest)), p).high is not None
        assert quantile(np.arange(float(fewest - 1)), p).high is None
