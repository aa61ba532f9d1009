"""An effect and the verdict on it.

The verdict asks for both. *Faster* and *slower* need the whole interval of the ratio beyond the smallest effect that
matters, and an adjusted p-value below 1 - confidence. *No difference* is a finding as well: the whole interval inside
of the effects that do not matter (equivalence: D. J. Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15
(1987) 657-680, with 95 % where his two tests at 5 % would ask for 90 %, so on the careful side). Everything else is
inconclusive, and a small number of jobs ends there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.stats.holm import holm
from harness.stats.quantiles import sample_floor

EffectVerdict = Literal["faster", "slower", "no_difference", "inconclusive"]


@dataclass(frozen=True)
class Effect:
    """b against a at the p-quantile. `a`, `b`, `difference`, `low` and `high` in ms; ratios are b / a.

    A quantile that too many cuts keep from being estimable is null, and so is what is made of it; its limits may be
    known all the same. A null limit is open. `pairs`: combinations of block and prompt that both arms have.
    """

    p: float
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    n_a: int
    n_b: int
    pairs: int
    censored_a: int
    censored_b: int
    p_value: float | None
    p_adjusted: float | None
    confidence: float
    min_effect: float
    verdict: EffectVerdict
    why: str


def adjusted(effects: Sequence[Effect]) -> list[Effect]:
    """The same comparisons with p-values after Holm over all of them, and the verdicts that follow from those."""
    after = holm([effect.p_value for effect in effects])
    return [judged(replace(effect, p_adjusted=p)) for effect, p in zip(effects, after, strict=True)]


def judged(effect: Effect) -> Effect:
    """The effect with the verdict that follows from its figures."""
    verdict, why = _verdict(effect)
    return replace(effect, verdict=verdict, why=why)


def _verdict(effect: Effect) -> tuple[EffectVerdict, str]:
    low, high, least = effect.ratio_low, effect.ratio_high, effect.min_effect
    if not effect.n_a or not effect.n_b:
        return "inconclusive", "an arm has no jobs"
    if low is None and high is None:
        return "inconclusive", "no interval: too few blocks, or too many jobs cut"
    slower, faster = low is not None and low > 1 + least, high is not None and high < 1 - least
    if slower or faster:
        if effect.p_adjusted is None:
            return "inconclusive", "the interval is beyond the smallest effect, but there is no test to go with it"
        if effect.p_adjusted >= 1 - effect.confidence:
            return "inconclusive", f"p {effect.p_adjusted:.2g} after adjustment does not bear the interval out"
        return ("slower" if slower else "faster"), (
            f"the whole interval is beyond {least:.0%}, and the test agrees (p {effect.p_adjusted:.2g})"
        )
    if low is not None and high is not None and 1 - least <= low and high <= 1 + least:
        return "no_difference", f"the whole interval is within {least:.0%}"
    floor = sample_floor(effect.p)
    if min(effect.n_a, effect.n_b) < floor:
        return "inconclusive", f"fewer than the {floor} jobs that this quantile asks for, and the interval is wide"
    if low is None or high is None:
        return "inconclusive", "the interval is open: too few jobs beyond the quantile, or too many cut"
    return "inconclusive", f"the interval holds effects below and above {least:.0%}"
