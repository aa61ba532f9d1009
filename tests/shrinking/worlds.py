"""Worlds that fail by a rule, without a network: the search is held against what the rule says."""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.shrinking.model import Rule, Shape, Trial
from harness.shrinking.search import Step, next_step

FULL = Shape(
    quality="high",
    size="2048x2048",
    output_format="webp",
    output_compression=70,
    n=4,
    stream=True,
    partial_images=3,
    background="opaque",
    moderation="low",
    reference_images=4,
    mask=True,
    edit_form="json",
    prompt="own",
    prompt_length="201-1000",
)

World = Callable[[Shape], bool | None]


def flaky(blamed: Callable[[Shape], bool], often: float, elsewhere: float, dice: random.Random) -> World:
    """Shows the verdict with probability `often` where `blamed` holds, and `elsewhere` otherwise."""
    return lambda shape: dice.random() < (often if blamed(shape) else elsewhere)


def shrunk(original: Shape, world: World, repeats: int = 3, most: int = 2000) -> tuple[Step, list[Trial]]:
    """Search to the end, or as far as `most` sends go."""
    trials: list[Trial] = []
    rule = Rule(repeats=repeats)
    while (step := next_step(original, trials, rule)).shape is not None and len(trials) < most:
        trials.append(
            Trial(
                number=len(trials) + 1,
                shape=step.shape,
                purpose=step.purpose,
                sent_at="",
                estimate_usd=0.1,
                shows=world(step.shape),
                cost_usd=0.1,
            )
        )
    return step, trials
