"""The contact sheet as people use it: with a mouse, with a keyboard, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.report import write_report

from .test_contact import run_with_images

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(run_with_images(tmp_path_factory.mktemp("run"), 2, size="512x512", cells=3)).html


@pytest.fixture(params=[1280, 390, 320])
def page(browser: Browser, page_file: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(page_file.as_uri())
    yield page
    assert said == []
    context.close()


def width_of_first(page: Page) -> float:
    box = page.locator("#contact-sheet .shot img").first.bounding_box()
    assert box is not None
    return box["width"]


def test_every_image_is_shown_and_enlarged_by_keyboard_and_by_click_one_at_a_time(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth === 256)")
    assert page.evaluate("document.images.length") == 6
    small = width_of_first(page)
    assert small <= 180
    first, second = (page.locator("#contact-sheet summary").nth(place) for place in (0, 1))
    first.focus()
    page.keyboard.press("Enter")
    assert width_of_first(page) > 1.5 * small
    second.focus()
    page.keyboard.press("Enter")
    assert width_of_first(page) == small
    page.keyboard.press("Enter")
    first.click()
    assert width_of_first(page) > 1.5 * small
    page.locator("#contact-sheet .shot img").first.click()
    assert width_of_first(page) == small
