"""What `harness trend` says of histories whose truth is known, and the page as people see it."""

from __future__ import annotations

import os
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from harness.history.baseline import hours, weekdays
from harness.history.page import render, write_page
from harness.history.text import cell_rows, headline, trend_lines
from harness.history.trend import Trend, read_trend
from tests.conftest import ROOT

from .worlds import START_S, history, round_row, usual, watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AXE = ROOT / ".node/node_modules/axe-core/axe.min.js"
BUSY = range(14, 18)


def world(route: str, quality: str, number: int, dice: random.Random) -> float | None:
    """Gateway: busy from 14 to 17 h, an outage in rounds 250 to 261. Direct, medium: slower from round 300 on."""
    took = usual(route, quality, number, dice)
    if route == "gateway":
        if 250 <= number < 262 and dice.random() < 0.6:
            return None
        return took * (2.2 if number % 24 in BUSY else 1.0)
    return took * (1.6 if quality == "medium" and number >= 300 else 1.0)


@pytest.fixture(scope="module")
def trend(tmp_path_factory: pytest.TempPathFactory) -> Trend:
    root = tmp_path_factory.mktemp("history")
    return read_trend(history(root, 340, world, routes=("direct", "gateway")), now_s=START_S)


def test_each_cell_has_its_figures_over_time(trend: Trend) -> None:
    assert [one.cell for one in trend.cells] == ["direct/low", "direct/medium", "gateway/low", "gateway/medium"]
    low = trend.cells[0]
    assert low.jobs == 340
    assert low.p50_ms.value == pytest.approx(5000, rel=0.05)
    assert low.usd_per_image.value == pytest.approx(0.006)
    assert sum(one.jobs for one in low.periods) == 340
    assert trend.period_s == 6 * 3600
    assert all(one.p50_ms.thin for one in low.periods), "six jobs are no median without a caveat"


def test_a_change_has_its_time_and_both_levels(trend: Trend) -> None:
    (change,) = [one for one in trend.changes if one.cell == "direct/medium"]
    assert change.direction == "slower"
    assert abs(change.since_s - round_row(300).began_s) <= 8 * 3600
    assert change.before_ms == pytest.approx(27_000, rel=0.06)
    assert change.after_ms == pytest.approx(27_000 * 1.6, rel=0.1)
    assert not [one for one in trend.changes if one.cell == "direct/low"]


def test_busy_hours_are_seen_as_usual_and_against_their_own_cells(trend: Trend) -> None:
    hours = {one.place: one for one in trend.hours if one.route == "gateway"}
    ratio = {place: one.against_cell_p50_ratio.value or 0.0 for place, one in hours.items()}
    assert set(hours) == set(range(24))
    assert all(one.usual for one in hours.values())
    assert min(ratio[place] for place in BUSY) > 1.7
    assert max(value for place, value in ratio.items() if place not in BUSY) < 1.3
    assert {one.place for one in trend.weekdays} == set(range(7))
    assert {one.place for one in trend.weekdays if one.usual} == {0}, "a weekday seen twice is not usual yet"
    assert sum("busy hour" in line for line in trend_lines(trend)) == 4


@pytest.mark.parametrize("offset_h", [-8, 0, 5.5, 8, 13])
def test_two_mondays_are_two_days_wherever_they_are(offset_h: float) -> None:
    monday_s = START_S - offset_h * 3600  # 2 March, 0 o'clock there
    at_s = np.array([week * 7 * 86_400 + monday_s + n * 900 for week in range(2) for n in range(96)])
    there = [datetime.fromtimestamp(at, timezone(timedelta(hours=offset_h))) for at in at_s]
    jobs = pd.DataFrame(
        {
            "at_s": at_s, "hour": [at.hour for at in there], "weekday": [at.weekday() for at in there], "cell": "c",
            "route": "r", "judged": True, "good": True, "final_image_ms": 5000.0, "final_image_ms_cut": False,
        }
    )  # fmt: skip
    assert [(one.place, one.days, one.usual) for one in weekdays(jobs)] == [(0, 2, False)]
    assert {one.days for one in hours(jobs)} == {2}


def test_a_world_with_a_clock_of_its_own_has_no_hours(tmp_path: Path) -> None:
    fast = read_trend(history(tmp_path, 10, conditions=watch(time_scale=50.0, simulated=True)))
    assert (fast.hours, fast.weekdays) == ((), ())
    assert "50 times faster" in render(fast)


def test_the_outage_is_in_the_share_of_jobs_with_an_image(trend: Trend) -> None:
    gateway = trend.cells[2]
    worst = min(gateway.periods, key=lambda one: 1.0 if one.success.value is None else one.success.value)
    assert round_row(244).began_s <= worst.began_s <= round_row(262).began_s
    assert gateway.success.n == 340
    assert len(cell_rows(trend)) == 4


def test_a_history_without_rounds_says_so(tmp_path: Path) -> None:
    empty = read_trend(history(tmp_path, 0))
    assert headline(empty) == "No job is known yet"
    assert "No job is known yet" in render(empty)


def test_names_of_others_are_text_on_the_page(tmp_path: Path) -> None:
    hostile = watch(scenario="<script>alert(1)</script>", why='"><img src=x>')
    page = render(read_trend(history(tmp_path, 3, conditions=hostile)))
    assert "<script>alert" not in page
    assert page.count("<script>") == 1


@pytest.mark.browser
def test_the_page_fits_says_nothing_and_fetches_nothing(trend: Trend, tmp_path: Path, browser: Browser) -> None:
    page_file = tmp_path / "trend.html"
    write_page(trend, page_file)
    said: list[Any] = []
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (320, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url[:5] != "file:" else None)
        page.goto(page_file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg.chart").count() == 4
        assert page.locator("table.heat").count() == 2
        context.close()
    assert said == []


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing(trend: Trend, tmp_path: Path, browser: Browser, width: int, scheme: Any) -> None:
    if not AXE.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("no axe-core in .node; CI must ask it")
        pytest.skip("no axe-core in .node; .ci/run puts it there")
    write_page(trend, tmp_path / "trend.html")
    # The policy keeps every script but ours from running, and axe is one.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto((tmp_path / "trend.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert len(found["passes"]) > 10
    assert [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found["violations"]] == []
    context.close()
