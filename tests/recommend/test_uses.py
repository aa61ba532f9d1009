"""What is recommended, in worlds whose truth is known."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace
from scipy import stats

from harness.conditions import Use
from harness.errors import UsageProblem
from harness.estimate import Estimate
from harness.recommend.cost import DAYS, per_month
from harness.recommend.needs import jobs_for_upper_limit, judge
from harness.recommend.uses import shipped
from harness.stats.quantiles import order_statistic_ranks
from tests.report.build_run import job, of_events
from tests.scenario.build import GOOD, load, problems
from tests.test_shipped_scenarios import TIERS

from .worlds import CAUSES, TUNING, Shape, answer, cell_of, recommended, tiers, world

USES = {use.name: use for use in shipped()}


def claimed(name: str) -> Shape:
    claim = USES[name].claim
    assert claim is not None
    return Shape(claim.quality, claim.size, claim.output_format, claim.output_compression)


def test_the_shipped_claims_are_the_table_of_the_tuning_article() -> None:
    claims = {f"use-{name}": use.claim for name, use in USES.items() if use.claim is not None}
    assert {
        name: (claim.quality, claim.size, claim.output_format, claim.output_compression, claim.to_s, claim.usd)
        for name, claim in claims.items()
    } == TIERS


@pytest.mark.parametrize("name", USES)
def test_where_the_world_is_the_tuning_articles_its_tiers_are_recommended(name: str) -> None:
    use, shape = USES[name], claimed(name)
    found = answer(world([*tiers(size=shape.size, output_format=shape.output_format)], profile=TUNING), name)
    assert found.state == "recommended"
    assert found.best is not None
    assert use.claim is not None
    assert found.best.label.startswith(
        f"{use.claim.quality} · {use.claim.size.replace('x', '×')} · {shape.output_format}"
    )


@pytest.mark.parametrize("name", ["ecommerce-main", "social-post", "article-cover", "thumbnail", "assistant"])
def test_where_the_world_contradicts_the_article_its_tier_is_refuted(name: str) -> None:
    """Medium takes about 80 s there, and low about 15."""
    found = answer(world([claimed(name)], profile=CAUSES, blocks=40), name)
    assert found.state == "refuted"
    assert (found.timeout, found.monthly, found.would_change) == (None, None, ())
    assert "Missed: p95 within" in found.missing[0]
    assert found.claim is not None, "the claim stays beside the measured answer"


def test_few_jobs_recommend_nothing_and_say_how_many_more_would() -> None:
    found = answer(world(tiers(), blocks=30), "ecommerce-main")
    assert found.state == "not_shown"
    assert "42 more images would decide at the earliest" in found.missing[0]
    assert found.timeout is not None
    assert found.timeout.timeout_s is None
    assert answer(world(tiers(), blocks=30 + 43), "ecommerce-main").state == "recommended"


def test_a_handful_of_jobs_refutes_nothing_either() -> None:
    states = [judge(USES["ecommerce-main"], cell_of([80_000.0 + n for n in range(jobs)]), {}).state for jobs in (5, 6)]
    assert states == ["not_shown", "missed"]


def test_a_tier_that_was_never_run_is_not_refuted_by_a_better_one() -> None:
    found = answer(world([Shape()], blocks=20), "thumbnail")
    assert found.state == "not_shown"
    assert found.missing[0] == "No cell of quality low was run in this shape."
    assert (found.timeout, found.monthly) == (None, None)


def test_one_failure_of_one_is_no_failure_rate() -> None:
    own = Use(name="any", max_usd_per_image=1)
    events = [job(1, outcome="error", status=504), *(job(2 + n, quality="medium", seconds=20) for n in range(6))]
    found = recommended(of_events(events, uses=(own,))).uses[0]
    assert found.state == "not_shown"


def test_jobs_for_an_upper_limit_are_those_of_the_exact_interval() -> None:
    assert [jobs_for_upper_limit(p) for p in (0.5, 0.9, 0.95, 0.99)] == [6, 36, 72, 368]
    for p in (0.5, 0.9, 0.95, 0.99):
        n = jobs_for_upper_limit(p)
        assert order_statistic_ranks(n, p)[1] is not None
        assert order_statistic_ranks(n - 1, p)[1] is None


def test_a_use_without_a_cell_of_its_shape_is_not_measured() -> None:
    found = answer(world(tiers(), blocks=6), "poster-print")
    assert found.state == "not_measured"
    assert found.sentence == "Not measured: no cell was run at this size."


def test_of_cells_that_meet_all_needs_the_cheapest_is_taken_and_of_equal_ones_the_preferred_format() -> None:
    shapes = [Shape(output_format="png"), Shape(output_format="jpeg"), Shape(quality="high", price=0.058)]
    found = answer(world(shapes), "ecommerce-main")
    assert found.best is not None
    assert found.best.label == "medium · 1024×1024 · jpeg on direct"
    assert any("png on direct costs the same" in one for one in found.would_change)
    dear = answer(world([Shape(price=0.059), Shape(output_format="jpeg", price=0.0595), Shape(route="b", price=0.03)]),
                  "ecommerce-main")  # fmt: skip
    assert dear.best is not None
    assert dear.best.route == "b"
    assert any("wins when its price falls under $0.030" in one for one in dear.would_change)


def test_a_price_over_the_limit_is_missed() -> None:
    found = answer(world([Shape(price=0.08)]), "ecommerce-main")
    assert found.state == "refuted"
    assert found.missing[0].startswith("Missed: at most $0.060 an image")


def test_jobs_that_bring_no_image_or_another_one_count_against_a_cell() -> None:
    run = world([Shape()], blocks=100)
    wrong = [replace(event, outcome="wrong_image") if number % 8 == 0 else event
             for number, event in enumerate(run.events)]  # fmt: skip
    found = answer(of_events(wrong), "ecommerce-main")
    assert found.state == "refuted"
    assert found.best is not None
    assert (found.best.failed, found.best.wrong) == (0, 13)


def test_a_need_at_the_very_edge_of_the_truth_is_hardly_ever_called_met_or_missed() -> None:
    """Each wrongly in at most 2.5 % of runs: with 400 of them, at most 18 at 99 %."""
    truth = float(stats.norm.ppf(0.95)) * 10_000 + 100_000
    wrong = {"met": 0, "missed": 0}
    for seed in range(400):
        dice = random.Random(seed)
        cell = cell_of([dice.gauss(100_000, 10_000) for _ in range(120)])
        for state, limit_ms in (("met", truth - 1e-6), ("missed", truth + 1e-6)):
            use = Use(name="edge", p95_s=limit_ms / 1000)
            wrong[state] += judge(use, cell, {}).needs[0].state == state
    assert max(wrong.values()) <= 18
    assert min(wrong.values()) > 0, "a rule that never decides shows nothing"


def test_a_scenarios_own_use_takes_a_shipped_ones_place_and_comes_first() -> None:
    own = Use(name="thumbnail", title="Mine", p95_s=4, own=True)
    found = recommended(world(tiers(), uses=(own,)))
    assert found.uses[0].use == "thumbnail"
    assert len(found.uses) == len(USES)
    assert found.uses[0].state == "refuted"


def test_ratings_are_a_need_that_nothing_meets_unrated() -> None:
    own = Use(name="pretty", min_rating=0.5)
    run = world(tiers(), uses=(own,))
    assert answer(run, "pretty").state == "not_shown"
    cells = {event.quality: event.cell for event in run.events}
    rated = {
        cells["low"]: Estimate(value=0.2, low=0.1, high=0.3, n=50),
        cells["medium"]: Estimate(value=0.7, low=0.6, high=0.8, n=50),
    }
    found = answer(run, "pretty", ratings=rated)
    assert found.state == "recommended"
    assert found.best is not None
    assert found.best.label.startswith("medium")


def test_a_cheaper_tier_is_named_with_what_it_would_take() -> None:
    found = answer(world(tiers()), "ecommerce-main")
    assert any(one.startswith("low · 1024×1024") and "if quality low were good enough" in one
               for one in found.would_change)  # fmt: skip
    upper = found.latency.high if found.latency else None
    assert upper is not None
    assert f"{100 * (45_000 / upper - 1):.3g} %" in found.would_change[0]


def test_a_month_counts_jobs_that_may_have_been_billed_without_an_image() -> None:
    events = [job(n, quality="low", cost_usd=0.01) for n in range(80)]
    events += [
        job(100 + n, quality="low", outcome="error", status=504, cost_basis="maybe_billed", cost_usd=0.01)
        for n in range(20)
    ]
    events += [job(200 + n, quality="medium") for n in range(3)]
    own = Use(name="any", max_usd_per_image=1, max_failed=0.5)
    found = answer(of_events(events, uses=(own,)), "any", volume=8000)
    assert found.monthly is not None
    assert found.monthly.usd.value == pytest.approx(8000 / 80 * 100 * 0.01)
    assert found.monthly.jobs_per_month == 10_000
    assert found.monthly.maybe_billed_usd == pytest.approx(20.0)
    low, high = found.monthly.usd.low, found.monthly.usd.high
    assert low is not None
    assert high is not None
    assert low < 100 < high
    assert not found.monthly.example


def test_a_month_counts_attempts_that_were_sent_again_unless_they_were_refused() -> None:
    again = [job(n, quality="low", cost_usd=0.01, earlier=((504, 60_000.0),), retry_reason="504") for n in range(10)]
    refused = [job(n + 50, quality="medium", cost_usd=0.01, earlier=((429, 900.0),)) for n in range(10)]
    own = (Use(name="low", max_usd_per_image=1, max_failed=1.0),)
    found = recommended(of_events([*again, *refused], uses=own), volume=1000).uses[0]
    assert found.monthly is not None
    costs = {found.best.label.split()[0] if found.best else "": found.monthly.usd.value}
    assert costs == {"low": pytest.approx(20.0)} or costs == {"medium": pytest.approx(10.0)}
    only = recommended(of_events(again, uses=own), volume=1000).uses[0]
    assert only.monthly is not None
    assert only.monthly.usd.value == pytest.approx(20.0)


def test_a_month_does_not_count_attempts_twice_that_are_in_the_cost_of_the_job_already() -> None:
    again = [
        job(n, quality="low", cost_usd=0.02, earlier_attempts_usd=0.01, earlier=((504, 60_000.0),), retry_reason="504")
        for n in range(10)
    ]
    own = (Use(name="low", max_usd_per_image=1, max_failed=1.0),)
    found = recommended(of_events(again, uses=own), volume=1000).uses[0]
    assert found.monthly is not None
    assert found.monthly.usd.value == pytest.approx(20.0)
    assert found.monthly.maybe_billed_usd == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("text", "images"), [("10000/month", 10_000), ("300/day", 300 * DAYS), ("20 / hour", 20 * 24 * DAYS)]
)
def test_a_volume_is_read(text: str, images: float) -> None:
    assert per_month(text) == pytest.approx(images)


@pytest.mark.parametrize("text", ["", "0/month", "10000", "10/week", "-3/day"])
def test_what_is_no_volume_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem, match="10000/month"):
        per_month(text)


def test_a_scenarios_uses_reach_the_conditions(tmp_path: Path) -> None:
    text = GOOD + "uses: [{name: tile, p95_s: 2m, max_failed: 2%, sizes: [1024x1024], source: our editors}]\n"
    (use,) = load(tmp_path, text).use_conditions()
    assert (use.p95_s, use.max_failed, use.own) == (120, 0.02, True)
    assert use.sources == {"p95_s": "our editors", "max_failed": "our editors"}


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        ("{name: a}", "a needs nothing"),
        ("{name: a, p95_s: 5, p50_s: 9}", "higher quantile with a lower limit"),
        ("{name: a, p95_s: 5, formats: [webp]}", "no cell is made in any of these formats"),
        ("{name: a, p95_s: 5, transparent: true, formats: [jpeg]}", "transparent and jpeg"),
        ("{name: a, p95_s: 5, max_failed: many}", "is not a share"),
        ("{name: a, p95: 5}", "there is no field `p95` here"),
    ],
)
def test_mistakes_in_uses_are_told_with_their_line(tmp_path: Path, uses: str, message: str) -> None:
    found = problems(tmp_path, GOOD + f"uses:\n  - {uses}\n")
    assert any(message in problem.what and problem.line == len(GOOD.splitlines()) + 2 for problem in found)
