"""`python -m tests.bench.comparisons`: intervals that hold, false alarms, power, and Kaplan-Meier against another one.

The world: a job takes 30 s times exp(weather of its block + luck of its own), both normal; the truth of every quantile
and ratio follows from that. Cuts are a cap at a constant, the same for both arms, where it cuts the stated share of the
slower one, or caps that differ from job to job where the p90 is asked for.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.stats import proportion, survival
from harness.stats.compare import Arm, compare
from harness.stats.quantiles import FloatArray, Proportion

TRIALS = 1000
RESAMPLES = 999
TYPICAL_MS = 30_000.0
WEATHER, LUCK = 0.2, 0.3  # sd of log times
TOTAL = float(np.hypot(WEATHER, LUCK))


@dataclass(frozen=True)
class World:
    title: str
    blocks: int
    jobs: int = 1  # of each arm in a block
    paired: bool = True
    cut: float = 0.0


WORLDS = (
    World("10 pairs", 10),
    World("20 pairs", 20),
    World("50 pairs", 50),
    World("50 pairs, 20 % cut", 50, cut=0.2),
    World("50 pairs, 40 % cut", 50, cut=0.4),
    World("10 blocks of 5 pairs", 10, 5),
    World("50 and 50, not paired", 50, paired=False),
    World("50 and 50, not paired, 20 % cut", 50, paired=False, cut=0.2),
)


def arms(world: World, slower: float, dice: np.random.Generator) -> tuple[Arm, Arm]:
    cap = TYPICAL_MS * slower * float(np.exp(TOTAL * stats.norm.ppf(1 - world.cut))) if world.cut else np.inf
    weather = dice.normal(0, WEATHER, world.blocks)
    made = []
    for index, factor in enumerate((1.0, slower)):
        own = weather if world.paired else dice.normal(0, WEATHER, world.blocks)
        n = world.blocks * world.jobs
        times = TYPICAL_MS * factor * np.exp(np.repeat(own, world.jobs) + dice.normal(0, LUCK, n))
        block = np.repeat(np.arange(world.blocks), world.jobs) + (0 if world.paired else index * world.blocks)
        made.append(Arm(np.minimum(times, cap), times > cap, block, np.tile(np.arange(world.jobs), world.blocks)))
    return made[0], made[1]


def line(world: World, trials: int) -> str:
    """One row: coverage, false alarms, power."""
    covered, covered_tail, alarms, alarms_tail, said = 0, 0, 0, 0, 0
    for trial in range(trials):
        a, b = arms(world, 1.0, np.random.default_rng([trial, 0]))
        median = compare(a, b, min_effect=0.0, resamples=RESAMPLES, seed=trial)
        tail = compare(a, b, p=0.9, min_effect=0.0, resamples=RESAMPLES, seed=trial)
        covered += _holds(median.ratio_low, median.ratio_high, 1.0)
        covered_tail += _holds(tail.ratio_low, tail.ratio_high, 1.0)
        alarms += median.p_value is not None and median.p_value < 0.05
        alarms_tail += tail.verdict in ("faster", "slower")
        said += median.verdict in ("faster", "slower")
    power = [_power(world, slower, trials) for slower in (1.1, 1.2)]
    counts = [covered, covered_tail, alarms, said, alarms_tail]
    cells = [f"{count / trials:.1%}" for count in counts] + [f"{found:.0%} / {shown:.0%}" for found, shown in power]
    return f"| {world.title} | " + " | ".join(cells) + " |"


def _power(world: World, slower: float, trials: int) -> tuple[float, float]:
    """Shares of trials in which the test finds it, and in which the verdict says so (smallest effect 0)."""
    found = shown = 0
    for trial in range(trials):
        effect = compare(
            *arms(world, slower, np.random.default_rng([trial, 1])), min_effect=0.0, resamples=RESAMPLES, seed=trial
        )
        found += effect.p_value is not None and effect.p_value < 0.05
        shown += effect.verdict == "slower"
    return found / trials, shown / trials


def _holds(low: float | None, high: float | None, truth: float) -> bool:
    return (low is None or low <= truth) and (high is None or truth <= high)


def single(cut: float, n: int, p: float, trials: int) -> tuple[Proportion, float]:
    """Coverage of the 90 % interval of one arm's quantile, and the share of trials in which it is closed."""
    held = closed = 0
    truth = TYPICAL_MS * float(np.exp(TOTAL * stats.norm.ppf(p)))
    for trial in range(trials):
        dice = np.random.default_rng([trial, 2])
        times = TYPICAL_MS * np.exp(dice.normal(0, TOTAL, n))
        caps = _caps(cut, n, dice)
        found = survival(np.minimum(times, caps), times > caps).quantile(p, 0.9)
        held += _holds(found.low, found.high, truth)
        closed += found.low is not None and found.high is not None
    return proportion(held, trials), closed / trials


