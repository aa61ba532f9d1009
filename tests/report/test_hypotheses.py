"""Claims over runs whose truth is known."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.conditions import Hypothesis, HypothesisTest
from harness.events import JobEvent
from harness.report import html
from harness.report.model import HypothesisResult
from harness.report.text import render

from . import build_run, demo_run
from .build_run import job, of_events
from .test_build import cuts, refused, summary_of


def claim(name: str = "a-claim", **test: Any) -> Hypothesis:
    fields = {"metric": "final_image_ms", "statistic": "p50", "measure": "value", "unit": "ms"} | test
    return Hypothesis(
        name=name, claim="It is so", source="somebody", threshold="as told", test=HypothesisTest(**fields)
    )


def judged(events: list[JobEvent], verdicts: Any = None, conditions: Any = None, **test: Any) -> HypothesisResult:
    run = of_events(events, verdicts, hypotheses=(claim(**test),), **(conditions or {}))
    (result,) = summary_of(run).hypotheses
    return result


def spread(n: int, median_s: float, seed: int = 1, start: int = 0, **fields: Any) -> list[JobEvent]:
    dice = random.Random(seed)
    return [
        job(start + i, seconds=median_s * dice.lognormvariate(0, 0.05), block=i, prompt_hash=f"p{i % 3}", **fields)
        for i in range(n)
    ]


def two(n: int, ratio: float) -> list[JobEvent]:
    return spread(n, 25, output_format="png") + spread(n, 25 * ratio, 2, 1000, output_format="jpeg")


A, B = {"output_format": ("png",)}, {"output_format": ("jpeg",)}


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [(3000, 8000, "supported"), (None, 4000, "refuted"), (5000, None, "not_shown"), (8000, None, "refuted")],
)
def test_a_claim_is_held_against_the_whole_interval(low: float | None, high: float | None, state: str) -> None:
    found = judged(spread(24, 5), at_least=low, at_most=high)
    assert (found.state, found.value.n) == (state, 24)
    assert found.value.low is not None
    assert found.value.high is not None


def test_a_claim_without_jobs_is_not_shown() -> None:
    assert judged([refused(1)], at_most=1).state == "not_shown"
    assert judged([], at_most=1).why == "no job matches"
    assert judged(spread(24, 5), at_most=9000, b={"quality": ("high",)}).why == "no job matches"


def test_few_jobs_show_nothing() -> None:
    found = judged(spread(3, 5), at_most=90_000)
    assert (found.state, found.value.low, found.value.high) == ("not_shown", None, None)


def test_cut_jobs_refute_a_claim_below_their_cut_and_decide_nothing_above_it() -> None:
    events, verdicts = cuts(12)
    assert judged(events, verdicts, at_most=50_000).state == "refuted"
    assert judged(events, verdicts, at_most=240_000).state == "not_shown"
    assert judged(events, verdicts, at_least=50_000).state == "supported"


@pytest.mark.parametrize(
    ("ratio", "faster", "same"),
    [(0.8, "supported", "refuted"), (1.0, "refuted", "supported"), (0.95, "not_shown", "not_shown")],
)
def test_claims_that_contradict_each_other_get_opposite_answers(ratio: float, faster: str, same: str) -> None:
    events = two(60, ratio)
    both = {"measure": "ratio", "unit": "ratio", "a": A, "b": B}
    assert judged(events, **both, at_most=0.95).state == faster
    found = judged(events, **both, at_least=0.95, at_most=1.05)
    assert found.state == same
    assert found.value.value == pytest.approx(ratio, rel=0.05)
    assert (found.n_a, found.n_b, found.unit) == (60, 60, "×")
    assert "in 60 pairs" in found.why


def test_a_difference_is_in_ms() -> None:
    found = judged(two(40, 0.8), measure="difference", a=A, b=B, at_most=0)
    assert (found.state, found.unit) == ("supported", "ms")
    assert found.value.value == pytest.approx(-5000, rel=0.2)


def test_a_price_is_one_of_an_image_and_figures_that_do_not_vary_are_known_exactly() -> None:
    found = judged(spread(5, 5), metric="cost_usd", statistic="mean", unit="usd", at_least=0.0055, at_most=0.0065)
    assert (found.state, found.value.value, found.value.low, found.value.high) == ("supported", 0.006, 0.006, 0.006)
    assert judged(spread(5, 5), metric="cost_usd", statistic="mean", unit="usd", at_most=0.006).state == "supported"
    assert judged(spread(5, 5), metric="cost_usd", statistic="mean", unit="usd", at_most=0.006, strict=True).state == (
        "refuted"
    )


def test_a_share_of_jobs_that_met_a_429_has_its_interval() -> None:
    events = [*spread(40, 5), *(refused(100 + n) for n in range(20))]
    rate = {"metric": "rate_limited_rate", "statistic": "share", "unit": "share"}
    found = judged(events, **rate, at_least=0.1, at_most=0.5)
    assert (found.state, found.unit, found.value.value) == ("supported", "%", pytest.approx(33.33, abs=0.01))
    assert found.why.startswith("20 of 60 jobs met a 429")
    assert judged(events, **rate, at_most=0.02).state == "refuted"


def test_a_claim_about_another_load_is_not_shown_and_says_which_load_it_needs() -> None:
    found = judged(spread(24, 5), conditions={"concurrency": 3}, b={"concurrency": ("5",)}, at_most=9000)
    assert (found.state, found.why) == ("not_shown", "this run had 3 at a time; set load.concurrency to 5")
    assert judged(spread(24, 5), conditions={"concurrency": 5}, b={"concurrency": ("5",)}, at_most=9000).state == (
        "supported"
    )


def test_a_true_claim_on_its_own_edge_is_seldom_refuted() -> None:
    """The median is exactly the limit: 2.5 % a side is what the interval may miss by."""
    events = [spread(24, 5, seed) for seed in range(60)]
    wrong = sum(judged(one, at_most=5000).state == "refuted" for one in events)
    assert wrong <= 5  # P(X > 5) with X ~ Binomial(60, 0.025) is 0.4 %


def test_the_text_says_claims_in_words_with_interval_and_n() -> None:
    run = of_events(
        spread(24, 5),
        hypotheses=(
            claim("one", at_most=9000),
            Hypothesis(name="two", claim="It rains", source="C", elsewhere="look out"),
        ),
    )
    text = render(summary_of(run))
    assert "Of 1 claim that a run can test: 1 supported, 0 refuted, 0 not shown." in text
    assert "24 jobs; the whole interval is within the claim" in text
    assert "- It rains (C): look out" in text


def test_the_page_says_claims_in_words_and_links_contradictions() -> None:
    page = html.render(summary_of(demo_run.demo()))
    section = page.partition('<section id="hypotheses"')[2].partition("</section>")[0]
    assert "Of 5 claims that a run can test: 2 supported, 1 refuted, 2 not shown." in section
    assert '<a href="#claim-medium-20-to-40">medium 20 to 40</a>' in section
    assert '<tr role="row" id="claim-medium-20-to-40">' in section
    assert "this run had 3 at a time; set load.concurrency to 5" in section
    assert "Links die &lt;soon&gt;" in section
    assert "Hypotheses" not in html.render(summary_of(build_run.healthy(1)))


def test_an_answer_that_stands_only_alone_is_marked_and_a_clear_one_stands_with_all() -> None:
    events = spread(40, 5)
    edge = judged(events, at_most=9000).value.high
    assert edge is not None
    close = [claim(f"close-{n}", at_most=edge + 1) for n in range(4)]  # a wider interval reaches over that
    run = of_events(events, hypotheses=(*close, claim("clear", at_most=9000), claim("open", at_least=5000)))
    summary = summary_of(run)
    assert [result.state for result in summary.hypotheses] == [*["supported"] * 5, "not_shown"]
    assert [result.survives_holm for result in summary.hypotheses] == [*[False] * 4, True, None]
    assert "4 of them, marked “alone”" in html.render(summary)
    assert "supported (alone)" in render(summary)
    assert judged(events, at_most=edge + 1).survives_holm is True


def test_holm_by_intervals_is_holm_by_p_values() -> None:
    """Of rates: Wilson's interval decides at a level exactly where the score test's p-value is below it."""
    from scipy import stats as scipy_stats

    from harness.stats.holm import holm

    failed, n = 6, 60
    events = [*spread(n - failed, 5), *(refused(500 + i) for i in range(failed))]
    limits = (0.205, 0.21, 0.225, 0.25, 0.3, 0.16)
    tests = tuple(
        claim(f"c{at}", metric="error_rate", statistic="share", unit="share", b={}, at_most=limit, strict=True)
        for at, limit in enumerate(limits)
    )
    p_values = [2 * scipy_stats.norm.sf(abs(failed / n - limit) / (limit * (1 - limit) / n) ** 0.5) for limit in limits]
    adjusted = holm(p_values)
    results = summary_of(of_events(events, hypotheses=tests)).hypotheses
    for result, p, after in zip(results, p_values, adjusted, strict=True):
        assert (result.state == "supported") == (p < 0.05)
        assert result.survives_holm == ((after is not None and after < 0.05) if p < 0.05 else None)
    assert {result.survives_holm for result in results} == {True, False, None}


def test_the_section_says_how_many_answers_chance_may_have_made() -> None:
    summary = summary_of(of_events(spread(40, 5), hypotheses=tuple(claim(f"c{n}", at_most=9000) for n in range(20))))
    for shown in (html.render(summary), render(summary)):
        assert "by chance alone up to 1 (20 × 5 %) may be wrong" in shown
        assert "All of them stand also with all claims judged together" in shown
    none = summary_of(of_events([], hypotheses=(claim(at_most=9000),)))
    assert "No claim is answered" in html.render(none)
