"""The rating page in a real browser: what is pressed is what is on the disk, and nothing tells whose a picture is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.rating.imported import import_votes
from harness.rating.page import write_page
from harness.rating.sitting import Sitting, open_sitting
from harness.rating.votes import read_lines, read_votes

from .build import FORMATS, WORDS, a_run
from .sitting_down import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield made
    made.close()


class Watched:
    """A page, with everything that it said, asked for and was answered.

    Waits are for elements: a function that waits would be evaluated in the page, and the page's policy forbids that.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.seen: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.seen.append(request.url))
        self.page.on("response", lambda response: self.seen.append(json.dumps(response.headers)))

    def ready(self, pair: str) -> None:
        self.page.locator(f"body[data-ready='{pair}']").wait_for()

    def press(self, key: str, until: str) -> None:
        """Press, and wait for the status line to hold these words."""
        self.page.keyboard.press(key)
        self.page.locator("#status", has_text=until).wait_for()


def secrets_of(run: Path) -> list[str]:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    named = {event[name] for event in events for name in ("job_id", "cell", "route", "prompt_hash", "prompt_text")}
    return [*named, *WORDS, *set(FORMATS.values()) - {"png", "webp"}, "quality"]


def choices(run: Path) -> list[tuple[str, str]]:
    return [(vote.pair, vote.chosen) for vote in read_votes(run).cast]


def test_keys_vote_undo_and_go_on_after_a_break_and_nothing_gives_a_cell_away(
    context: BrowserContext, tmp_path: Path
) -> None:
    run = a_run(tmp_path / "run", blocks=2)
    pairs = [pair.name for pair in open_sitting(run, count=6, seed=0).pairs]
    dom = []
    with serving(run, "--pairs", "6") as served:
        watched = Watched(context)
        page = watched.page
        page.goto(served.address)
        for number, key in enumerate(("ArrowLeft", "2", "0", "x")):
            watched.ready(pairs[number])
            dom.append(page.content())
            watched.press(key, f"Pair {number + 2} of 6")
        assert choices(run) == list(zip(pairs, ("left", "right", "tie", "neither"), strict=False))
        watched.press("Backspace", "Pair 4 of 6")
        assert choices(run) == list(zip(pairs, ("left", "right", "tie"), strict=False))
        watched.ready(pairs[3])
        watched.press(" ", "Pair 5 of 6")
        assert page.title() == "Blind rating"
        page.close()
        seen = list(watched.seen)
    with serving(run, "--pairs", "6") as served:
        watched = Watched(context)
        page = watched.page
        page.goto(served.address)
        watched.ready(pairs[4])
        assert "Pair 5 of 6" in page.locator("#status").inner_text()
        watched.press("Backspace", "Pair 4 of 6")  # of the sitting before
        watched.ready(pairs[3])
        watched.press("1", "Pair 5 of 6")
        watched.ready(pairs[4])
        page.locator("#right").click()
        watched.ready(pairs[5])
        watched.press(" ", "All 6 pairs are done")  # and not the button that was clicked
        assert page.evaluate("document.activeElement.id") == "end-title"
        dom.append(page.content())
        page.get_by_role("button", name="Finish").click()
        page.locator("#end-text", has_text="close this page").wait_for()
        assert served.process.wait(20) == 0
        assert watched.said == []
        seen += watched.seen
    expected = ["left", "right", "tie", "left", "right", "tie"]
    assert sorted(choices(run)) == sorted(zip(pairs, expected, strict=True))
    took = [vote.took_ms for vote in read_lines(run)[0] if vote.chosen != "undone"]
    assert all(ms is not None and 0 < ms < 60_000 for ms in took)
    everything = "\n".join([*dom, *seen])
    assert [word for word in secrets_of(run) if word in everything] == []
    assert all(url.startswith((served.address[:17], "http://127.0.0.1:", "data:,", "{")) for url in seen)


def test_pictures_look_alike_in_all_but_the_picture(context: BrowserContext, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=1, prompts=1)
    with serving(run) as served:
        page = context.new_page()
        page.goto(served.address)
        page.locator("body[data-ready]").wait_for()
        sides = page.evaluate(
            """['left-picture', 'right-picture'].map(id => { const p = document.getElementById(id);
               const box = p.getBoundingClientRect();
               return [p.naturalWidth, p.naturalHeight, box.width, box.height, p.className, p.title]; })"""
        )
    assert sides[0] == sides[1]


def test_a_vote_that_cannot_be_saved_is_said_and_asked_again(context: BrowserContext, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=1)
    pairs = [pair.name for pair in open_sitting(run, count=2, seed=0).pairs]
    with serving(run, "--pairs", "2") as served:
        watched = Watched(context)
        watched.page.goto(served.address)
        watched.ready(pairs[0])
        served.process.kill()
        served.process.wait()
        watched.page.keyboard.press("ArrowLeft")
        watched.page.get_by_role("alert").wait_for()
        assert "not saved" in watched.page.get_by_role("alert").inner_text()
        assert "Pair 1 of 2" in watched.page.locator("#status").inner_text()
    assert choices(run) == []


