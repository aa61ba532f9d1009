"""`python -m tests.bench.stopping`: early stopping is never wrong more often than it says, and what it saves.

The world: log times are normal with a standard deviation of 0.36; one look after every block from the fifth on. Each
figure is that of one interval at 95 %; over several, their levels add up by Bonferroni's inequality.
"""

from __future__ import annotations

import argparse
import math
import sys

import numpy as np

from harness.stats.quantiles import FloatArray
from harness.stats.sequence import QuantileSequence, decided, narrow, ranks

TRIALS = 2000
ALPHA = 0.05
LOG_SD = 0.36
AFTER = 5


def ever_outside(p: float, cut: float, trials: int, looks: int = 200) -> float:
    """The share of runs in which the truth was outside of the interval at one look or another."""
    dice = np.random.default_rng(1)
    times = np.exp(dice.normal(0, LOG_SD, (trials, looks)))
    truth = math.exp(LOG_SD * _normal_quantile(p))
    caps = _caps(cut, dice, (trials, looks))
    at_or_below = np.cumsum(np.minimum(times, caps) <= truth, axis=1)
    below = np.cumsum((times <= caps) & (times < truth), axis=1)
    limits = [ranks(n, p, ALPHA) for n in range(1, looks + 1)]
    least = np.array([low or 0 for low, _ in limits])
    most = np.array([looks + 1 if high is None else high for _, high in limits])
    return float(np.mean(((at_or_below < least) | (below >= most)).any(axis=1)))


def compared(
    ratio: float, cut: float, trials: int, blocks: int, min_effect: float
) -> tuple[float, float, float, float]:
    """Shares: decided, decided wrongly, jobs saved; and of the intervals at the end of a run, how many hold."""
    decisions = wrong = held = 0
    left_out = 0
    truth = "slower" if ratio > 1 + min_effect else "faster" if ratio < 1 - min_effect else "no_difference"
    for trial in range(trials):
        dice = np.random.default_rng([trial, 2])
        a, b = np.exp(dice.normal(0, LOG_SD, blocks)), ratio * np.exp(dice.normal(0, LOG_SD, blocks))
        cap = _cap(cut, max(1.0, ratio))
        sequence, verdict = QuantileSequence(0.5, ALPHA), None
        for block in range(blocks):
            low_a, low_b = min(a[block], cap), min(b[block], cap)
            cut_a, cut_b = a[block] > cap, b[block] > cap
            sequence.add(0.0 if cut_a else low_b / low_a, math.inf if cut_b else low_b / low_a)
            if block + 1 >= AFTER:
                verdict = decided(*sequence.interval(), min_effect)
                if verdict is not None:
                    left_out += blocks - block - 1
                    break
        low, high = sequence.interval()
        held += (low is None or low <= ratio) and (high is None or ratio <= high)
        decisions += verdict is not None
        wrong += verdict is not None and verdict != truth
    return decisions / trials, wrong / trials, left_out / (blocks * trials), held / trials


def narrowed(within: float, cut: float, trials: int, blocks: int) -> tuple[float, float, float]:
    """Shares: of runs that stopped before their end, of jobs saved, of intervals at the end that hold the median."""
    stopped = held = left_out = 0
    for trial in range(trials):
        dice = np.random.default_rng([trial, 3])
        times, cap = np.exp(dice.normal(0, LOG_SD, blocks)), _cap(cut, 1.0)
        sequence = QuantileSequence(0.5, ALPHA)
        for block in range(blocks):
            over = times[block] > cap
            sequence.add(min(times[block], cap), math.inf if over else times[block])
            if block + 1 >= AFTER and narrow(*sequence.interval(), within):
                stopped += block + 1 < blocks
                left_out += blocks - block - 1
                break
        low, high = sequence.interval()
        held += (low is None or low <= 1) and (high is None or high >= 1)
    return stopped / trials, left_out / (blocks * trials), held / trials


def _cap(cut: float, median: float) -> float:
    """A cap at a constant that cuts that share of the jobs of the slower arm."""
    return median * math.exp(LOG_SD * _normal_quantile(1 - cut)) if cut else math.inf


def _caps(cut: float, dice: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Caps that differ from job to job and cut that share: lognormal, twice as wide as the times."""
    if cut == 0:
        return np.full(shape, np.inf)
    middle = -math.hypot(LOG_SD, 2 * LOG_SD) * _normal_quantile(cut)
    return np.asarray(np.exp(dice.normal(middle, 2 * LOG_SD, shape)), dtype=np.float64)


def _normal_quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    options = parser.parse_args()
    trials: int = options.trials
    print(
        f"{trials} runs each, and ten times as many in the first table; one standard error of 5 % of {trials} runs is"
    )
    print(f"{math.sqrt(0.0475 / trials):.1%}.\n")
    print("Truth ever outside of a 95 % interval, over 200 looks; caps differ from job to job:\n")
    print("| quantile | nothing cut | 20 % cut | 50 % cut |")
    print("|---|---|---|---|")
    for p in (0.5, 0.9):
        found = [f"{ever_outside(p, cut, 10 * trials):.1%}" for cut in (0.0, 0.2, 0.5)]
        print(f"| p{100 * p:g} | " + " | ".join(found) + " |", flush=True)
    print("\nComparisons of pairs, up to 100 blocks; one cap cuts the stated share of the slower arm. Decided wrongly:")
    print("another verdict than the true one.\n")
    print("| true ratio | smallest effect | cut | decided | wrongly | jobs saved | interval at the end holds |")
    print("|---|---|---|---|---|---|---|")
    for ratio, least in ((1.0, 0.0), (1.0, 0.05), (1.0, 0.25), (1.2, 0.05), (1.5, 0.05), (5.0, 0.05)):
        for cut in (0.0, 0.2, 0.5):
            row = compared(ratio, cut, trials, 100, least)
            cells = " | ".join(f"{share:.1%}" for share in row)
            print(f"| {ratio:g} | {least:.0%} | {cut:.0%} | {cells} |", flush=True)
    print("\nThe median of one cell, until it is known to ±20 %, up to 100 blocks:\n")
    print("| cut | stopped early | jobs saved | interval at the end holds |")
    print("|---|---|---|---|")
    for cut in (0.0, 0.2, 0.5):
        print(f"| {cut:.0%} | " + " | ".join(f"{share:.1%}" for share in narrowed(0.2, cut, trials, 100)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
