"""How many jobs a cell needs, told from how much log times spread: for a narrow interval, or to show an effect.

All of it takes log times as normal with standard deviation `log_sd` in every cell, which is good enough for planning;
what is then measured is judged without that assumption. Sources of the formulas, each used where it is named:

* **Quantile**: the sample p-quantile is asymptotically normal with variance ``p (1 - p) / (n f(q)^2)``; two of them
  from pairs with correlation r covary by ``(P(both below) - p^2) / (n f(q)^2)``. H. A. David and H. N. Nagaraja, *Order
  Statistics*, 3rd ed. 2003, sections 10.2 and 10.3. P(both below) by D. B. Owen, Annals of Mathematical Statistics 27
  (1956) 1075-1090. For medians the variance of the difference of logs is ``log_sd^2 (pi - 2 arcsin r) / n``.
* **Width**: from there on upwards, the expected order statistics that `harness.stats.quantiles` takes for limits. Their
  expectation is G. Blom's, *Statistical Estimates and Transformed Beta-Variables*, 1958: ``(r - 3/8) / (n + 1/4)``.
* **Signed ranks**: the n of Student's t, ``(z_alpha + z_power)^2 sd^2 / effect^2``, times pi / 3, the price of ranks
  under normality. E. J. G. Pitman's efficiency in E. L. Lehmann, *Nonparametrics*, 1975, section 4.3 and appendix 5.
* **Cuts**: what a test learns it learns from jobs that were done, so n is divided by their share. D. A. Schoenfeld,
  Biometrika 68 (1981) 316-319.
* **Pilots**: a spread from few jobs is often too small, so its upper limit at 80 % is planned with. R. H. Browne,
  Statistics in Medicine 14 (1995) 1933-1940.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from harness.stats.censored import BoolArray, survival
from harness.stats.quantiles import INTERVAL_CONFIDENCE, FloatArray, order_statistic_ranks, sample_floor

POWER = 0.8
PILOT_CONFIDENCE = 0.8
MOST_JOBS = 10_000_000  # "more than anybody will buy", in place of infinity
_QUARTILE = float(stats.norm.ppf(0.75))


def jobs_for_width(
    log_sd: float, half_width: float, *, p: float = 0.5, confidence: float = INTERVAL_CONFIDENCE, cut: float = 0.0
) -> int:
    """Jobs for an interval of the p-quantile no wider than from ``q / (1 + half_width)`` to ``q * (1 + half_width)``.

    Never fewer than `sample_floor` asks for. `cut`: the share of jobs expected to be cut.

    Raises:
        ValueError: a figure is out of its range.
    """
    _check(log_sd, cut, p, confidence)
    if half_width <= 0:
        raise ValueError("an interval has a width")
    z = float(stats.norm.ppf((1 + confidence) / 2))
    n = _unit_variance(p) * (z * log_sd / math.log1p(half_width)) ** 2
    done = _whole(n, sample_floor(p))
    while done < MOST_JOBS and log_sd * _unit_width(done, p, confidence) > 2 * math.log1p(half_width):
        done += 1 + done // 200
    return _whole(done / (1 - cut), done)


def jobs_for_effect(
    log_sd: float,
    effect: float,
    *,
    min_effect: float = 0.05,
    p: float = 0.5,
    power: float = POWER,
    confidence: float = INTERVAL_CONFIDENCE,
    comparisons: int = 1,
    correlation: float = 0.0,
    cut: float = 0.0,
) -> int:
    """Jobs in each of two cells for `harness.stats.compare` to say "slower" of a true ratio of ``1 + effect``.

    Both of what the verdict asks for are planned, and the larger n counts: the test at the level that Holm leaves in
    the worst case (``(1 - confidence) / comparisons``), and the interval of the ratio clear of ``1 + min_effect``.
    `correlation` is that of log times of the two jobs of a pair (0: not paired). An `effect` at or below the smallest
    that matters cannot be shown to matter: `MOST_JOBS`.

    Raises:
        ValueError: a figure is out of its range.
    """
    _check(log_sd, cut, p, confidence)
    if effect <= 0 or min_effect < 0 or not 0.5 <= power < 1 or comparisons < 1 or not -1 < correlation < 1:
        raise ValueError("an effect is above 0, power from 0.5 to below 1, a correlation strictly between -1 and 1")
    if effect <= min_effect:
        return MOST_JOBS
    z_power = float(stats.norm.ppf(power))
    z_interval = float(stats.norm.ppf((1 + confidence) / 2))
    z_test = float(stats.norm.ppf(1 - (1 - confidence) / comparisons / 2))
    of_quantiles = 2 * (_unit_variance(p) - _unit_covariance(p, correlation))
    of_ranks = 2 * (1 - correlation) * math.pi / 3 if p == 0.5 else of_quantiles
    gap = math.log1p(effect) - math.log1p(min_effect)
    n_test = of_ranks * (log_sd * (z_test + z_power) / math.log1p(effect)) ** 2
    n_interval = of_quantiles * (log_sd * (z_interval + z_power) / gap) ** 2
    return _whole(max(n_test, n_interval) / (1 - cut), sample_floor(p))


def log_sd(times: Sequence[float] | FloatArray, censored: Sequence[bool] | BoolArray) -> float | None:
    """The standard deviation of log times (times in ms) of one cell, from its Kaplan-Meier quartiles.

    Quartiles, because a few stragglers would blow up a plain one, and because cuts leave them alone for longer. Where
    cuts keep the upper one from being known, the lower half stands for both; null when not even the median is known, or
    when a time is 0.
    """
    curve = survival(times, censored)
    lower, middle, upper = (curve.quantile(p).value for p in (0.25, 0.5, 0.75))
    if not lower or not middle:
        return None
    if upper is None:
        return math.log(middle / lower) / _QUARTILE
    return math.log(upper / lower) / (2 * _QUARTILE)


def pooled_log_sd(cells: Sequence[tuple[FloatArray, BoolArray]]) -> float | None:
    """One spread for cells that are taken to have the same: root mean square of `log_sd`, weighted by jobs."""
    found = [(times.size, log_sd(times, censored)) for times, censored in cells if times.size > 1]
    known = [(n, sd) for n, sd in found if sd is not None]
    if not known:
        return None
    return math.sqrt(sum(n * sd * sd for n, sd in known) / sum(n for n, _ in known))


def careful_log_sd(sd: float, jobs: int, confidence: float = PILOT_CONFIDENCE) -> float:
    """The upper limit of a spread that was told from so many `jobs` of a pilot; what to plan with.

    Raises:
        ValueError: fewer than two jobs have no spread.
    """
    if jobs < 2:
        raise ValueError("a spread takes two jobs")
    return sd * math.sqrt((jobs - 1) / float(stats.chi2.ppf(1 - confidence, jobs - 1)))


def _unit_width(n: int, p: float, confidence: float) -> float:
    """The expected width of the p-quantile's interval from n standard normals; infinite where it is open."""
    low, high = order_statistic_ranks(n, p, confidence)
    if low is None or high is None:
        return math.inf
    return float(stats.norm.ppf((high - 0.375) / (n + 0.25)) - stats.norm.ppf((low - 0.375) / (n + 0.25)))


def _unit_variance(p: float) -> float:
    """n times the variance of the p-quantile of n standard normals; pi / 2 for the median."""
    return p * (1 - p) / float(stats.norm.pdf(stats.norm.ppf(p))) ** 2


def _unit_covariance(p: float, correlation: float) -> float:
    """n times the covariance of the p-quantiles of both halves of n pairs of standard normals."""
    z = float(stats.norm.ppf(p))
    both = p - 2 * float(special.owens_t(z, math.sqrt((1 - correlation) / (1 + correlation))))
    return (both - p * p) / float(stats.norm.pdf(z)) ** 2


def _check(spread: float, cut: float, p: float, confidence: float) -> None:
    if not (np.isfinite(spread) and spread >= 0):
        raise ValueError("a spread is not below 0")
    if not (0 <= cut < 1 and 0 < p < 1 and 0 < confidence < 1):
        raise ValueError("the cut share is from 0 to below 1, p and confidence lie strictly between 0 and 1")


def _whole(n: float, least: int) -> int:
    return max(least, min(MOST_JOBS, math.ceil(n - 1e-9)))
