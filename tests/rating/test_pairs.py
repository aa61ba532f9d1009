"""Which pictures meet: never the same cell, as evenly as can be, connected first, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.rating.pairs import Pair, Picture, draw_pairs, sensible_count


def pictures(cells: int, blocks: int = 4, prompts: int = 2, each: int = 1) -> list[Picture]:
    return [
        Picture(f"j{cell}-{block}-{prompt}", index, f"c{cell}", block, f"p{prompt}", f"{cell}{block}{prompt}{index}")
        for cell in range(cells)
        for block in range(blocks)
        for prompt in range(prompts)
        for index in range(each)
    ]


def cells_of(pair: Pair) -> tuple[str, str]:
    a, b = sorted((pair.left.cell, pair.right.cell))
    return a, b


@settings(max_examples=60, deadline=None)
@given(
    cells=st.integers(2, 6),
    blocks=st.integers(1, 4),
    each=st.integers(1, 2),
    count=st.integers(1, 80),
    seed=st.integers(0, 9),
)
def test_pairs_are_of_one_prompt_and_block_and_of_two_cells(
    cells: int, blocks: int, each: int, count: int, seed: int
) -> None:
    drawn = draw_pairs(pictures(cells, blocks, each=each), count, seed)
    assert len(drawn) == min(count, cells * (cells - 1) // 2 * blocks * 2 * each * each)
    for pair in drawn:
        assert pair.left.cell != pair.right.cell
        assert (pair.left.prompt_hash, pair.left.block) == (pair.right.prompt_hash, pair.right.block)
    assert len({frozenset((pair.left, pair.right)) for pair in drawn}) == len(drawn)
    assert len({pair.name for pair in drawn}) == len(drawn)
    met = Counter(map(cells_of, drawn))
    every = [met[a, b] for a in map("c{}".format, range(cells)) for b in map("c{}".format, range(cells)) if a < b]
    assert max(every) - min(every) <= 1  # whenever somebody stops: any first part of a drawing is a drawing


@pytest.mark.parametrize("seed", range(5))
def test_the_first_pairs_lead_from_every_cell_to_every_other(seed: int) -> None:
    reached: set[str] = set()
    for pair in sorted(map(cells_of, draw_pairs(pictures(7), 6, seed))):
        reached |= set(pair)
    assert len(reached) == 7


def test_a_longer_drawing_begins_like_a_shorter_one() -> None:
    assert draw_pairs(pictures(4), 30, 2)[:11] == draw_pairs(pictures(4), 11, 2)


def test_the_same_seed_gives_the_same_pairs_and_another_one_others() -> None:
    mixed = sorted(pictures(4), key=lambda picture: picture.file[::-1])
    assert draw_pairs(pictures(4), 20, 1) == draw_pairs(mixed, 20, 1)
    assert draw_pairs(pictures(4), 20, 1) != draw_pairs(pictures(4), 20, 2)


def test_each_cell_stands_left_as_often_as_right() -> None:
    drawn = draw_pairs(pictures(3, blocks=10), 60, 4)
    left, right = Counter(pair.left.cell for pair in drawn), Counter(pair.right.cell for pair in drawn)
    assert left == right
    sides = [pair.left.cell < pair.right.cell for pair in drawn if cells_of(pair) == ("c0", "c1")]
    assert any(a == b for a, b in pairwise(sides))  # and not simply by turns


def test_pictures_are_shown_equally_often() -> None:
    drawn = draw_pairs(pictures(3, blocks=10, prompts=1), 15, 0)
    shown = Counter(picture for pair in drawn for picture in (pair.left, pair.right))
    assert max(shown.values()) <= 2  # 30 places for 30 pictures
    assert len(shown) >= 23  # drawn without a look at that: 19


def test_pictures_of_different_prompts_or_blocks_never_meet() -> None:
    alone = [
        Picture("a", 0, "c0", 0, "p0", "a"),
        Picture("b", 0, "c1", 1, "p0", "b"),
        Picture("c", 0, "c1", 0, "p1", "c"),
    ]
    assert draw_pairs(alone, 5, 0) == ()


def test_without_a_number_there_are_fifteen_a_cell() -> None:
    assert len(draw_pairs(pictures(3, blocks=20), None, 0)) == sensible_count(3) == 45
    assert sensible_count(50) == 200
