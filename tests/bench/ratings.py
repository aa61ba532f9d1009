"""`python -m tests.bench.ratings`: do intervals of Bradley-Terry scores hold the truth, and what do so many votes show?

The world: cells have strengths, every prompt adds a taste of its own to them (normal, with that standard deviation),
and a vote between like pictures is a tie in 15 % of cases. The truth is the fit to some 100,000 votes of that world.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from harness.stats.bradley_terry import Fit, fit

TRIALS = 1000
TIES = 0.15


@dataclass(frozen=True)
class World:
    strengths: tuple[float, ...]
    votes_a_pair: int
    prompts: int
    taste: float


WORLDS = (
    World((0.0, 0.0), 30, 15, 0.5),
    World((0.45, -0.45), 30, 15, 0.5),
    World((0.6, 0.0, -0.6), 15, 6, 0.5),
    World((0.6, 0.0, -0.6), 15, 30, 0.0),
    World((0.6, 0.0, -0.6), 40, 12, 0.5),
    World((1.5, 0.0, 0.0, -1.5), 8, 20, 0.3),
    World((0.0,) * 6, 6, 15, 0.5),
    World((1.0, 0.0, -1.0), 40, 40, 1.0),
    World((3.0, -3.0), 20, 12, 0.0),
)


def votes(world: World, dice: np.random.Generator, a_pair: int | None = None, prompts: int | None = None) -> Fit:
    """One fit to so many votes on every pair of cells, prompts taking turns."""
    arms, prompts = len(world.strengths), prompts or world.prompts
    pairs = np.array([(a, b) for a in range(arms) for b in range(a + 1, arms)])
    shown = np.tile(pairs, (a_pair or world.votes_a_pair, 1))
    swap = dice.random(len(shown)) < 0.5
    shown[swap] = shown[swap][:, ::-1]
    taste = np.array(world.strengths) + dice.normal(0, world.taste, (prompts, arms))
    prompt = np.arange(len(shown)) % prompts
    p = expit(taste[prompt, shown[:, 0]] - taste[prompt, shown[:, 1]])
    tied = 4 * TIES * p * (1 - p)
    draw = dice.random(len(shown))
    score = np.where(draw < tied, 0.5, (draw < p + tied / 2).astype(float))
    return fit(arms, shown[:, 0], shown[:, 1], score, prompt)


def line(world: World, trials: int) -> str:
    arms = len(world.strengths)
    pairs = arms * (arms - 1) // 2
    truth = votes(world, np.random.default_rng(1), 100_000 // pairs, 100_000).theta
    held = scores = shown = first = 0
    widths = []
    for trial in range(trials):
        found = votes(world, np.random.default_rng([trial, 2]))
        for arm, strength in enumerate(found.strengths):
            share = strength.share
            if share.low is None or share.high is None:
                continue
            scores += 1
            held += share.low <= expit(truth[arm]) <= share.high
            widths.append(share.high - share.low)
        adjusted = [duel.p_adjusted is not None and duel.p_adjusted < 0.05 for duel in found.duels]
        shown += any(adjusted)
        first += next(
            said for said, duel in zip(adjusted, found.duels, strict=True) if (duel.a, duel.b) == (0, arms - 1)
        )
    # Strengths that are all the same: whatever is shown is an alarm, and no pair is there to be found.
    alarms, power = (f"{shown / trials:.1%}", "–") if not any(world.strengths) else ("–", f"{first / trials:.0%}")
    return (
        f"| {', '.join(f'{expit(s - np.mean(world.strengths)):.0%}' for s in world.strengths)} "
        f"| {world.votes_a_pair * pairs} | {world.prompts} | {world.taste:g} | {held / max(scores, 1):.1%} "
        f"| ±{50 * np.mean(widths):.0f} points | {alarms} | {power} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    trials: int = parser.parse_args().trials
    print(f"Blind ratings: 95 % intervals of Bradley-Terry scores, {trials} trials each.\n")
    print("| true shares | votes | prompts | taste | interval held | its width | false alarms | best over last shown |")
    print("|---|---|---|---|---|---|---|---|")
    for world in WORLDS:
        print(line(world, trials), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