def _caps(cut: float, n: int, dice: np.random.Generator) -> FloatArray:
    """Caps that differ from job to job and cut that share: lognormal, twice as wide as the times."""
    if cut == 0:
        return np.full(n, np.inf)
    width = float(np.hypot(TOTAL, 2 * TOTAL))
    return TYPICAL_MS * np.exp(dice.normal(-width * stats.norm.ppf(cut), 2 * TOTAL, n))


def other_kaplan_meier(times: list[float], cut: list[bool]) -> list[float]:
    """The share done by each distinct time, in whole numbers as far as they go: redistribution to the right.

    B. Efron, "The two sample problem with censored data", Fifth Berkeley Symposium (1967) volume 4, 831-853: each cut
    job gives its weight to those after it. Nothing in common with a product of conditional shares.
    """
    rows = sorted(zip(times, cut, strict=True))
    weights = [1 / len(rows)] * len(rows)
    for index, (_, was_cut) in enumerate(rows):
        if was_cut:
            rest = len(rows) - index - 1
            for later in range(index + 1, len(rows)):
                weights[later] += weights[index] / rest
            weights[index] = 0.0
    return [sum(w for w, row in zip(weights, rows, strict=True) if row[0] <= at) for at in sorted(set(times))]


def agreeing(count: int) -> int:
    """How many of so many random data sets, ties and all, give the same curve in both."""
    same = 0
    for seed in range(count):
        dice = random.Random(seed)
        n = dice.randint(1, 80)
        times = [float(dice.randint(1, 30)) for _ in range(n)]
        cut = [dice.random() < 0.4 for _ in range(n)]
        same += bool(np.allclose(survival(times, cut).cdf, other_kaplan_meier(times, cut), atol=1e-12))
    return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    options = parser.parse_args()
    print(f"{options.trials} trials each; one standard error of 95 % is {np.sqrt(0.0475 / options.trials):.1%}.\n")
    print("Two arms. Intervals of ratios at 95 %, an open side holds everything; alarms are of arms that are the same")
    print("(smallest effect 0, so that nothing but chance keeps quiet). Power: by the test / by the verdict.\n")
    print("| jobs | median held | p90 held | test alarms | verdict alarms | p90 alarms | +10 % found | +20 % found |")
    print("|---|---|---|---|---|---|---|---|")
    for world in WORLDS:
        print(line(world, options.trials), flush=True)
    print("\nOne arm of 200 jobs, intervals at 90 % (goal 88 to 93 %), caps that differ from job to job:\n")
    print("| cut | median held | closed | p90 held | closed |")
    print("|---|---|---|---|---|")
    for cut in (0.0, 0.2, 0.5):
        cells = []
        for p in (0.5, 0.9):
            held, closed = single(cut, 200, p, options.trials)
            cells += [f"{held.share:.1%}", f"{closed:.0%}"]
        print(f"| {cut:.0%} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nKaplan-Meier agrees with redistribution to the right on {agreeing(1000)} of 1,000 random data sets.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
