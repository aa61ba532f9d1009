"""When a shape shows the verdict: most of its sends do, decided as soon as the rest cannot change that.

With K repeats and m = K // 2 + 1, a shape shows it after m sends that do, and does not after K - m + 1 that do not.
By chance alone, where a send shows the verdict with probability b although the shape has nothing to do with it, that
happens with P(Binomial(K, b) >= m): of 3 repeats and b = 10 % in 2.8 % of shapes, of 5 in 0.9 %. The smallest shape is
shown twice over, with fresh sends, so that it is not the one that was lucky: 0.08 % and 0.007 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb


def majority(repeats: int) -> int:
    """How many sends have to show it."""
    return repeats // 2 + 1


def decided(shown: Sequence[bool], repeats: int) -> tuple[bool | None, int]:
    """Whether the first sends decide, and how many of them that took. None: not yet.

    `shown`: send by send whether it shows the verdict; sends that say nothing are not among them.
    """
    hits = misses = 0
    for used, hit in enumerate(shown, start=1):
        hits, misses = hits + hit, misses + (not hit)
        if hits >= majority(repeats):
            return True, used
        if misses > repeats - majority(repeats):
            return False, used
    return None, len(shown)


def by_chance(repeats: int, background: float = 0.1) -> float:
    """How often a shape passes of which each send shows the verdict with probability `background`, by chance."""
    return sum(
        comb(repeats, hits) * background**hits * (1 - background) ** (repeats - hits)
        for hits in range(majority(repeats), repeats + 1)
    )