def written(tmp_path: Path, **options: Any) -> tuple[Path, Sitting, Path]:
    run = a_run(tmp_path / "run", blocks=2)
    sitting = open_sitting(run, count=4, seed=0, **options)
    page = tmp_path / "rate.html"
    write_page(run, sitting, page)
    return run, sitting, page


def test_the_page_as_a_file_fetches_nothing_and_what_it_saves_comes_in(context: BrowserContext, tmp_path: Path) -> None:
    run, sitting, path = written(tmp_path)
    pairs = [pair.name for pair in sitting.pairs]
    text = path.read_text()
    assert [word for word in secrets_of(run) if word in text] == []
    assert re.findall(r"https?://", text) == []
    watched = Watched(context)
    page = watched.page
    page.goto(path.as_uri())
    for number, key in enumerate(("ArrowRight", "x", "ArrowLeft")):
        watched.ready(pairs[number])
        watched.press(key, f"Pair {number + 2} of 4")
    page.reload()  # it remembers
    watched.ready(pairs[3])
    watched.press("Backspace", "Pair 3 of 4")
    watched.ready(pairs[2])
    watched.press("0", "Pair 4 of 4")
    watched.ready(pairs[3])
    watched.press("2", "All 4 pairs are done")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Save votes").click()
    saved = tmp_path / coming.value.suggested_filename
    coming.value.save_as(saved)
    assert re.fullmatch(rf"votes-{sitting.id}-r[0-9a-f]{{12}}\.json", saved.name)
    assert all(url.startswith(("file://", "data:", "blob:", "{")) for url in watched.seen)
    assert watched.said == []
    done = import_votes(run, saved)
    assert (done.added, done.bad) == (4, ())
    assert choices(run) == list(zip(pairs, ("right", "neither", "tie", "right"), strict=True))
    assert import_votes(run, saved).known_already == 4


def test_prompts_are_shown_only_when_asked_for_and_are_no_markup(context: BrowserContext, tmp_path: Path) -> None:
    _, _, path = written(tmp_path, show_prompts=True)
    page = context.new_page()
    page.goto(path.as_uri())
    assert re.fullmatch(r"Asked for: a <b>cat</b> & [01]", page.locator("#prompt").inner_text())
    assert page.locator("#prompt b").count() == 0


@pytest.fixture(scope="module")
def a_page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sitting, Path]:
    return written(tmp_path_factory.mktemp("page"))


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [(1280, 800, "light"), (1280, 800, "dark"), (390, 844, "light"), (844, 390, "light"), (320, 640, "dark")],
)
def test_the_page_fits_and_is_readable_and_named(
    browser: Browser, a_page: tuple[Path, Sitting, Path], width: int, height: int, scheme: str
) -> None:
    _, sitting, path = a_page
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=width < 900  # type: ignore[arg-type]
    )  # fmt: skip
    page = context.new_page()
    page.goto(path.as_uri())
    page.locator("body[data-ready]").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    found = page.evaluate(AUDIT)
    assert found == {"unnamed": [], "faint": [], "small": [], "twice": []}
    if width == 390:  # both pictures at once, without scrolling
        assert page.evaluate("document.getElementById('right').getBoundingClientRect().bottom <= window.innerHeight")
        page.locator("#right-picture").tap()
        page.locator(f"body[data-ready='{sitting.pairs[1].name}']").wait_for()
    context.close()


def test_the_tab_key_reaches_everything_and_shows_where_it_is(
    context: BrowserContext, a_page: tuple[Path, Sitting, Path]
) -> None:
    _, sitting, path = a_page
    watched = Watched(context)
    page = watched.page
    page.goto(path.as_uri())
    watched.ready(sitting.pairs[0].name)
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText.split('\\n')[0].trim()"))
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
    assert [re.sub(r" \S+$", "", name) for name in reached[:4]] == [
        "Picture 1 is better", "Picture 2 is better", "Alike", "Neither is usable",
    ]  # fmt: skip
    page.locator("[data-vote=tie]").focus()
    watched.press("Enter", "Pair 2 of 4")  # a focused button takes its key, once
    watched.ready(sitting.pairs[1].name)
    watched.press(" ", "Pair 3 of 4")


# Names of controls and pictures, contrast of text (WCAG 2.2, 1.4.3), size of targets (2.5.8), ids that are there twice.
AUDIT = """() => {
  const shown = [...document.querySelectorAll('body *')].filter(e => e.getClientRects().length);
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgba = (text) => { const v = text.match(/[\\d.]+/g).map(Number); return v.length < 4 ? [...v, 1] : v; };
  const behind = (e) => { for (; e; e = e.parentElement) {
    const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  const contrast = (e) => { const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); };
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  return {
    unnamed: shown.filter(e => (e.matches('button') && !e.innerText.trim()) || (e.matches('img') && !e.alt)
      || (e.matches('progress, [role=group]') && !e.getAttribute('aria-label'))).map(e => e.outerHTML.slice(0, 80)),
    faint: shown.filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
      && !e.closest(':disabled') && contrast(e) < 4.5).map(e => e.innerText + ' ' + contrast(e)),
    small: shown.filter(e => e.matches('button') && Math.min(e.offsetHeight, e.offsetWidth) < 24).map(e => e.id),
    twice: ids.filter((id, i) => ids.indexOf(id) !== i),
  };
}"""
