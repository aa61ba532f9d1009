"""The page: one file, nothing fetched, nothing injected, the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from harness.conditions import RouteConditions
from harness.diagnosis.model import Decision, EvidenceRow, Finding
from harness.errors import UsageProblem
from harness.events import ApiError, JobEvent
from harness.loads import LoadResult
from harness.report import read_summary, write_report
from harness.report.html import render
from harness.report.text import render as render_text

from . import build_run, demo_run
from .build_run import Run, cut_by_nginx, job, of_events

VOID = {"meta", "br", "link", "img", "hr", "input", "col"}
HOSTILE = (
    "</title><script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)> & \"quoted\" 'too' #010101"
)


class Page(HTMLParser):
    """Every tag must be closed in order; collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of <{tag}> is given twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, name: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def page_of(run: Run, directory: Path, torn: bytes = b"") -> tuple[str, Page]:
    text = write_report(run.write(directory, torn)).html.read_text(encoding="utf-8")
    return text, Page(text)


def across_hours() -> list[JobEvent]:
    """Six hours of low and medium in turn; the fourth hour is half as slow again."""
    start = datetime(2026, 3, 2, 6, 5, tzinfo=timezone(timedelta(hours=8)))
    return [
        job(
            hour * 40 + n,
            quality=("low", "medium")[n % 2],
            seconds=(5, 27)[n % 2] * (1.5 if hour == 3 else 1.0) * (1 + n / 400),
            request_started_at=(start + timedelta(hours=hour, seconds=n)).isoformat(),
        )
        for hour in range(6)
        for n in range(40)
    ]


