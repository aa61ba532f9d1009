"""How often one arm is preferred to another, from votes on pairs.

The model: arm i is preferred to arm j with the odds of their strengths, ``logit P = theta_i - theta_j``. A tie is half
a vote for each. What is estimated is then the expected share of a vote, and all that the method asks of ties is that
they fall where the arms are alike; a model of how ties come about (Davidson 1970) has one parameter more and answers a
question that nobody asked here.

Each arm has besides its votes `PRIOR_VOTES` ties with an arm of average strength. Without it an arm that never lost
has no finite strength; with two arms it is the half vote that is added to both sides of a small table. Arms that no
chain of votes connects are not on one scale: they are components of their own, each with its own average.

The variance is the larger one of two, arm by arm: that of the information matrix, which stays wide where an arm never
loses, and the robust one of whole clusters, which knows that votes on one prompt are alike. Limits are those of
Student's t with clusters - 1 degrees, on the scale of log odds.

Sources
-------
* The model: R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs: I", Biometrika 39 (1952)
  324-345.
* When a finite solution exists (every arm is reached from every other by wins): L. R. Ford, "Solution of a ranking
  problem from binary comparisons", American Mathematical Monthly 64 (1957) 28-33.
* The alternative for ties: R. R. Davidson, "On extending the Bradley-Terry model to accommodate ties", Journal of the
  American Statistical Association 65 (1970) 317-328.
* Shares as outcomes of a logit, which needs nothing but the mean to be right: L. E. Papke and J. M. Wooldridge,
  "Econometric methods for fractional response variables", Journal of Applied Econometrics 11 (1996) 619-632.
* Variance of clusters, its factor G / (G - 1), and t with G - 1 degrees: A. C. Cameron and D. L. Miller, "A
  practitioner's guide to cluster-robust inference", Journal of Human Resources 50 (2015) 317-372.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import optimize, special, stats
from scipy.sparse import coo_array, csgraph

from harness.stats.censored import IntArray
from harness.stats.holm import holm
from harness.stats.quantiles import INTERVAL_CONFIDENCE, FloatArray

PRIOR_VOTES = 1.0  # of each arm, tied with an average one
MIN_VOTES = 10  # of an arm: below it nothing is said of the arm
MIN_CLUSTERS = 6  # the robust variance of fewer is hardly one


@dataclass(frozen=True)
class Share:
    """A share of votes (0 to 1, a tie is half a one) with its 95 % interval; null where too little is known."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Strength:
    """One arm against the average arm of its component."""

    votes: int
    won: float  # votes won, ties as halves
    component: int  # arms of different ones were never compared, not even by way of others
    share: Share


@dataclass(frozen=True)
class Duel:
    """Arm `a` against arm `b` as the model sees them, from all votes and not from theirs alone."""

    a: int
    b: int
    share: Share
    p: float | None
    p_adjusted: float | None  # after Holm over all pairs of arms


@dataclass(frozen=True)
class Fit:
    """Strengths by arm, all pairs of arms that are on one scale, and what is odd about the votes."""

    theta: FloatArray  # log odds against the average of the component, shape (arms,)
    strengths: tuple[Strength, ...]
    duels: tuple[Duel, ...]
    clusters: int
    components: int  # with votes
    one_sided: tuple[int, ...]  # arms that won or lost all: plain maximum likelihood has no finite strength for them


