"""The page as people see it: in a browser, wide and on a phone, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 760, 390, 320])
@pytest.mark.parametrize("name", ["demo", "hostile", "no events", "across hours"])
def test_the_page_fits_says_nothing_and_fetches_nothing(
    browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    said: list[str] = []
    left: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    def stop(route) -> None:
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            left.append(route.request.url)
            route.abort()

    page.route("**/*", stop)
    page.goto(pages[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert said == []
    assert left == []
    context.close()


def test_a_phone_gets_its_own_drawing_and_readable_text(browser: Browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(pages["demo"].as_uri())
    assert page.locator("#waterfalls figure.narrow").is_visible()
    assert not page.locator("#waterfalls figure.wide").is_visible()
    smallest = page.evaluate(
        """Math.min(...[...document.querySelectorAll('svg.chart text')]
             .map(text => text.getBoundingClientRect().height).filter(height => height > 0))"""
    )
    assert smallest >= 11
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_no_word_is_cut_off_at_the_edge_of_a_drawing_or_stands_on_end(
    browser: Browser, pages: dict[str, Path], width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(pages["crowded"].as_uri())
    outside = page.evaluate(
        """[...document.querySelectorAll('svg.chart text')].filter(text => {
             const own = text.getBoundingClientRect(), all = text.closest('svg').getBoundingClientRect();
             return own.width && (own.left < all.left - 1 || own.right > all.right + 1);
           }).map(text => text.textContent)"""
    )
    assert outside == []
    assert page.locator("#spread .bars dt").count() > 2
    tallest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.bars dt')].map(name => name.getBoundingClientRect().height))"
    )
    assert tallest < 80, "a name has a letter a line"
    context.close()


def test_the_skip_link_leads_to_the_answer(browser: Browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(pages["demo"].as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answer"
    context.close()


def test_dark_text_on_dark_paper_does_not_happen(browser: Browser, pages: dict[str, Path]) -> None:
    fills = []
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(pages["demo"].as_uri())
        fills.append(page.evaluate("getComputedStyle(document.querySelector('svg.chart text')).fill"))
        context.close()
    assert fills == ["rgb(87, 96, 106)", "rgb(155, 166, 178)"]
