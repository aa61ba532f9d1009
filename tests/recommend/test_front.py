"""The front of price against latency, and its drawing."""

from __future__ import annotations

import random
import re

import pytest

from harness.estimate import Estimate
from harness.frame import frame_of
from harness.recommend.front import front
from harness.recommend.model import FrontPoint, Recommendation
from harness.report.jobs import join_verdicts
from harness.report.pareto import drawable, pareto
from harness.report.recommendation import recommendation
from tests.report import demo_run

from .worlds import Shape, cell_of, recommended, tiers, world


def beaten(found: Recommendation) -> set[str]:
    return {point.label for point in found.front if point.beaten_by is not None}


def test_tiers_do_not_beat_each_other() -> None:
    assert beaten(recommended(world(tiers()))) == set()


def test_a_slower_route_of_the_same_price_is_beaten() -> None:
    found = recommended(world([Shape(), Shape(route="gateway", slower=1.6)]))
    assert beaten(found) == {"medium · 1024×1024 · png on gateway"}


def test_a_slower_route_that_is_cheaper_is_not() -> None:
    assert beaten(recommended(world([Shape(), Shape(route="gateway", slower=1.6, price=0.03)]))) == set()


def test_a_higher_tier_for_less_that_is_faster_beats_a_lower_one() -> None:
    found = recommended(world([Shape(quality="high", slower=0.05, price=0.05), Shape()]))
    assert beaten(found) == {"medium · 1024×1024 · png on direct"}


def test_sizes_are_different_pictures() -> None:
    assert beaten(recommended(world([Shape(), Shape(size="1536x1024")]))) == set()


def test_two_routes_that_are_alike_hardly_ever_beat_each_other_by_noise() -> None:
    """Two 95 % intervals clear of each other: in about 1 % of worlds that are alike (400: at most 10 at 99 %)."""
    dice = random.Random(3)
    wrong = 0
    for _ in range(400):
        cells = [cell_of([dice.lognormvariate(10, 0.2) for _ in range(75)], key) for key in ("a", "b")]
        wrong += any(point.beaten_by is not None for point in front(cells, 0.95))
    assert wrong <= 10


def test_a_cut_route_is_beaten_by_one_that_is_shown_faster_than_its_cut() -> None:
    found = recommended(world([Shape(), Shape(route="edge", slower=4, cap_s=60.0)]))
    (edge,) = [point for point in found.front if "edge" in point.label] or [None]
    if edge is None:
        assert found.unplaced == ("medium · 1024×1024 · png on edge",)
    else:
        assert edge.beaten_by is not None


def test_one_cell_that_serves_no_use_is_no_recommendation() -> None:
    run = world([Shape(size="2048x1152")], blocks=8)
    assert recommendation(join_verdicts(frame_of(run.events), run.verdicts), run.conditions) is None


def test_names_in_the_drawing_do_not_overlap_and_stay_inside() -> None:
    found = recommended(demo_run.demo(20))
    for narrow, width in ((False, 760), (True, 360)):
        svg = pareto(found, "p", {"direct": 0, "edge": 1, "gateway": 2, "tier1": 3}, narrow=narrow)
        names = {point.short for point in found.front}
        boxes = []
        for x, y, text in re.findall(r'<text[^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+)</text>', svg):
            if text in names:
                left, base = float(x), float(y)
                boxes.append((left, base - 11, left + 0.5 * 12 * len(text), base + 2))
        assert len(boxes) >= 6
        assert all(box[0] >= 0 and box[2] <= width for box in boxes)
        for index, one in enumerate(boxes):
            for other in boxes[index + 1 :]:
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                assert apart, (one, other)


def test_the_drawing_says_in_words_what_it_shows_and_has_no_colour_of_its_own() -> None:
    found = recommended(world([Shape(), Shape(route="<b>", slower=3)]))
    svg = pareto(found, "p", {"direct": 0, "<b>": 1})
    assert 'aria-labelledby="p-title p-desc"' in svg
    assert "medium · 1024×1024 · png on direct: p95" in svg
    assert "<b>" not in svg
    assert not re.findall(r"#[0-9a-f]{6}\b", svg)


def test_a_point_of_which_only_a_lower_bound_is_known_is_drawn_open() -> None:
    def point(name: str, value: float | None, beyond: float | None) -> FrontPoint:
        return FrontPoint(
            cell=name, label=name, short=name, route="direct", quality="low", size="1024x1024",
            usd=Estimate(value=0.01, low=0.01, high=0.01), latency=Estimate(value=value, low=beyond, beyond=beyond),
        )  # fmt: skip

    found = Recommendation(statistic="p95", front=(point("a", 5000.0, None), point("b", None, 60_000.0)), uses=())
    assert len(drawable(found)) == 2
    assert "b: p95 &gt; 60.0" in pareto(found, "p", {"direct": 0}).replace("\u00a0", " ")


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_points_are_no_drawing(count: int) -> None:
    found = recommended(world(tiers(), blocks=6))
    assert pareto(Recommendation(statistic="p95", front=found.front[:count], uses=()), "p", {}) == ""
