"""From candidates and uses to a recommendation. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.conditions import Use
from harness.recommend.candidate import Candidate
from harness.recommend.cost import monthly
from harness.recommend.front import ALIKE, front, statistic
from harness.recommend.model import OtherCell, Recommendation, Stability, UseResult, UseState
from harness.recommend.needs import Ratings, judge, misfits
from harness.recommend.sensitivity import Judged, missing, would_change
from harness.recommend.timeouts import timeout_of
from harness.recommend.uses import all_uses, limits, needs_in_words

_NEEDS_IN_WORDS = {
    "sizes": "at this size",
    "formats": "in this format",
    "transparent": "with a transparent background",
    "edits": "from reference images, or only such",
    "n": "with one image a call",
    "min_quality": "at this quality or better",
}


def recommend(
    candidates: Sequence[Candidate],
    uses: Sequence[Use],
    stable: Mapping[str, Stability],
    *,
    volume: float | None = None,
    ratings: Ratings | None = None,
    notes: Sequence[str] = (),
) -> Recommendation:
    """What to use for what.

    Args:
        uses: those of the scenario; the shipped ones are added.
        stable: by the candidates' routes.
        volume: images a month; without it each use's own, else an example.
        ratings: cell → score, of a run whose images were rated; none by default.
    """
    p = statistic(candidates)
    return Recommendation(
        statistic=f"p{100 * p:g}",
        front=front(candidates, p),
        uses=tuple(_answer(use, candidates, stable, volume, ratings or {}) for use in all_uses(uses)),
        unplaced=tuple(cell.label for cell in candidates if cell.price.value is None),
        notes=tuple(notes),
    )


def _answer(
    use: Use, candidates: Sequence[Candidate], stable: Mapping[str, Stability], volume: float | None, ratings: Ratings
) -> UseResult:
    wrong = {cell.key: misfits(use, cell) for cell in candidates}
    fitting = [Judged(cell, judge(use, cell, ratings)) for cell in candidates if not wrong[cell.key]]
    near = [cell for cell in candidates if wrong[cell.key] == ["min_quality"]]
    title = use.title or use.name
    if not fitting:
        return UseResult(
            use=use.name,
            title=title,
            own=use.own,
            state="not_measured",
            sentence=f"Not measured: {_not_measured(list(wrong.values()))}.",
            needs=needs_in_words(use),
            claim=use.claim,
        )
    met = _chosen(use, [one for one in fitting if one.result.state == "met"])
    rest = sorted((one for one in fitting if one not in met), key=_nearness)
    best, *others = [*met, *rest]
    state: UseState = (
        "recommended" if met else "refuted" if all(one.result.state == "missed" for one in fitting) else "not_shown"
    )
    # Better tiers that are too slow or too dear say nothing of the tier that would do.
    untried = state == "refuted" and use.min_quality not in (None, *(one.cell.quality for one in fitting))
    if untried:
        state = "not_shown"
    p = limits(use)[-1][0] if limits(use) else 0.95
    return UseResult(
        use=use.name,
        title=title,
        own=use.own,
        state=state,
        sentence=_sentence(state, best, len(fitting)),
        needs=needs_in_words(use),
        best=best.result,
        latency=best.cell.latency(p),
        latency_statistic=f"p{100 * p:g}",
        median=best.cell.latency(0.5),
        price_usd=best.cell.price,
        # A timeout for a cell that nobody should use would only be taken for advice to use it.
        timeout=timeout_of(best.cell, candidates) if best.result.state != "missed" else None,
        stability=stable.get(best.cell.route),
        monthly=monthly(use, best.cell, volume) if best.result.state != "missed" else None,
        would_change=would_change(use, best, others, near) if met else (),
        missing=()
        if met
        else (
            *([f"No cell of quality {use.min_quality} was run in this shape."] if untried else []),
            *missing(best.result),
        ),
        claim=use.claim,
        others=tuple(_in_short(one) for one in others),
    )


def _in_short(one: Judged) -> OtherCell:
    lacks = tuple(f"{need.state.replace('_', ' ')}: {need.need}" for need in one.result.needs if need.state != "met")
    return OtherCell(cell=one.cell.key, label=one.cell.label, state=one.result.state, lacks=lacks)


def _sentence(state: UseState, best: Judged, fitting: int) -> str:
    if state == "recommended":
        return f"Use {best.cell.label}."
    if state == "refuted":
        alone = f"{best.cell.label} does not meet it" if fitting == 1 else f"none of {fitting} cells meets it"
        return f"Nothing that was measured will do: {alone}" + (
            "." if fitting == 1 else f"; nearest is {best.cell.label}."
        )
    return f"Not shown; nearest is {best.cell.label}."


def _not_measured(wrong: list[list[str]]) -> str:
    """What no cell has; where each need alone is met by some cell, that no cell has all of them."""
    if not wrong:
        return "no cell was run"
    never = [name for name in _NEEDS_IN_WORDS if all(name in one for one in wrong)]
    if never:
        return "no cell was run " + ", nor ".join(_NEEDS_IN_WORDS[name] for name in never)
    return "no cell was run in the whole shape"


def _chosen(use: Use, met: Sequence[Judged]) -> list[Judged]:
    """Cheapest first; among those that cost the same the preferred shape, then the faster."""
    if not met:
        return []
    prices = [one.cell.price.value if one.cell.price.value is not None else float("inf") for one in met]
    p = limits(use)[-1][0] if limits(use) else 0.95

    def order(one: Judged) -> tuple[int, float, int, int, float, str]:
        price = one.cell.price.value if one.cell.price.value is not None else float("inf")
        alike = price <= min(prices) * (1 + ALIKE)
        return (
            0 if alike else 1,
            0.0 if alike else price,
            _preference(use.sizes, one.cell.size),
            _preference(use.formats, one.cell.output_format),
            one.cell.quantile(p).value or float("inf"),
            one.cell.key,
        )

    return sorted(met, key=order)


def _preference(wanted: Sequence[str], value: str | None) -> int:
    return wanted.index(value) if value in wanted else len(wanted)


def _nearness(one: Judged) -> tuple[int, int, float, float, str]:
    """Fewest missed needs, then fewest not shown, then the cheapest."""
    states = [need.state for need in one.result.needs]
    price = one.cell.price.value
    return (
        states.count("missed"),
        states.count("not_shown"),
        float("inf") if price is None else price,
        one.cell.quantile(0.5).value or float("inf"),
        one.cell.key,
    )
