"""Every question of a scenario with the images that it takes: objectives, hypotheses, rules to stop by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.conditions import EarlyStop, Hypothesis, HypothesisTest, Objective
from harness.sizing import needs
from harness.sizing.model import Asked, Expected, Judgement, Need, SizedCell, log_sd, quantile_ms, share_below

AMPLE = 1.5  # times what is needed: more than needed
Kind = Literal["objective", "hypothesis", "early_stop"]


@dataclass(frozen=True)
class Watched:
    """One interval that a run can be stopped by: of cell `b`, or of the ratios b / a."""

    a: str | None
    b: str
    metric: str
    p: float
    limit: float


@dataclass(frozen=True)
class _Question:
    """Which cells it is about, how many of their blocks count, and how to word it."""

    kind: Kind
    text: str
    cells: tuple[SizedCell, ...]
    share: float = 1.0  # of the blocks


def needs_of(
    cells: Sequence[SizedCell],
    asked: Asked,
    objectives: Sequence[Objective],
    hypotheses: Sequence[Hypothesis],
    rules: EarlyStop | None,
    watched: Sequence[Watched],
) -> tuple[Need, ...]:
    """One row a question, in the order of the scenario."""
    found = [_of_objective(one, cells, asked) for one in objectives]
    found += [_of_claim(one, cells, asked) for one in hypotheses if one.test is not None]
    if rules is not None:
        found += list(_of_rules(rules, watched, {cell.id: cell for cell in cells}, asked))
    return tuple(found)


def _of_objective(objective: Objective, cells: Sequence[SizedCell], asked: Asked) -> Need:
    where = {name: (value,) for name, value in objective.where.items()}
    question = _question("objective", objective.text, where, cells, asked)
    if objective.unit not in ("ms", "share") or objective.metric in ("error_rate", "batch_ms"):
        return _not_planned(question, "only objectives on a clock are planned for")
    lying = _clocks(question, objective.metric)
    if isinstance(lying, str):
        return _not_planned(question, lying)
    if objective.statistic == "share" and objective.inner_value is not None:
        beyond = 1 - share_below(lying, objective.inner_value)
        if (objective.inner_comparison or ">").startswith("<"):
            beyond = 1 - beyond
        n = needs.jobs_for_share(beyond, objective.value, asked.power)
        return _against_limit(question, asked, lying, n, beyond, objective.value, "share")
    p = _p(objective.statistic)
    if p is None:
        return _not_planned(question, f"how many images {objective.statistic} takes is not known; a quantile is")
    return _of_quantile(question, asked, lying, p, (objective.value,))


def _of_claim(claim: Hypothesis, cells: Sequence[SizedCell], asked: Asked) -> Need:
    test = claim.test
    assert test is not None
    text = f"{claim.name}: {claim.threshold}"
    question = _question("hypothesis", text, test.b, cells, asked)
    p = _p(test.statistic)
    if test.unit not in ("ms", "ratio") or p is None:
        return _not_planned(question, "only claims on a quantile of a clock are planned for")
    lying = _clocks(question, test.metric)
    if isinstance(lying, str):
        return _not_planned(question, lying)
    limits = tuple(limit for limit in (test.at_least, test.at_most) if limit is not None)
    if test.a is None:
        return _of_quantile(question, asked, lying, p, limits)
    return _of_ratio(test, question, asked, lying, p, limits, cells)


def _of_quantile(
    question: _Question, asked: Asked, lying: Sequence[Expected], p: float, limits: Sequence[float]
) -> Need:
    """Against each limit; the hardest one counts where the value lies between two."""
    value = quantile_ms(lying, p)
    nearest = min(limits, key=lambda limit: abs(math.log(max(value, 1e-9) / max(limit, 1e-9))))
    counted = limits if len(limits) == 2 and limits[0] <= value <= limits[1] else (nearest,)
    each = [needs.jobs_for_limit(p, share_below(lying, limit), asked.power) for limit in counted]
    known = [n for n in each if n is not None]
    n = max(known) if len(known) == len(each) else None
    return _against_limit(question, asked, lying, n, value, nearest, "ms")


def _of_ratio(
    test: HypothesisTest,
    question: _Question,
    asked: Asked,
    lying_b: Sequence[Expected],
    p: float,
    limits: Sequence[float],
    cells: Sequence[SizedCell],
) -> Need:
    other = _question(question.kind, question.text, test.a or {}, cells, asked)
    lying_a = _clocks(other, test.metric)
    if isinstance(lying_a, str):
        return _not_planned(question, lying_a)
    a, b = quantile_ms(lying_a, p), quantile_ms(lying_b, p)
    as_ratios = [limit if test.measure == "ratio" else (a + limit) / a for limit in limits]
    possible = [limit for limit in as_ratios if limit > 0]
    if not possible:
        return _not_planned(question, "the limit lies below nothing at all")
    limit = min(possible, key=lambda one: abs(math.log(b / a / one)))
    spread = math.hypot(log_sd(lying_a), log_sd(lying_b)) / math.sqrt(2)
    n = needs.jobs_for_ratio(spread, b / a, limit, p, asked.power)
    # Each arm needs so many: the one with fewer cells decides how many blocks that is.
    few = question if len(question.cells) * question.share <= len(other.cells) * other.share else other
    both = tuple({cell.id: cell for cell in (*other.cells, *question.cells)}.values())
    found = _against_limit(few, asked, [*lying_a, *lying_b], n, b / a, limit, "ratio")
    return _priced(replace(found, cells=tuple(cell.id for cell in both)), both, asked)


def _of_rules(
    rules: EarlyStop, watched: Sequence[Watched], cells: Mapping[str, SizedCell], asked: Asked
) -> Iterator[Need]:
    """A row for each interval; after how many blocks half of the runs are stopped by it."""
    alpha = (1 - rules.confidence) / max(1, len(watched))
    for one in watched:
        pair = tuple(cells[name] for name in (one.a, one.b) if name is not None)
        asks = f"against {one.a}, {one.limit:.0%} matters" if one.a else f"p{one.p * 100:g} within {one.limit:.0%}"
        question = _Question("early_stop", f"stop {one.b}: {asks}", pair)
        lying = _clocks(question, one.metric)
        if isinstance(lying, str):
            yield _not_planned(question, lying)
            continue
        if one.a is None:
            n = needs.blocks_until_narrow(log_sd(lying), one.limit, one.p, alpha, rules.after_blocks)
            value, limit, unit = quantile_ms(lying, one.p), None, "ms"
        else:
            a, b = (quantile_ms([of], 0.5) for of in lying)
            spread = math.hypot(log_sd(lying[:1]), log_sd(lying[1:])) / math.sqrt(2)
            n = needs.blocks_until_decided(spread, b / a, one.limit, alpha, rules.after_blocks)
            value, limit, unit = b / a, None, "ratio"
        need = Need(kind="early_stop", question=question.text, judgement="undecidable", why="", expected=value,
                    limit=limit, unit=unit, cells=tuple(cell.id for cell in pair), images_per_cell=n)  # fmt: skip
        if n is None:
            yield replace(need, why=f"not within {needs.MOST} blocks")
        elif n >= asked.repeats:
            why = f"{asked.repeats} blocks are too few for it to stop anything"
            yield _priced(replace(need, judgement="too_few", why=_thin(why, lying)), pair, asked)
        else:
            why = f"half of such runs stop these cells before block {n} of {asked.repeats}"
            yield _priced(replace(need, judgement="enough", why=_thin(why, lying)), pair, asked)


def _question(
    kind: Kind, text: str, where: Mapping[str, Sequence[str]], cells: Sequence[SizedCell], asked: Asked
) -> _Question:
    share = 1.0
    if "prompt_complexity" in where:
        share = sum(asked.complexity_shares.get(name, 0.0) for name in where["prompt_complexity"])
    at_once = where.get("concurrency")
    if at_once is not None and str(asked.concurrency) not in at_once:
        return _Question(kind, text, ())
    own = {name: values for name, values in where.items() if name not in ("prompt_complexity", "concurrency")}
    hit = tuple(
        cell
        for cell in cells
        if all((cell.id if name == "cell" else cell.settings[name]) in values for name, values in own.items())
    )
    return _Question(kind, text, hit, share)


def _clocks(question: _Question, metric: str) -> list[Expected] | str:
    """How the clock lies in each of the cells, or why that is not known."""
    if not question.cells or not question.share:
        return "no job of this scenario is one of these"
    for cell in question.cells:
        if metric not in cell.clocks:
            return f"nothing is known of {metric} of {cell.id}; give an earlier run with --from"
    return [cell.clocks[metric] for cell in question.cells]


def _against_limit(
    question: _Question,
    asked: Asked,
    lying: Sequence[Expected],
    jobs: int | None,
    value: float,
    limit: float,
    unit: str,
) -> Need:
    need = Need(
        kind=question.kind, question=question.text, judgement="undecidable", why="", expected=value, limit=limit,
        unit=unit, cells=tuple(cell.id for cell in question.cells),
    )  # fmt: skip
    per_cell = None if jobs is None else math.ceil(jobs / len(question.cells) / question.share)
    near = limit != 0 and abs(value / limit - 1) < needs.CLOSE
    if near or per_cell is None or per_cell > needs.MOST:
        distance = "at its limit" if limit == 0 else f"{abs(value / limit - 1):.1%} from its limit"
        return replace(need, why=_thin(f"expected {distance}: no affordable number decides it", lying))
    return _priced(
        replace(need, images_per_cell=per_cell, judgement=_judged(per_cell, asked.repeats), why=_thin("", lying)),
        question.cells,
        asked,
    )


def _judged(needed: int, repeats: int) -> Judgement:
    if repeats < needed:
        return "too_few"
    return "more_than_needed" if repeats >= AMPLE * needed else "enough"


def _thin(why: str, lying: Sequence[Expected]) -> str:
    fewest = min((one.jobs for one in lying if one.jobs is not None), default=None)
    told = f"from {fewest} jobs only, so roughly" if fewest is not None and fewest < 11 else ""
    return "; ".join(part for part in (why, told) if part)


def _priced(need: Need, cells: Sequence[SizedCell], asked: Asked) -> Need:
    if need.images_per_cell is None:
        return need
    usd, seconds = [cell.usd for cell in cells], [cell.seconds for cell in cells]
    paid, taken = [one for one in usd if one is not None], [one for one in seconds if one is not None]
    return replace(
        need,
        usd=need.images_per_cell * sum(paid) if len(paid) == len(usd) else None,
        wall_s=max(max(taken), need.images_per_cell * sum(taken) / asked.concurrency)
        if len(taken) == len(seconds)
        else None,
    )


def _not_planned(question: _Question, why: str) -> Need:
    cells = tuple(cell.id for cell in question.cells)
    return Need(kind=question.kind, question=question.text, judgement="not_planned", why=why, cells=cells)


def _p(statistic: str) -> float | None:
    """0.9 of "p90"; null when it is no quantile."""
    return int(statistic[1:]) / 100 if statistic[:1] == "p" and statistic[1:].isdigit() else None
