"""Shares of the spread against worlds whose shares are known, and against sums of squares by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats.spread import MOST_AXES, multiplies_or_adds, spread

QUALITY = {"low": 0.0, "medium": 0.8, "high": 1.6}
SIZE = {"1024": 0.0, "1536": 0.4}


def matrix(repeats: int, luck: float, seed: int = 0) -> tuple[np.ndarray, dict[str, list[object]], np.ndarray]:
    dice = np.random.default_rng(seed)
    rows = [(q, s, r) for r in range(repeats) for q in QUALITY for s in SIZE]
    logs = np.array([9 + QUALITY[q] + SIZE[s] for q, s, _ in rows]) + dice.normal(0, luck, len(rows))
    axes: dict[str, list[object]] = {"quality": [q for q, _, _ in rows], "size": [s for _, s, _ in rows]}
    return np.exp(logs), axes, np.array([r for _, _, r in rows])


def uncut(times: np.ndarray) -> np.ndarray:
    return np.zeros(times.size, dtype=np.bool_)


def test_a_balanced_matrix_gives_the_plain_sums_of_squares() -> None:
    times, axes, _ = matrix(20, 0.3)
    logs = np.log(times)
    found = spread(times, uncut(times), axes)
    total = np.sum((logs - logs.mean()) ** 2)
    for share in found.axes:
        values = np.array(axes[share.axis])
        means = np.array([logs[values == value].mean() for value in values])
        assert share.share == pytest.approx(np.sum((means - logs.mean()) ** 2) / total)
    assert sum(share.share for share in found.axes) + (found.unexplained or 0) == pytest.approx(1)
    assert found.residual_log_sd == pytest.approx(0.3, abs=0.05)
    assert [share.axis for share in found.axes] == ["quality", "size"]


def test_the_shares_are_those_of_the_world() -> None:
    times, axes, _ = matrix(2000, 0.3)
    found = {share.axis: share.share for share in spread(times, uncut(times), axes).axes}
    of_quality, of_size = np.var(list(QUALITY.values())), np.var(list(SIZE.values()))
    total = of_quality + of_size + 0.3**2
    assert found["quality"] == pytest.approx(of_quality / total, abs=0.01)
    assert found["size"] == pytest.approx(of_size / total, abs=0.01)


def test_axes_that_say_the_same_share_what_they_explain() -> None:
    times, axes, _ = matrix(20, 0.3)
    twice = {"quality": axes["quality"], "same": [str(value) * 2 for value in axes["quality"]]}
    one, other = spread(times, uncut(times), twice).axes
    alone = spread(times, uncut(times), {"quality": axes["quality"]}).axes[0]
    assert one.share == pytest.approx(other.share) == pytest.approx(alone.share / 2)


def test_an_axis_without_effect_explains_what_chance_explains() -> None:
    dice = np.random.default_rng(1)
    shares = []
    for _ in range(300):
        times = np.exp(dice.normal(10, 0.5, 60))
        hour: list[object] = list(dice.permutation(np.arange(60) % 6))
        share = spread(times, uncut(times), {"hour": hour}).axes[0]
        shares.append(share.share)
        assert share.by_chance == pytest.approx(5 / 59)
    assert np.mean(shares) == pytest.approx(5 / 59, abs=0.01)


def test_cut_jobs_are_left_out_and_counted() -> None:
    times, axes, _ = matrix(10, 0.3)
    cut = np.arange(times.size) < 7
    found = spread(times, cut, axes)
    assert (found.n, found.left_out) == (53, 7)


def test_what_does_not_vary_is_no_axis() -> None:
    times, axes, _ = matrix(5, 0.3)
    found = spread(times, uncut(times), {**axes, "route": ["azure"] * times.size})
    assert {share.axis for share in found.axes} == {"quality", "size"}


def test_nothing_and_no_spread_have_no_shares() -> None:
    nothing = np.array([])
    assert spread(nothing, uncut(nothing), {"quality": []}).unexplained is None
    same = np.full(4, 1000.0)
    assert spread(same, uncut(same), {"quality": [1, 1, 2, 2]}).axes == ()


def test_other_lengths_and_too_many_axes_are_refused() -> None:
    times = np.array([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="length"):
        spread(times, uncut(times), {"quality": [1]})
    with pytest.raises(ValueError, match="axes"):
        spread(times, uncut(times), {str(k): [1, 2, 3] for k in range(MOST_AXES + 1)})


@pytest.mark.parametrize("seed", range(10))
def test_a_world_that_multiplies_is_told_from_one_that_adds(seed: int) -> None:
    dice = np.random.default_rng(seed)
    rows = [(q, s, r) for r in range(20) for q in range(3) for s in range(3)]
    first, second = [q for q, _, _ in rows], [s for _, s, _ in rows]
    block = np.array([r for _, _, r in rows])
    luck = np.exp(dice.normal(0, 0.2, len(rows)))
    multiplied = np.array([10_000 * 2.5**q * 1.8**s for q, s, _ in rows]) * luck
    added = np.array([10_000 + 15_000 * q + 12_000 * s for q, s, _ in rows]) * luck
    assert multiplies_or_adds(multiplied, uncut(multiplied), first, second, block).kind == "multiplies"
    assert multiplies_or_adds(added, uncut(added), first, second, block).kind == "adds"


def test_a_world_with_one_effect_only_is_undecided() -> None:
    decided = 0
    for seed in range(40):
        dice = np.random.default_rng(seed)
        rows = [(q, s, r) for r in range(15) for q in range(3) for s in range(2)]
        times = np.array([10_000 * 2.0**q for q, _, _ in rows]) * np.exp(dice.normal(0, 0.3, len(rows)))
        block = np.array([r for _, _, r in rows])
        joint = multiplies_or_adds(times, uncut(times), [q for q, _, _ in rows], [s for _, s, _ in rows], block)
        decided += joint.kind != "undecided"
    assert decided <= 6


def test_too_few_blocks_and_axes_that_stand_still_decide_nothing() -> None:
    times, axes, block = matrix(2, 0.1)
    few = multiplies_or_adds(times, uncut(times), axes["quality"], axes["size"], block)
    still = multiplies_or_adds(times, uncut(times), axes["quality"], [1] * times.size, block)
    assert (few.kind, still.kind) == ("undecided", "undecided")
    assert few.why
    assert math.isfinite(len(still.why))
