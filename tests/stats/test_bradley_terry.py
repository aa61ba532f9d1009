"""Strengths from votes: against another algorithm, against a world whose truth is known, and where little is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import expit, logit

from harness.stats.agreement import alpha
from harness.stats.bradley_terry import MIN_CLUSTERS, MIN_VOTES, PRIOR_VOTES, Fit, fit


@dataclass(frozen=True)
class Ballots:
    left: np.ndarray
    right: np.ndarray
    score: np.ndarray
    cluster: np.ndarray

    def fitted(self, arms: int) -> Fit:
        return fit(arms, self.left, self.right, self.score, self.cluster)


def ballots(*rows: tuple[int, int, float, int]) -> Ballots:
    left, right, score, cluster = zip(*rows, strict=True)
    return Ballots(np.array(left), np.array(right), np.array(score, dtype=float), np.array(cluster))


def world(
    theta: list[float], a_pair: int, dice: np.random.Generator, *, clusters: int = 20, spread: float = 0.0
) -> Ballots:
    """Every pair of arms `a_pair` times; each cluster has a taste of its own, and 15 % of even pairs are ties."""
    arms = len(theta)
    taste = np.array(theta) + dice.normal(0, spread, (clusters, arms))
    rows = []
    for _ in range(a_pair):
        for a in range(arms):
            for b in range(a + 1, arms):
                left, right = (a, b) if dice.random() < 0.5 else (b, a)
                cluster = len(rows) % clusters
                p = expit(taste[cluster, left] - taste[cluster, right])
                tied = 0.6 * p * (1 - p)
                draw = dice.random()
                rows.append((left, right, 0.5 if draw < tied else float(draw < p + tied / 2), cluster))
    return ballots(*rows)


def hunter(arms: int, votes: Ballots) -> np.ndarray:
    """The same maximum by the MM algorithm of D. R. Hunter, Annals of Statistics 32 (2004) 384-406, section 2.

    The prior is one more player, who is of strength 1 and ties with everybody.
    """
    met = np.zeros((arms, arms))
    won = np.full(arms, PRIOR_VOTES / 2)
    for left, right, score in zip(votes.left, votes.right, votes.score, strict=True):
        met[left, right] += 1
        met[right, left] += 1
        won[left] += score
        won[right] += 1 - score
    strength = np.ones(arms)
    for _ in range(20_000):
        fresh = won / ((met / (strength[:, None] + strength)).sum(axis=1) + PRIOR_VOTES / (strength + 1))
        if np.abs(np.log(fresh / strength)).max() < 1e-13:
            break
        strength = fresh
    return np.log(strength) - np.log(strength).mean()


@pytest.mark.parametrize("seed", range(8))
def test_strengths_equal_those_of_hunters_algorithm(seed: int) -> None:
    dice = np.random.default_rng(seed)
    arms = int(dice.integers(2, 7))
    votes = world(list(dice.normal(0, 1.5, arms)), int(dice.integers(3, 12)), dice)
    assert votes.fitted(arms).theta == pytest.approx(hunter(arms, votes), abs=1e-6)


def test_two_arms_have_the_odds_of_their_votes_with_half_a_vote_added() -> None:
    votes = ballots(*[(0, 1, float(n < 30), n) for n in range(40)])
    found = votes.fitted(2)
    assert expit(found.theta[0] - found.theta[1]) == pytest.approx(30.5 / 41, abs=0.004)


def test_sides_and_order_change_nothing() -> None:
    votes = world([0.8, 0, -0.5], 12, np.random.default_rng(3))
    swapped = Ballots(votes.right[::-1], votes.left[::-1], 1 - votes.score[::-1], votes.cluster[::-1])
    one, other = votes.fitted(3), swapped.fitted(3)
    assert one.theta == pytest.approx(other.theta, abs=1e-9)
    assert one.strengths[0].share.low == pytest.approx(other.strengths[0].share.low, abs=1e-9)


@pytest.mark.parametrize(
    ("theta", "clusters", "spread", "a_pair"),
    [([0.6, 0.0, -0.6], 12, 0.5, 15), ([1.5, 0.0, 0.0, -1.5], 20, 0.0, 8), ([0.0, 0.0], 8, 0.0, 20)],
)
def test_intervals_hold_the_truth_as_often_as_they_say(
    theta: list[float], clusters: int, spread: float, a_pair: int
) -> None:
    dice = np.random.default_rng(11)
    # What a taste of its own in every cluster makes of the shares, from more votes than anybody will cast.
    truth = world(theta, 4000, dice, clusters=4000, spread=spread).fitted(len(theta)).theta
    held = [
        strength.share.low <= expit(truth[arm]) <= strength.share.high  # type: ignore[operator]
        for _ in range(150)
        for arm, strength in enumerate(
            world(theta, a_pair, dice, clusters=clusters, spread=spread).fitted(len(theta)).strengths
        )
    ]
    assert np.mean(held) >= 0.93


def test_equal_arms_are_seldom_called_better() -> None:
    dice = np.random.default_rng(5)
    alarms = [
        any(duel.p_adjusted is not None and duel.p_adjusted < 0.05 for duel in found.duels)
        for found in (world([0.0] * 4, 10, dice, spread=0.4).fitted(4) for _ in range(200))
    ]
    assert np.mean(alarms) <= 0.06


def test_a_clear_difference_is_found() -> None:
    dice = np.random.default_rng(6)
    found = [
        world([1.0, -1.0], 40, dice).fitted(2).duels[0].p_adjusted < 0.05  # type: ignore[operator]
        for _ in range(50)
    ]
    assert np.mean(found) > 0.95


def test_an_arm_that_never_lost_has_a_wide_interval_and_is_named() -> None:
    found = ballots(*[(0, 1, 1.0, n) for n in range(12)]).fitted(2)
    assert found.one_sided == (0, 1)
    best = found.strengths[0].share
    assert best.low is not None
    assert best.low < 0.75  # 12 of 12 do not show that it always wins
    assert best.value is not None
    assert 0.7 < best.value < 1


def test_one_loss_is_enough_not_to_be_one_sided() -> None:
    rows = [(0, 1, 1.0, n) for n in range(12)]
    assert ballots(*rows, (0, 1, 0.0, 12)).fitted(2).one_sided == ()
    assert ballots(*rows, (0, 1, 0.5, 12)).fitted(2).one_sided == ()


def test_arms_that_were_never_compared_are_on_scales_of_their_own() -> None:
    dice = np.random.default_rng(1)
    rows = [(0, 1, float(dice.random() < 0.8), n) for n in range(30)]
    rows += [(2, 3, float(dice.random() < 0.6), n) for n in range(30)]
    found = ballots(*rows).fitted(4)
    assert found.components == 2
    assert found.strengths[0].component == found.strengths[1].component != found.strengths[2].component
    assert [(duel.a, duel.b) for duel in found.duels] == [(0, 1), (2, 3)]
    assert found.theta[:2].sum() == pytest.approx(0)


def test_arms_are_compared_by_way_of_others() -> None:
    rows = [(0, 1, float(n % 4 != 0), n) for n in range(60)] + [(1, 2, float(n % 4 != 0), n) for n in range(60)]
    found = ballots(*rows).fitted(3)
    (through,) = [duel for duel in found.duels if (duel.a, duel.b) == (0, 2)]
    assert through.share.value == pytest.approx(expit(2 * logit(0.75)), abs=0.03)


def test_votes_on_one_prompt_count_as_alike() -> None:
    """Ten times the same opinions are no ten times as many opinions."""
    dice = np.random.default_rng(2)
    rows = [(0, 1, float(dice.random() < 0.65), n) for n in range(24)]
    once = ballots(*rows).fitted(2).strengths[0].share
    alike = ballots(*[row for row in rows for _ in range(10)]).fitted(2).strengths[0].share
    apart = ballots(*[(a, b, s, 10 * c + k) for a, b, s, c in rows for k in range(10)]).fitted(2).strengths[0].share
    for share in (once, alike, apart):
        assert share.low is not None
        assert share.high is not None
    assert alike.high - alike.low > 2 * (apart.high - apart.low)  # type: ignore[operator]
    assert alike.high - alike.low == pytest.approx(once.high - once.low, rel=0.2)  # type: ignore[operator]


@pytest.mark.parametrize(
    "votes",
    [
        ballots(*[(0, 1, 1.0, n) for n in range(MIN_VOTES - 1)]),
        ballots(*[(0, 1, 1.0, n % (MIN_CLUSTERS - 1)) for n in range(50)]),
    ],
    ids=["few votes", "few clusters"],
)
def test_too_few_votes_say_nothing(votes: Ballots) -> None:
    found = votes.fitted(2)
    assert [strength.share.value for strength in found.strengths] == [None, None]
    assert found.duels[0].p is None


def test_no_votes_at_all_are_no_error() -> None:
    nothing = np.array([], dtype=np.int64)
    found = fit(3, nothing, nothing, np.array([]), nothing)
    assert [strength.votes for strength in found.strengths] == [0, 0, 0]
    assert found.components == 0


def test_alpha_is_that_of_krippendorffs_own_example() -> None:
    """K. Krippendorff, "Computing Krippendorff's alpha-reliability", 2011, section C: 0.743."""
    table = (
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    )
    units = [[value for value in unit if value != "."] for unit in zip(*map(str.split, table), strict=True)]
    found, judged = alpha(units)
    assert found == pytest.approx(0.743, abs=0.0005)
    assert judged == 11


def test_alpha_of_nothing_in_common_is_not_known() -> None:
    assert alpha([["left"], ["right"]]) == (None, 0)
    assert alpha([["left", "left"]]) == (None, 1)
