"""The timeout that goes with a tier, and the caps of the route it goes over."""

from __future__ import annotations

import random

import pytest
from scipy import stats

from harness.chain.analysis import look_at
from harness.chain.model import Cap, Wait
from harness.conditions import Caps, LayerCap, Use
from harness.recommend.model import Timeout
from harness.recommend.stability import Level, none_of, stability
from harness.recommend.timeouts import round_up
from tests.report.build_run import Run, job, of_events

from .worlds import Shape, answer, with_chain, world


def timeout(run: Run, use: str = "ecommerce-main") -> Timeout:
    found = answer(run, use).timeout
    assert found is not None
    return found


def test_the_timeout_is_the_upper_limit_with_headroom_and_not_the_slowest_success() -> None:
    found = timeout(world([Shape()]))
    assert found.statistic == "p95"
    assert found.upper_ms is not None
    assert found.timeout_s == round_up(found.upper_ms / 1000 * 1.25)


def test_with_enough_jobs_it_is_the_p99() -> None:
    assert timeout(world([Shape()], blocks=400)).statistic == "p99"


@pytest.mark.parametrize(("s", "cap"), [(16.2, 17), (41, 45), (62.5, 70), (61, 70), (240, 240), (301, 330)])
def test_caps_are_round(s: float, cap: float) -> None:
    assert round_up(s) == cap


@pytest.mark.parametrize("slower", [1.0, 1.6, 2.0, 2.5, 4.0])
def test_a_route_that_is_cut_at_60_s_never_gets_that_for_a_timeout(slower: float) -> None:
    """From a few cut jobs to all of them; the successes alone would all say less than 60 s."""
    run = world([Shape(slower=slower, cap_s=60.0)], blocks=120)
    cut = sum(event.outcome == "error" for event in run.events)
    found = answer(run, "ecommerce-main")
    if cut == 0:
        assert found.state == "recommended"
        return
    assert found.state != "recommended"
    told = found.timeout
    if told is not None:
        assert told.timeout_s is None
        assert told.widen_to_s == 120
        assert f"cut at 60 s ({cut} of 120 jobs); widen to at least 120 s" in told.why


def test_one_cut_among_many_keeps_the_timeout_above_it_or_untold() -> None:
    shapes = [Shape(slower=1.4, cap_s=52.0)]
    run = world(shapes, blocks=700, uses=(Use(name="slack", p95_s=60, min_quality="medium"),))
    cut = sum(event.outcome == "error" for event in run.events)
    assert 0 < cut < 40
    found = timeout(run, "slack")
    assert found.timeout_s is None or found.timeout_s > 52


def test_all_cut_routes_say_so_even_without_any_success() -> None:
    found = answer(world([Shape(slower=10, cap_s=60.0), Shape(route="b")]), "ecommerce-main")
    (other,) = [one for one in found.others if one.label.endswith("direct")]
    assert other.state == "missed"


CHAINS = [
    (LayerCap(layer="sdk", product="openai-python", kind="total", cap_s=600),
     LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=60, setting="proxy_read_timeout")),
    (LayerCap(layer="a", kind="total", cap_s=30), LayerCap(layer="b", kind="idle", cap_s=900)),
    (LayerCap(layer="worker", product="vercel", kind="total", cap_s=60, setting="maxDuration"),
     LayerCap(layer="gateway", kind="total", cap_s=300), LayerCap(layer="lb", kind="first_byte", cap_s=20)),
    (),
]  # fmt: skip