def crowded() -> list[JobEvent]:
    """Three fast routes of nearly one speed, a slow one, and a setting that explains nothing."""
    return [
        job(
            number,
            route=route,
            owner="gateway" if route == "a-gateway-of-a-long-name" else "openai",
            quality=("low", "high")[block % 2],
            size=("1024x1024", "1536x1024")[block // 2 % 2],
            seconds=(2 + block % 7 / 10 + at / 50) if at < 3 else (200 if block >= 20 else 50 + block % 5),
            block=block,
            prompt_complexity=("simple", "medium", "complex")[block % 3],
        )
        for number, (block, (at, route)) in enumerate(
            itertools.product(range(24), enumerate(["direct", "edge", "tier1", "a-gateway-of-a-long-name"]))
        )
    ]


def failed() -> Run:
    error = ApiError(type="requests", code="rate_limit_exceeded")
    return of_events(
        [job(n, seconds=0.2, outcome="error", status=429, error=error, cost_basis="not_billed") for n in range(4)]
    )


def streaming() -> Run:
    return of_events([job(n, quality="high", seconds=190 + n, stream=True, partials_at_s=(9, 90)) for n in range(5)])


def all_cut() -> Run:
    events, verdicts = zip(*(cut_by_nginx(n) for n in range(6)), strict=True)
    return of_events(list(events), list(verdicts))


def hostile() -> Run:
    error = ApiError(type=HOSTILE, code=HOSTILE, message=HOSTILE)
    cut, verdict = cut_by_nginx(9, route=HOSTILE)
    events = [
        job(1, route=HOSTILE, size=HOSTILE, model=HOSTILE, cell=HOSTILE),
        job(2, route=HOSTILE, outcome="error", status=400, error=error),
        cut,
    ]
    verdict = msgspec.structs.replace(verdict, layer=HOSTILE, product=HOSTILE, setting=HOSTILE)
    routes = (RouteConditions(name=HOSTILE, kind=HOSTILE, owner=HOSTILE),)
    run = of_events(
        events, [verdict], scenario=HOSTILE, why=HOSTILE, stopped_by=HOSTILE, status="partial", routes=routes
    )
    finding = Finding(
        id="x", title=HOSTILE, state="holds", verdict="ok", evidence=(EvidenceRow(fact=HOSTILE),), next_step=HOSTILE
    )
    assert run.diagnosis is not None
    run.diagnosis = msgspec.structs.replace(
        run.diagnosis,
        answer=HOSTILE,
        findings=(finding,),
        decision=Decision(kind="widen_timeout", sentence=HOSTILE, layer=HOSTILE),
    )
    return run


RUNS = {
    "demo": demo_run.demo,
    "healthy": build_run.healthy,
    "all cut": all_cut,
    "all refused": failed,
    "streaming": streaming,
    "no events": lambda: of_events([]),
    "one event": lambda: of_events([job(1)]),
    "hostile": hostile,
    "crowded": lambda: of_events(crowded()),
    "across hours": lambda: of_events(across_hours()),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_kind_of_run_gives_a_sound_page_that_fetches_nothing(name: str, tmp_path: Path) -> None:
    text, page = page_of(RUNS[name](), tmp_path)
    assert not {tag for tag, _ in page.tags} & {"link", "img", "iframe", "object", "embed", "base", "form"}
    only_script = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert [tag for tag, _ in page.tags].count("script") == len(only_script) == 1
    digest = base64.b64encode(hashlib.sha256(only_script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in text, "a policy that does not name our script's bytes stops it"
    assert not page.all("src")
    assert not page.all("srcset")
    assert all(target.startswith("#") for target in page.all("href"))
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "@import" not in text
    assert not re.findall(r"url\((?!#)", text)
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in page.all("href")} <= set(ids)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert "default-src 'none'" in text
    assert not re.findall(r"\b(nan|inf|None|NaT)\b", page.words)
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert [child.tag for child in root][:2] == ["title", "desc"]
        named = (root.get("aria-labelledby") or "").split()
        assert named == [root[0].get("id"), root[1].get("id")]
        assert not re.findall(r"(?:fill|stroke): #", svg), "a colour of its own would not follow the page"


def test_the_answer_the_decision_and_what_they_rest_on_come_first(tmp_path: Path) -> None:
    _, page = page_of(demo_run.demo(), tmp_path)
    words = page.words
    order = [
        "Simulated world, 50 times faster. All times below are world times",
        "False timeout: nginx on route edge gives up after 60 s",
        "Raise proxy_read_timeout of nginx on route edge from 60 s to 360 s",
        "What it rests on (proven)",
        "10 of 10 high jobs ended with HTTP 504",
        "97 of 110",
        "Every cell",
        "Definitions",
    ]
    places = [words.index(part) for part in order]
    assert places == sorted(places)


def test_a_route_that_is_cut_shows_no_figure_it_cannot_know(tmp_path: Path) -> None:
    text, page = page_of(demo_run.demo(), tmp_path)
    assert "cut by nginx at 60.1\u00a0s; the backend finished later" in text
    assert "> 60.1 s not estimable 10 of 10 cut" in page.words


def test_hostile_words_are_shown_and_do_nothing(tmp_path: Path) -> None:
    text, page = page_of(hostile(), tmp_path)
    assert text.count("<script") == 1, "our own, whose digest the policy names"
    assert "<img" not in text
    assert HOSTILE in page.words
    # Even a word that looks like one of our sentinel colours stays as it was.
    assert text.count("#010101") >= 3


def test_a_partial_run_says_so(tmp_path: Path) -> None:
    run = of_events([job(1), job(2)], planned_jobs=10, status="partial", stopped_by="budget")
    _, page = page_of(run, tmp_path, torn=b'{"event":"image_job","run')
    assert "Partial run. 2 of 10 planned jobs are in the journal; stopped by budget" in page.words
    assert "1 line of the journal could not be read and is left out" in page.words


def test_jobs_that_found_no_place_and_were_never_sent_are_said_on_top(tmp_path: Path) -> None:
    run = of_events([job(n) for n in range(4)], load_result=LoadResult(sent=4, dropped=16))
    text, page = page_of(run, tmp_path)
    assert "16 jobs never sent: due while all places were taken. All figures are of the 4 that were." in page.words
    assert text.index("never sent") < text.index("<h1")
    assert "16 never sent" in render_text(read_summary(tmp_path / "summary.json"))


def test_a_complete_run_in_the_real_world_has_no_banner(tmp_path: Path) -> None:
    text, _ = page_of(build_run.healthy(), tmp_path)
    assert 'class="banner"' not in text


def test_no_events_are_no_zeros(tmp_path: Path) -> None:
    _, page = page_of(of_events([]), tmp_path)
    assert "No job was run, so nothing can be said." in page.words
    assert "$0" not in page.words
    assert "no job was seen to its end" in page.words


def test_definitions_are_linked_from_figures(tmp_path: Path) -> None:
    _, page = page_of(demo_run.demo(2), tmp_path)
    targets = {target for target in page.all("href") if target.startswith("#def-")}
    assert {"#def-final_image_ms", "#def-first_byte_ms", "#def-server_ms", "#def-wait_ms", "#def-km"} <= targets


def test_every_head_of_a_column_of_figures_leads_to_its_definition(tmp_path: Path) -> None:
    for number, run in enumerate((demo_run.demo(2), of_events(across_hours()))):
        text, _ = page_of(run, tmp_path / str(number))
        heads = re.findall(r'<th scope="col" class="num">(.*?)</th>', text)
        assert len(heads) > 10
        assert [head for head in heads if 'href="#def-' not in head] == []


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_report(demo_run.demo(3).write(tmp_path / name)) for name in "ab")
    assert first.summary.read_bytes() == second.summary.read_bytes()
    assert first.html.read_bytes() == second.html.read_bytes()


def test_the_page_is_rendered_from_the_summary_alone(tmp_path: Path) -> None:
    paths = write_report(demo_run.demo(2).write(tmp_path / "run"))
    moved = paths.summary.rename(tmp_path / "elsewhere.json")
    assert render(read_summary(moved)) == paths.html.read_text(encoding="utf-8")


def test_a_run_that_was_not_diagnosed_is_a_usage_problem(tmp_path: Path) -> None:
    directory = build_run.healthy(1).write(tmp_path)
    (directory / "diagnosis.json").unlink()
    with pytest.raises(UsageProblem, match="harness diagnose"):
        write_report(directory)


def test_five_thousand_jobs_make_a_page_under_three_megabytes(tmp_path: Path) -> None:
    paths = write_report(build_run.many().write(tmp_path))
    assert paths.html.stat().st_size < 3_000_000
    Page(paths.html.read_text(encoding="utf-8"))


def test_five_thousand_jobs_in_a_hundred_cells_make_a_page_under_three_megabytes(tmp_path: Path) -> None:
    shapes = [
        {"quality": quality, "size": size, "output_format": kind, "route": route}
        for quality in ("low", "medium", "high")
        for size in ("1024x1024", "1536x1024", "1024x1536")
        for kind in ("png", "jpeg", "webp")
        for route in ("direct", "edge", "gateway", "azure")
    ]
    events = [
        job(n, seconds=5 + n % 97 / 3 + n / 9000, **shape, cell="/".join(shape.values()))
        for n in range(5000)
        for shape in [shapes[n % len(shapes)]]
    ]
    paths = write_report(of_events(events).write(tmp_path))
    summary = read_summary(paths.summary)
    assert len(summary.cells) == 108
    assert paths.html.stat().st_size < 3_000_000
    # A curve is thinned to fewer steps than there are pixels, and says of how many.
    lines = [line for panel in summary.curves for line in panel.lines]
    assert max(len(line.x_ms) for line in lines) <= 200 < min(line.steps for line in lines)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_of_text_stands_out_in_light_and_dark() -> None:
    css = (Path(render.__code__.co_filename).parent / "templates" / "style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\n *\}", css, flags=re.DOTALL)[:2]
    assert len(blocks) == 2
    for block in blocks:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        text = [name for name in colours if name in ("ink", "muted", "accent", "ok", "bad", "warn") or "series" in name]
        pairs = [(name, ground) for name in text for ground in ("paper", "raised")]
        pairs += [("ink", name) for name in colours if name.startswith("heat-")] + [("ink", "bad-tint")]
        pairs += [("ok", "ok-tint"), ("bad", "bad-tint"), ("warn", "warn-tint"), ("ink", "warn-tint")]
        weak = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
        assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
