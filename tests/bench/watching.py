"""`python -m tests.bench.watching`: how often the chart of a watch is wrong, and how soon it is right.

The world: log times of rounds are normal with a standard deviation of 0.2; a shift of one SD is 22 % slower. Ranks
drawn by lot stand for any distribution. The run length counts rounds after the first twelve, which only teach.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from scipy import stats

from harness.stats.cusum import LEARN, REFERENCE, Design, follow, run_length
from harness.stats.quantiles import FloatArray

K, SD = 0.5, 0.2


def by_lot(h: float, runs: int) -> float:
    """Rounds until the first false alarm, on average, when nothing changes: ranks are uniform and independent."""
    dice, up, down = np.random.default_rng(1), np.zeros(runs), np.zeros(runs)
    first, known = np.full(runs, np.nan), LEARN
    while np.isnan(first).any() and known < 60_000:
        known += 1
        reference = min(known, REFERENCE)
        z = stats.norm.ppf((dice.integers(1, reference + 1, runs) - 0.5) / reference)
        up, down = np.maximum(0, up + z - K), np.maximum(0, down - z - K)
        first[np.isnan(first) & ((up > h) | (down > h))] = known - LEARN
    return float(np.nanmean(first))


def rounds_like(n: int, seed: int, shift_sd: float, at: int, alike: float) -> FloatArray:
    """Times of rounds in ms; `alike` is the correlation of one round with the next."""
    dice = np.random.default_rng(seed)
    noise = dice.normal(0, 1, n)
    for place in range(1, n):
        noise[place] = alike * noise[place - 1] + math.sqrt(1 - alike * alike) * noise[place]
    noise[at:] += shift_sd
    return np.asarray(5000 * np.exp(SD * noise))


def followed(trials: int, n: int, h: float, *, cut: float = 0.0, alike: float = 0.0) -> float:
    """The share of sequences of n unchanging rounds with a false alarm, a share `cut` of them cut by a cap."""
    design, alarmed = Design(K, h, settle=10_000), 0
    cap = 5000 * math.exp(SD * float(stats.norm.ppf(1 - cut))) if cut else math.inf
    for seed in range(trials):
        times = rounds_like(n, seed, 0.0, n, alike)
        alarmed += bool(follow([(min(one, cap), bool(one > cap)) for one in times.tolist()], design=design).changes)
    return alarmed / trials


def delays(trials: int, h: float, shift_sd: float, at: int = 200, most: int = 150) -> tuple[float, float, float]:
    """After a shift at round `at`: median delay in rounds, its 90 % quantile, and the share that was found at all."""
    found = []
    for seed in range(trials):
        times = rounds_like(at + most, seed, shift_sd, at, 0.0)
        changes = follow([(one, False) for one in times.tolist()], design=Design(K, h, settle=10_000)).changes
        found.append(next((one.alarm - at + 1 for one in changes if one.alarm >= at), math.inf))
    ordered = np.sort(found)
    return float(ordered[trials // 2]), float(ordered[int(0.9 * trials)]), float(np.isfinite(ordered).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    print("Rounds until a false alarm, on average, while nothing changes:\n")
    print("| h | Siegmund's formula, as printed | ranks by lot |\n|---|---|---|")
    for h in (4.0, 5.0, 6.0, 7.0):
        print(f"| {h:g} | {run_length(h):.0f} | {by_lot(h, max(200, trials)):.0f} |")
    n = 300
    expected = 1 - math.exp(-(n - LEARN) / run_length(6))
    print(f"\nSequences of {n} unchanging rounds with a false alarm at h 6 (expected {100 * expected:.0f} %):\n")
    print("| rounds | with a false alarm |\n|---|---|")
    for words, more in (
        ("independent", {}),
        ("10 % of them cut by a cap", {"cut": 0.1}),
        ("40 % of them cut by a cap", {"cut": 0.4}),
        ("each like the one before (correlation 0.2)", {"alike": 0.2}),
        ("each like the one before (correlation 0.5)", {"alike": 0.5}),
    ):
        print(f"| {words} | {100 * followed(trials, n, 6.0, **more):.0f} % |")
    print("\nRounds until a change is seen, at h 7, after 200 rounds as usual:\n")
    print("| slower by | median | 9 of 10 within | seen within 150 |\n|---|---|---|---|")
    for shift in (0.5, 1.0, 2.0, 3.0):
        middle, late, share = delays(trials, 7.0, shift)
        percent = 100 * (math.exp(SD * shift) - 1)
        tail = f"{late:.0f}" if math.isfinite(late) else "more than 150"
        print(f"| {shift:g} SD (here {percent:.0f} %) | {middle:.0f} | {tail} | {100 * share:.0f} % |")


if __name__ == "__main__":
    main()
