"""Which two pictures stand beside each other: pure, and the same for the same seed.

Both are of the same prompt and block and never of the same cell. Pairs of cells come in rounds, so that each has been
shown as often as any other whenever somebody stops; the first pairs of the first round lead from every cell to every
other one. Within a pair of cells the pictures that were shown least come first, and the sides take turns after a
random start, so that a liking for one side cancels out.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

PAIRS_A_CELL = 15  # so each cell is shown 30 times: a share is then known to about ±13 points
MOST_PAIRS = 200  # a quarter of an hour of somebody's time


@dataclass(frozen=True)
class Picture:
    """A kept image that decodes. `file` is its name in the run's folder of images."""

    job_id: str
    index: int
    cell: str
    block: int
    prompt_hash: str
    file: str


@dataclass(frozen=True)
class Pair:
    """Two pictures and where they stand. `name` says nothing of them."""

    name: str
    left: Picture
    right: Picture


def sensible_count(cells: int) -> int:
    return min(MOST_PAIRS, PAIRS_A_CELL * cells)


def draw_pairs(pictures: Sequence[Picture], count: int | None, seed: int) -> tuple[Pair, ...]:
    """Up to `count` pairs (null: a sensible number), in the order in which they are to be shown.

    Fewer where the run has no more; no two pictures meet twice.
    """
    dice = random.Random(seed)
    waiting = _candidates(pictures, dice)
    if count is None:
        count = sensible_count(len({cell for cells in waiting for cell in cells}))
    shown: Counter[Picture] = Counter()
    turn: dict[tuple[str, str], bool] = {}
    names: set[str] = set()
    out: list[Pair] = []
    first = _spanning(sorted(waiting), dice)
    while len(out) < count and waiting:
        rest = sorted(set(waiting) - set(first))
        dice.shuffle(rest)
        for cells in [*first, *rest][: count - len(out)]:
            a, b = _least_shown(waiting[cells], shown)
            if not waiting[cells]:
                del waiting[cells]
            shown.update((a, b))
            # Every second time a coin is tossed; the time after it they stand the other way round.
            swap = not turn.pop(cells) if cells in turn else turn.setdefault(cells, dice.random() < 0.5)
            name = f"{dice.getrandbits(48):012x}"
            while name in names:
                name = f"{dice.getrandbits(48):012x}"
            names.add(name)
            out.append(Pair(name, b, a) if swap else Pair(name, a, b))
        first = []
    return tuple(out)


def _candidates(
    pictures: Sequence[Picture], dice: random.Random
) -> dict[tuple[str, str], list[tuple[Picture, Picture]]]:
    groups: dict[tuple[str, int], list[Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda p: (p.job_id, p.index)):
        groups[picture.prompt_hash, picture.block].append(picture)
    found: dict[tuple[str, str], list[tuple[Picture, Picture]]] = defaultdict(list)
    for group in groups.values():
        for a, b in combinations(group, 2):
            if a.cell != b.cell:
                found[min(a.cell, b.cell), max(a.cell, b.cell)].append((a, b) if a.cell < b.cell else (b, a))
    for pairs in found.values():
        dice.shuffle(pairs)
    return dict(found)


def _least_shown(waiting: list[tuple[Picture, Picture]], shown: Counter[Picture]) -> tuple[Picture, Picture]:
    """Take out the pair whose pictures were shown least; of equal ones the first, and they lie in random order."""
    best = min(range(len(waiting)), key=lambda i: (shown[waiting[i][0]] + shown[waiting[i][1]], i))
    return waiting.pop(best)


def _spanning(edges: list[tuple[str, str]], dice: random.Random) -> list[tuple[str, str]]:
    """A random tree over the cells (several, where they do not all meet), in random order."""
    dice.shuffle(edges)
    root: dict[str, str] = {}

    def find(cell: str) -> str:
        while root.setdefault(cell, cell) != cell:
            cell = root[cell]
        return cell

    tree = []
    for a, b in edges:
        one, other = find(a), find(b)
        if one != other:
            root[one] = other
            tree.append((a, b))
    return tree