def fit(arms: int, left: IntArray, right: IntArray, score: FloatArray, cluster: IntArray) -> Fit:
    """Strengths of `arms` arms from votes.

    Args:
        arms: how many there are; votes name them 0 to arms - 1.
        left, right: the two arms of each vote, shape (votes,).
        score: 1 for left, 0 for right, 0.5 for a tie.
        cluster: votes of one cluster are not independent of each other.
    """
    votes = np.bincount(left, minlength=arms) + np.bincount(right, minlength=arms)
    won = np.bincount(left, score, arms) + np.bincount(right, 1 - score, arms)
    component = _components(arms, left, right)
    groups = int(np.unique(cluster).size)
    if not left.size:
        empty = tuple(Strength(0, 0.0, int(component[arm]), Share(None)) for arm in range(arms))
        return Fit(np.zeros(arms), empty, (), 0, 0, ())
    design = np.zeros((left.size, arms))
    rows = np.arange(left.size)
    design[rows, left] += 1
    design[rows, right] -= 1
    theta = _maximum(design, score)
    centre = _centring(component)
    central = centre @ theta
    plain, robust = _variances(design, score, theta, cluster)
    enough = (votes >= MIN_VOTES) & (groups >= MIN_CLUSTERS)
    wide = float(stats.t.ppf((1 + INTERVAL_CONFIDENCE) / 2, max(groups - 1, 1)))

    def error(contrast: FloatArray) -> float:
        return math.sqrt(max(float(contrast @ plain @ contrast), float(contrast @ robust @ contrast)))

    def share(middle: float, spread: float) -> Share:
        low, high = special.expit([middle - wide * spread, middle + wide * spread])
        return Share(float(special.expit(middle)), float(low), float(high))

    strengths = tuple(
        Strength(
            int(votes[arm]),
            float(won[arm]),
            int(component[arm]),
            share(float(central[arm]), error(centre[arm]))
            if enough[arm] and np.count_nonzero(component == component[arm]) > 1
            else Share(None),
        )
        for arm in range(arms)
    )
    found: list[tuple[int, int, Share, float | None]] = []
    for a, b in combinations(range(arms), 2):
        if component[a] != component[b]:
            continue
        if not (enough[a] and enough[b]):
            found.append((a, b, Share(None), None))
            continue
        contrast = np.zeros(arms)
        contrast[a], contrast[b] = 1, -1
        apart, spread = float(theta[a] - theta[b]), error(contrast)
        found.append((a, b, share(apart, spread), float(2 * stats.t.sf(abs(apart) / spread, groups - 1))))
    adjusted = holm([p for *_, p in found])
    return Fit(
        theta=central,
        strengths=strengths,
        duels=tuple(Duel(a, b, s, p, q) for (a, b, s, p), q in zip(found, adjusted, strict=True)),
        clusters=groups,
        components=int(np.unique(component[votes > 0]).size),
        one_sided=_one_sided(arms, left, right, score, votes),
    )


def _maximum(design: FloatArray, score: FloatArray) -> FloatArray:
    """Strengths of the greatest likelihood, prior ties included; the sum of strengths is near 0."""

    def cost(theta: FloatArray) -> tuple[float, FloatArray]:
        apart = design @ theta
        value = np.sum(np.logaddexp(0, apart) - score * apart) + PRIOR_VOTES * np.sum(
            np.logaddexp(0, theta) - theta / 2
        )
        slope = design.T @ (special.expit(apart) - score) + PRIOR_VOTES * (special.expit(theta) - 0.5)
        return float(value), slope

    def bend(theta: FloatArray) -> FloatArray:
        return _information(design, theta)

    start = np.zeros(design.shape[1])
    done = optimize.minimize(cost, start, jac=True, hess=bend, method="trust-exact", options={"gtol": 1e-9})
    return np.asarray(done.x, dtype=np.float64)


def _information(design: FloatArray, theta: FloatArray) -> FloatArray:
    expected, prior = special.expit(design @ theta), special.expit(theta)
    own = np.diag(PRIOR_VOTES * prior * (1 - prior))
    return np.asarray(design.T @ (design * (expected * (1 - expected))[:, None]) + own, dtype=np.float64)


def _variances(
    design: FloatArray, score: FloatArray, theta: FloatArray, cluster: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Of all strengths, shape (arms, arms): from the information matrix, and the robust one of clusters."""
    plain = np.asarray(np.linalg.inv(_information(design, theta)), dtype=np.float64)
    _, group = np.unique(cluster, return_inverse=True)
    groups = int(group.max()) + 1
    pulls = np.zeros((groups, theta.size))
    np.add.at(pulls, group, design * (score - special.expit(design @ theta))[:, None])
    robust = np.asarray(plain @ (pulls.T @ pulls) @ plain * (groups / max(groups - 1, 1)), dtype=np.float64)
    return plain, robust


def _components(arms: int, left: IntArray, right: IntArray) -> IntArray:
    graph = coo_array((np.ones(left.size), (left, right)), shape=(arms, arms))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], dtype=np.int64)


def _centring(component: IntArray) -> FloatArray:
    """The matrix that takes from each strength the mean of its component."""
    same = (component[:, None] == component[None, :]).astype(np.float64)
    return np.asarray(np.eye(component.size) - same / same.sum(axis=1, keepdims=True), dtype=np.float64)


def _one_sided(arms: int, left: IntArray, right: IntArray, score: FloatArray, votes: IntArray) -> tuple[int, ...]:
    """Arms that no chain of wins leads to, or from, though votes connect them (Ford's condition)."""
    beats = np.zeros((arms, arms), dtype=np.bool_)
    beats[left[score > 0], right[score > 0]] = True
    beats[right[score < 1], left[score < 1]] = True
    strong = csgraph.connected_components(coo_array(beats), directed=True, connection="strong")[1]
    weak = _components(arms, left, right)
    whole = {int(c): np.unique(strong[weak == c]).size == 1 for c in np.unique(weak)}
    return tuple(
        arm
        for arm in range(arms)
        if votes[arm] and not whole[int(weak[arm])] and np.count_nonzero(strong == strong[arm]) == 1
    )
