"""The page under axe-core, on paper, and its tables sorted by the keyboard."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = Path(__file__).resolve().parents[2] / ".node/node_modules/axe-core/axe.min.js"
PAPER_PX = 703  # 210 mm less the margins of @page, at 96 px an inch

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("no axe-core in .node; CI must ask it")
        pytest.skip("no axe-core: npm install --prefix .node --no-save --ignore-scripts axe-core@4.14.1")
    return AXE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("demo", 1280, "light"),
        ("demo", 390, "dark"),
        ("hostile", 390, "light"),
        ("across hours", 1280, "dark"),
    ],
)
def test_axe_finds_nothing(
    browser: Browser, pages: dict[str, Path], axe: str, name: str, width: int, scheme: Any
) -> None:
    # The policy keeps every script but ours from running, and axe is one; the test with the policy is in test_browser.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert len(found["passes"]) > 10
    told = [(one["id"], one["impact"], [node["html"][:160] for node in one["nodes"]]) for one in found["violations"]]
    assert told == []
    context.close()


@pytest.mark.parametrize("name", ["demo", "hostile", "across hours"])
def test_on_paper_nothing_is_cut_and_everything_is_black_on_white(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    # From a dark phone, where long tables are folded: what is printed is the whole all the same.
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    page.goto(pages[name].as_uri())
    pdf = page.pdf(prefer_css_page_size=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 24
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER_PX, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER_PX
    cut = """[...document.querySelectorAll('main .scroll')]
        .filter((part) => part.scrollWidth > part.clientWidth + 1).map((part) => part.textContent.slice(0, 80))"""
    assert page.evaluate(cut) == []
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("nav").is_visible()
    hidden = "[...document.querySelectorAll('main td, main dd')].filter((one) => !one.checkVisibility()).length"
    assert page.evaluate(hidden) == 0
    context.close()


def column(page: Page, label: str) -> list[list[str]]:
    """The values that a column of the table of cells is sorted by, group by group, in the order shown."""
    return page.evaluate(
        """(label) => [...document.querySelectorAll('#cells tbody')].map((body) =>
             [...body.querySelectorAll(`td[data-label="${label}"]`)].map((cell) => cell.dataset.sort))""",
        label,
    )


def test_tables_sort_by_the_keyboard_within_their_groups_and_go_back(browser: Browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(pages["demo"].as_uri())
    label = "Final image p50"
    as_measured = column(page, label)
    button = page.locator("#cells").get_by_role("button", name=f"Sort by {label}")
    head = button.locator("..")
    button.focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, label) == [sorted(group, key=float) for group in as_measured]
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, label) == [sorted(group, key=float, reverse=True) for group in as_measured]
    assert page.locator("#cells tbody tr:first-child.group").count() == len(as_measured), "each group keeps its head"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") is None
    assert column(page, label) == as_measured
    context.close()


def test_without_script_the_page_is_whole_and_offers_nothing_that_does_not_work(
    browser: Browser, pages: dict[str, Path]
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["demo"].as_uri())
    assert page.locator("button, select").count() == 0
    assert page.locator("#cells td").first.is_visible()
    context.close()


def test_on_a_phone_long_tables_are_folded_and_a_link_into_one_opens_it(
    browser: Browser, pages: dict[str, Path]
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(pages["demo"].as_uri())
    assert not page.locator("#def-wait_ms").is_visible()
    assert page.locator("#objectives td").first.is_visible()
    page.locator("#timing a[href='#def-final_image_ms']").click()
    page.wait_for_function("document.querySelector('#def-wait_ms').checkVisibility()")
    page.locator("nav a[href='#cells']").click()
    page.wait_for_function("document.querySelector('#cells td').checkVisibility()")
    assert page.locator("#cells select").is_visible()
    page.locator("#cells select").select_option("-1 Final image p50")
    shown = column(page, "Final image p50")
    assert shown == [sorted(group, key=float, reverse=True) for group in shown]
    context.close()
