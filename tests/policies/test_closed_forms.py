"""What a policy comes to, where a pencil says it as well."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.policies.laws import Exponential, Fixed
from harness.policies.model import Layer, Limits, Load, Outage, Shape
from harness.policies.world import RouteWorld, Source, World
from tests.policies.worlds import policy, route, tally, world

MANY = Load(rate=0.0005, arrivals="constant", jobs=8_000)


def near(share: float, n: int) -> float:
    """Four standard errors of a share."""
    return 4 * math.sqrt(share * (1 - share) / n)


def test_the_retry_storm_delivers_nothing_and_bills_four_generations_a_job() -> None:
    storm = policy(timeout=60, retry={"max": 3, "pause": 0.0, "on": ["timeout"]})
    found = tally(storm, world(195.0))
    assert found.ends == {"timeout": 400}
    assert found.usd == 4 * 400
    assert found.duplicates == 3 * 400
    assert found.orphans == 4 * 400
    assert found.sent == 4 * 400


def test_a_timeout_that_is_long_enough_delivers_everything_once() -> None:
    found = tally(policy(timeout=240, retry={"max": 3, "on": ["timeout"]}), world(195.0))
    assert found.ends == {"image": 400}
    assert found.final_s == pytest.approx([195.0] * 400)
    assert (found.usd, found.duplicates, found.orphans) == (400.0, 0, 0)


def test_a_timeout_lets_through_the_share_of_the_distribution_under_it() -> None:
    found = tally(policy(timeout=50), world(Exponential(40)), MANY)
    share = 1 - math.exp(-50 / 40)
    assert found.ends["image"] / MANY.jobs == pytest.approx(share, abs=near(share, MANY.jobs))
    assert found.orphans == found.ends["timeout"]
    assert found.usd == MANY.jobs  # given up is billed all the same


def test_retries_of_independent_failures_are_a_geometric_series() -> None:
    found = tally(policy(retry={"max": 3, "pause": 0.0, "on": ["5xx"]}), world(10.0, fails=0.4), MANY)
    success = 1 - 0.4**4
    assert found.ends["image"] / MANY.jobs == pytest.approx(success, abs=near(success, MANY.jobs))
    assert found.sent / MANY.jobs == pytest.approx(success / 0.6, rel=0.02)
    assert found.usd == found.ends["image"]  # a failure is not billed


TEN_APART = Load(rate=0.1, arrivals="constant", jobs=100)  # at 0, 10, … 990 s
DOWN = {"after": 300.0, "lasts": 200.0}


def down(**more: Any) -> World:
    """Generations of 25 s, nobody there from 300 s to 500 s, and `b` that is always there."""
    return world(25.0, b=route(25.0), main=route(25.0, down=Outage.model_validate({**DOWN, **more})))


def test_an_outage_takes_whoever_comes_meanwhile_and_cuts_who_is_under_way() -> None:
    found = tally(policy(), down(), TEN_APART)
    assert found.ends == {"image": 78, "5xx": 20, "cut": 2}  # those of 280 s and 290 s were under way
    assert (found.sent, found.usd, found.orphans) == (100, 80.0, 2)
    assert tally(policy(), down(cuts=False), TEN_APART).ends == {"image": 80, "5xx": 20}


def test_a_fallback_saves_everybody_from_an_outage_and_pays_twice_for_what_was_under_way() -> None:
    found = tally(policy(fallback={"route": "b", "on": ["error"]}), down(), TEN_APART)
    assert found.ends == {"image": 100}
    assert (found.fell_back, found.usd, found.duplicates, found.orphans) == (22, 102.0, 2, 2)
    assert sorted(found.final_s)[-22:] == pytest.approx([26.0] * 20 + [35.0, 45.0])


def test_retries_help_those_alone_whose_pauses_outlast_the_outage() -> None:
    found = tally(policy(retry={"max": 2, "pause": 49.0, "on": ["5xx"]}), down(cuts=False), TEN_APART)
    # tried at 0, 50 and 100 s from their beginning, each refused after 1 s: whoever came from 400 s on meets somebody
    assert found.ends == {"image": 90, "5xx": 10}
    assert found.sent == 80 + 10 * 3 + 5 * 3 + 5 * 2


def test_a_route_that_hangs_is_met_by_whoever_loses_patience_first() -> None:
    hangs = down(end="cut", answers_after=600.0, cuts=False)
    assert tally(policy(timeout=60), hangs, TEN_APART).ends == {"image": 80, "timeout": 20}
    assert max(tally(policy(), hangs, TEN_APART).final_s[:30]) == 25.0
    main = replace(hangs.routes["main"], layers=(Layer(layer="edge", cap=100.0),))
    capped = replace(hangs, routes={**hangs.routes, "main": main})
    found = tally(policy(fallback={"route": "b", "on": ["cut"]}), capped, TEN_APART)
    assert sorted(found.final_s)[-20:] == pytest.approx([125.0] * 20)


def test_a_task_under_way_outlives_an_outage_and_is_found_by_the_first_poll_after_it() -> None:
    found = tally(policy(**{"async": {"poll": 4}}), down(), TEN_APART)
    assert found.ends == {"image": 80, "5xx": 20}
    # begun at 280 s and 290 s, looked for every 4 s, and answered from 500 s on
    assert sorted(found.final_s)[78:80] == pytest.approx([212.0, 220.0])


def test_a_budget_keeps_retries_to_its_share_of_the_jobs() -> None:
    kept = policy(retry={"max": 3, "pause": 0.0, "on": ["5xx"], "budget_share": 0.1})
    found = tally(kept, world(10.0, fails=0.9), MANY)
    assert found.sent - MANY.jobs == pytest.approx(0.1 * MANY.jobs, abs=1)


def test_a_budget_grows_with_the_jobs_that_have_begun() -> None:
    kept = policy(
        retry={"max": 3, "pause": 0.0, "on": ["5xx"], "budget_share": 0.1}, fallback={"route": "b", "on": ["5xx"]}
    )
    load = Load(rate=0.0005, arrivals="constant", jobs=35)
    found = tally(kept, world(10.0, fails=1.0, b=route(10.0)), load)
    assert [number for number, took in enumerate(found.final_s, start=1) if took > 11.5] == [1, 20, 30]


def test_pauses_double_up_to_their_cap_and_half_of_each_is_chance() -> None:
    waits = policy(retry={"max": 4, "base": 2.0, "cap": 6.0, "on": ["5xx"]}, deadline=3600)
    found = tally(waits, world(100.0, fails=1.0), Load(rate=0.0005, arrivals="constant", jobs=1))
    assert found.sent == 5
    again = policy(retry={"max": 4, "base": 2.0, "cap": 6.0, "on": ["5xx"]}, fallback={"route": "b", "on": ["5xx"]})
    took = tally(again, world(100.0, fails=1.0, b=route(10.0)), Load(rate=0.0005, arrivals="constant", jobs=2000))
    # five failures of 1 s, pauses of at most 2, 4, 6, 6 s of which three quarters on average, then 10 s there
    assert np.mean(took.final_s) == pytest.approx(5 + 0.75 * 18 + 10, rel=0.01)
    assert min(took.final_s) >= 5 + 9 + 10
    assert max(took.final_s) <= 5 + 18 + 10


def test_a_hedge_takes_the_earlier_of_the_two_and_pays_for_both() -> None:
    found = tally(policy(hedge={"after": 30}), world(Exponential(40)), MANY)
    hedged = math.exp(-30 / 40)
    assert found.duplicates / MANY.jobs == pytest.approx(hedged, abs=near(hedged, MANY.jobs))
    assert found.orphans == found.duplicates  # one of the two is always left behind
    assert found.usd == MANY.jobs + found.duplicates
    # Memoryless: after 30 s two of them race, so what is left takes half as long.
    mean = 40 * (1 - hedged) + 20 * hedged
    assert np.mean(found.final_s) == pytest.approx(mean, rel=0.03)


def test_copies_go_out_one_after_the_other_until_they_are_used_up() -> None:
    found = tally(policy(hedge={"after": 30, "max": 2}), world(195.0))
    assert (found.sent, found.duplicates) == (1200, 800)
    third = tally(policy(hedge={"after": 30, "max": 5}), world(100.0))
    assert third.sent == 4 * 400  # at 0, 30, 60 and 90 s


def test_a_hedge_to_another_route_is_over_when_that_one_is() -> None:
    found = tally(policy(hedge={"after": 30, "route": "b"}), world(195.0, b=route(10.0, usd=0.5)))
    assert found.final_s == pytest.approx([40.0] * 400)
    assert found.usd == pytest.approx(1.5 * 400)


def test_a_fallback_after_thirty_seconds_gives_the_first_route_up() -> None:
    found = tally(policy(fallback={"route": "b", "after": 30}), world(195.0, b=route(10.0)))
    assert found.final_s == pytest.approx([40.0] * 400)
    assert (found.usd, found.orphans, found.fell_back) == (800.0, 400, 400)


def test_a_fallback_waits_for_nothing_when_the_first_route_fails() -> None:
    falls = policy(fallback={"route": "b", "after": 30, "on": ["error"]})
    found = tally(falls, world(195.0, fails=1.0, b=route(10.0)))
    assert found.final_s == pytest.approx([11.0] * 400)
    assert found.usd == 400.0


def test_the_user_who_walks_away_leaves_an_orphan_and_no_image() -> None:
    found = tally(policy(deadline=45), world(Exponential(40)), MANY)
    share = 1 - math.exp(-45 / 40)
    assert found.ends["image"] / MANY.jobs == pytest.approx(share, abs=near(share, MANY.jobs))
    assert found.ends["deadline"] == found.orphans


def test_polling_sees_the_image_at_the_next_poll_and_no_cap_cuts_it() -> None:
    layers = (Layer(layer="edge", kind="idle", cap=60.0),)
    place = World(routes={"main": route(195.0, layers=layers)}, first_route="main")
    assert tally(policy(), place).ends == {"cut": 400}
    assert tally(policy(**{"async": {"poll": 2.0}}), place).final_s == pytest.approx([196.0] * 400)


def test_an_image_that_was_made_before_its_user_left_is_no_orphan() -> None:
    polled = policy(**{"async": {"poll": 10.0}}, deadline=197)  # made at 195 s, to be seen at 200
    found = tally(polled, world(195.0))
    assert (found.ends, found.orphans, found.usd) == ({"deadline": 400}, 0, 400.0)


def test_a_preview_is_there_before_its_image_by_the_share_that_a_profile_says() -> None:
    source = Source(law=Fixed(10.0), usd=1.0, partial_usd=0.01, first_partial=Fixed(9.0), longest_first_share=0.35)
    found = tally(policy(stream={}), World({"main": RouteWorld(source)}, "main"))
    assert found.seen_s == pytest.approx([3.5] * 400)


@pytest.mark.parametrize(
    ("kind", "stream", "end"),
    [
        ("idle", {"partial_images": 2}, "cut"),  # previews at 5 and 100 s, the image at 195: 95 s of silence
        ("idle", {"partial_images": 2, "keep_alive": 15.0}, "image"),
        ("first_byte", {"partial_images": 2}, "image"),  # headers leave at once
        ("total", {"partial_images": 2, "keep_alive": 15.0}, "cut"),
    ],
)
def test_a_stream_is_cut_by_the_caps_that_its_silences_reach(kind: str, stream: dict[str, float], end: str) -> None:
    source = Source(law=Fixed(195.0), usd=1.0, partial_usd=0.01, first_partial=Fixed(5.0))
    layer = Layer.model_validate({"layer": "edge", "kind": kind, "cap": 60.0})
    found = tally(policy(stream=stream), World({"main": RouteWorld(source, layers=(layer,))}, "main"))
    assert found.ends == {end: 400}
    assert found.seen_s == pytest.approx([5.0] * 400)
    assert found.usd == pytest.approx(400 * 1.02)
    assert found.orphans == (400 if end == "cut" else 0)


def test_widening_one_layer_leaves_the_next_one_to_cut() -> None:
    layers = (Layer(layer="edge", cap=60.0), Layer(layer="worker", cap=120.0))
    place = World(routes={"main": route(Exponential(100), layers=layers)}, first_route="main")
    for caps, lowest in (({}, 60), ({"edge": 360.0}, 120), ({"edge": None, "worker": 90.0}, 90)):
        found = tally(policy(caps=caps), place, MANY)
        share = 1 - math.exp(-lowest / 100)
        assert found.ends["image"] / MANY.jobs == pytest.approx(share, abs=near(share, MANY.jobs))


def test_a_cache_sends_and_bills_only_what_it_has_not_got() -> None:
    found = tally(policy(cache={"share": 0.25, "takes": 0.5}), world(20.0), MANY)
    assert found.sent / MANY.jobs == pytest.approx(0.75, abs=near(0.75, MANY.jobs))
    assert found.usd == found.sent
    assert set(np.round(found.final_s, 6)) == {0.5, 20.0}


def test_two_stages_cost_the_preview_of_all_and_the_image_of_those_that_are_kept() -> None:
    first = Shape(quality="low")
    two = policy(two_stage={"first": {"quality": "low"}, "keep": 0.3})
    main = RouteWorld(Source(law=Fixed(195.0), usd=1.0), firsts={first: Source(law=Fixed(5.0), usd=0.05)})
    found = tally(two, World({"main": main}, "main"), MANY)
    assert found.usd is not None
    assert found.usd / MANY.jobs == pytest.approx(0.05 + 0.3, abs=near(0.3, MANY.jobs))
    assert set(np.round(found.seen_s, 6)) == {5.0}
    assert found.duplicates == 0


def test_a_refused_prompt_is_refused_again_and_costs_nothing() -> None:
    place = World({"main": route(20.0)}, "main", moderation=0.2)
    found = tally(policy(retry={"max": 3, "on": ["error"]}), place, MANY)
    assert found.ends["moderation"] / MANY.jobs == pytest.approx(0.2, abs=near(0.2, MANY.jobs))
    assert found.sent == MANY.jobs
    assert found.usd == found.ends["image"]


def test_constant_load_over_a_limit_whose_refusals_count_is_never_let_in_again() -> None:
    limits = Limits(images_per_minute=6)
    load = Load(rate=12 / 60, arrivals="constant", jobs=200)
    assert tally(policy(), world(1.0, limits=limits), load).ends == {"image": 6, "429": 194}
    fair = Limits(images_per_minute=6, refused_count=False)
    found = tally(policy(), world(1.0, limits=fair), load)
    assert found.ends["image"] == 6 * 17  # 200 jobs are 16 full minutes and a bit, six in each
    assert found.refused == 98


def test_every_image_of_a_request_counts_against_the_limit() -> None:
    source = Source(law=Fixed(1.0), usd=4.0, images=4)
    place = World({"main": RouteWorld(source)}, "main", limits=Limits(images_per_minute=8, refused_count=False))
    found = tally(policy(), place, Load(rate=12 / 60, arrivals="constant", jobs=12))
    assert found.ends == {"image": 2, "429": 10}


def test_waiting_as_long_as_a_refusal_says_gets_a_job_in() -> None:
    limits = Limits(images_per_minute=6, refused_count=False)
    waits = policy(retry={"max": 1, "on": ["429"], "honour_retry_after": True})
    load = Load(rate=7 / 60, arrivals="constant", jobs=7)
    found = tally(waits, world(1.0, limits=limits), load)
    assert found.ends == {"image": 7}
    assert found.refused == 1


def test_orphans_hold_their_place_or_do_not_as_the_file_says() -> None:
    leaves = policy(timeout=10)
    load = Load(concurrency=1, jobs=10)
    held = tally(leaves, world(1000.0, limits=Limits(concurrent=1)), load)
    assert held.refused == 9
    freed = tally(leaves, world(1000.0, limits=Limits(concurrent=1, orphans_hold=False)), load)
    assert freed.refused == 0