@pytest.mark.parametrize("chain", CHAINS, ids=len)
@pytest.mark.parametrize("ours", [Caps(), Caps(total_s=600), Caps(total_s=15, idle_s=700)])
def test_with_the_recommended_caps_the_chain_cuts_nothing_and_no_inner_layer_outlives_an_outer_one(
    chain: tuple[LayerCap, ...], ours: Caps
) -> None:
    """Held against the analysis of chains, which knows nothing of recommendations."""
    found = timeout(with_chain(world([Shape()], caps=ours), "direct", *chain))
    assert found.timeout_s is not None
    assert found.upper_ms is not None
    assert {row.layer for row in found.layers} == {"client", *(cap.layer for cap in chain)}
    caps = [
        Cap(layer=row.layer, product=row.product, kind=kind, cap_s=row.should_be_s, setting=row.setting)  # type: ignore[arg-type]
        for row in found.layers
        for kind in row.kinds
    ]
    need = found.upper_ms / 1000
    view = look_at(caps, [Wait(cell="x", streamed=False, whole_s=need, silence_s=need)])
    assert view.inversions == ()
    assert all(cell.bites == () for cell in view.cells)
    outermost = [row.should_be_s for row in found.layers if row.layer == "client" and "total" in row.kinds]
    assert outermost == [found.timeout_s]


def test_a_cap_that_nobody_can_change_is_gone_around() -> None:
    from harness.chain.known import catalog

    fixed = next(one for one in catalog() if one.fixed and "total" in one.kinds)
    layer = LayerCap(layer="edge", product=fixed.product, kind="total", cap_s=12, setting=fixed.setting or None)
    rows = {row.layer: row for row in timeout(with_chain(world([Shape()]), "direct", layer)).layers}
    assert rows["edge"].action == "go_around"
    assert rows["edge"].should_be_s is None


def test_a_layer_that_slower_tiers_pass_is_not_narrowed_under_them() -> None:
    layer = LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=400, setting="proxy_read_timeout")
    found = timeout(with_chain(world([Shape(), Shape(quality="high")]), "direct", layer))
    rows = {row.layer: row for row in found.layers}
    assert (rows["edge"].action, rows["edge"].should_be_s) == ("keep", 400)
    assert "takes longer" in found.shared
    alone = timeout(with_chain(world([Shape()]), "direct", layer))
    assert {row.layer: row.action for row in alone.layers} == {"client": "set", "edge": "narrow"}


def test_a_streams_idle_cap_counts_its_silence_and_its_total_the_whole() -> None:
    events = [
        job(n, quality="medium", seconds=25 + n % 10, stream=True, partials_at_s=(9.0,), longest_silence_ms=11_000.0)
        for n in range(100)
    ]
    layer = LayerCap(layer="lb", kind="idle", cap_s=8)
    first = LayerCap(layer="cdn", kind="first_byte", cap_s=5)
    rows = {row.layer: row for row in timeout(with_chain(of_events(events), "direct", first, layer)).layers}
    assert rows["lb"].should_be_s == round_up(11 * 1.25)
    assert rows["client"].should_be_s == round_up(34 * 1.25)
    assert "cdn" not in rows, "of a stream the headers may come early: nothing is said of its first byte"


def test_the_bound_of_no_429_is_clopper_and_pearsons() -> None:
    for n in (1, 12, 120, 600):
        assert none_of(n) == pytest.approx(float(stats.beta.ppf(0.95, 1, n)))


def test_what_stayed_stable_is_the_highest_number_in_flight_without_a_429() -> None:
    found = stability("direct", [Level(1, 4, 0), Level(3, 120, 0), Level(5, 60, 7)])
    assert found.at_most == 3
    assert found.limited_from == 5
    assert found.sentence == (
        "Stable up to 3 at a time (0 of 120 jobs met a 429; at most 2.47 % do, at 95 %); more was not shown. "
        "At 5 at a time 7 of 60 jobs met a 429."
    )


def test_few_jobs_show_no_stability_and_a_429_further_down_forbids_more() -> None:
    few = stability("direct", [Level(1, 10, 0), Level(2, 12, 0)])
    assert few.at_most is None
    assert few.sentence.startswith("Not shown stable")
    assert stability("direct", [Level(2, 100, 1), Level(4, 100, 0)]).at_most is None


def test_the_bound_holds_in_simulated_worlds() -> None:
    """With a true share of 2.47 % beyond the bound of 120 clear jobs, clear runs come about in 5 % of worlds."""
    dice = random.Random(4)
    share = none_of(120)
    clear = sum(all(dice.random() > share for _ in range(120)) for _ in range(2000))
    assert 60 <= clear <= 145
