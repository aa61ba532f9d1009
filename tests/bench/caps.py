"""`python -m tests.bench.caps`: how often a cap in a crowd is found, and how often one is invented."""

from __future__ import annotations

import sys

import numpy as np

from harness.stats import proportion
from harness.stats.constants import constants

TRIALS = 400
MEDIAN_S = 60.0
TIMER_JITTER = 0.002  # of the cap, exponential: what nginx at 60 s shows on a network


def main() -> int:
    dice = np.random.default_rng(0)
    found = 0
    for _ in range(TRIALS):
        crowd = dice.lognormal(np.log(MEDIAN_S), 0.4, 30)
        cap = MEDIAN_S * dice.uniform(0.8, 1.2)
        seen = constants(np.where(crowd > cap, cap * (1 + dice.exponential(TIMER_JITTER, 30)), crowd))
        found += bool(seen) and abs(seen[0].at / cap - 1) < 0.02
    print(f"a constant cut in a lognormal crowd of 30 (sigma 0.4): found in {_share(found)}")
    for sigma in (0.05, 0.1, 0.2, 0.4, 0.8):
        invented = sum(bool(constants(dice.lognormal(np.log(MEDIAN_S), sigma, 1000))) for _ in range(TRIALS))
        few = sum(bool(constants(dice.lognormal(np.log(MEDIAN_S), sigma, 30))) for _ in range(TRIALS))
        print(f"uncut, sigma {sigma}: invented in {_share(invented)} of 1,000 samples each, {_share(few)} of 30")
    return 0


def _share(count: int) -> str:
    share = proportion(count, TRIALS)
    return f"{count} of {TRIALS} ({share.low:.1%} to {share.high:.1%})"


if __name__ == "__main__":
    sys.exit(main())
