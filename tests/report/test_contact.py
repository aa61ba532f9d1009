"""Kept images in the report: what is shown of them, and what is not."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness.gallery import Pictures, look, write_pictures
from harness.gallery.model import Ocr, Picture, Reading, Recoded, Recoding, Thresholds
from harness.gallery.thumbs import thumbnails
from harness.report import contact_text, read_summary, write_report
from harness.report.contact import Kept, part_of
from harness.report.contact_model import PicturePart
from harness.simulator.pictures import picture

from . import build_run
from .build_run import Run, job, of_events
from .test_html import Page


def of(pictures: list[Picture], measured: tuple[Recoded, ...] = (), **changes: Any) -> Pictures:
    fields: dict[str, Any] = {
        "run_id": "run-0302", "pictures": tuple(pictures), "strangers": 0, "thresholds": Thresholds(),
        "ocr": Ocr(expected=0, read=0, language="eng", tesseract="5", why=None),
        "recoding": Recoding(originals=9, used=2, original_format="png", measured=measured, why=None),
    }  # fmt: skip
    return Pictures(**{**fields, **changes})


def kept(number: int, accuracy: float | None = None, **changes: Any) -> Picture:
    reading = accuracy if accuracy is None else Reading(
        expected_chars=9, read_chars=9, char_accuracy=accuracy, word_accuracy=accuracy, confidence=90
    )  # fmt: skip
    fields: dict[str, Any] = {
        "file": f"j{number}-0.png", "job_id": f"j{number}", "cell": "c", "block": number, "index": 0,
        "image_bytes": 1000 * (number + 1), "format": "png", "width": 64, "height": 64, "asked_format": None,
        "asked_compression": None, "asked_size": None, "final_image_ms": None, "problems": (), "flags": (),
        "flat_share": 0.1, "lettering_expected": accuracy is not None, "reading": reading,
    }  # fmt: skip
    return Picture(**{**fields, **changes})


def part(found: Pictures) -> PicturePart:
    return part_of(found, {}, None)


def run_with_images(folder: Path, n: int, size: str = "96x96", cells: int = 1) -> Path:
    """`n` jobs in each of `cells` cells, with an image each."""
    events = [
        job(block * cells + cell, block=block, cell=f"cell {cell}", route="direct", seconds=5)
        for block in range(n)
        for cell in range(cells)
    ]
    run = of_events(events, blocks=n).write(folder)
    (run / "images").mkdir()
    for index, event in enumerate(events):
        data = picture(size, "png", 100, "high", index)
        (run / "images" / f"{event.job_id}-0.png").write_bytes(data)
    write_pictures(run, look(run, recoded_images=0))
    return run


def test_shares_have_a_wilson_interval_and_means_one_only_where_there_is_enough() -> None:
    few = part(of([kept(n, accuracy) for n, accuracy in enumerate((1, 1, 0.5))])).cells[0]
    assert (few.lettering_right.value, few.lettering_right.n) == (0.6667, 3)
    assert few.lettering_right.low == pytest.approx(0.2077, abs=1e-3)  # Wilson's, as published tables have it
    assert few.lettering_right.high == pytest.approx(0.9385, abs=1e-3)
    assert (few.char_accuracy.value, few.char_accuracy.low, few.char_accuracy.thin) == (0.8333, None, True)
    many = part(of([kept(n, 1 - (n % 4) / 10) for n in range(40)])).cells[0].char_accuracy
    assert many.value == 0.85
    # The standard error of this mean is 0.1118 / sqrt(40) = 0.0177.
    assert many.low == pytest.approx(0.85 - 1.96 * 0.0177, abs=0.008)
    assert many.high == pytest.approx(0.85 + 1.96 * 0.0177, abs=0.008)
    same = part(of([kept(n, 1) for n in range(40)])).cells[0].char_accuracy
    assert (same.value, same.low, same.high) == (1, None, None)


def test_images_of_one_block_are_drawn_together() -> None:
    apart = part(of([kept(n, float(n % 2)) for n in range(40)])).cells[0].char_accuracy
    together = part(of([kept(n, float(n // 10 % 2), block=n // 10) for n in range(40)])).cells[0].char_accuracy
    assert apart.value == together.value == 0.5
    assert apart.low is not None
    assert together.low is None or together.low < apart.low


def test_a_level_has_the_median_and_range_of_its_images() -> None:
    def coded(file: str, level: int, size: int, ssim: float) -> Recoded:
        return Recoded(file=file, format="jpeg", level=level, recoded_bytes=size, original_bytes=1000, ssim=ssim)

    measured = (coded("a", 100, 600, 1), coded("a", 85, 300, 0.98), coded("b", 100, 800, 1), coded("b", 85, 500, 0.96))
    found = part(of([kept(0, asked_format="jpeg", asked_compression=85)], measured))
    row = found.levels[1]
    assert (row.format, row.level, row.asked, row.n) == ("jpeg", 85, True, 2)
    assert (row.of_original, row.of_original_low, row.of_original_high) == (0.4, 0.3, 0.5)
    assert (row.of_100, row.of_100_low, row.of_100_high) == (0.5625, 0.5, 0.625)
    assert (row.ssim, row.ssim_low) == (0.97, 0.96)
    said = contact_text.claim_sentence(found)
    assert said.endswith("Here: 60\u00a0% smaller and 44\u00a0% smaller, the median of 2 images.")


def test_a_run_without_kept_images_has_no_such_section(tmp_path: Path) -> None:
    paths = write_report(build_run.healthy(3).write(tmp_path))
    assert read_summary(paths.summary).pictures is None
    text = paths.html.read_text()
    assert 'id="contact-sheet"' not in text
    assert "data:image" not in text


def test_the_sheet_holds_each_block_and_cell_with_a_link_and_its_figures(tmp_path: Path) -> None:
    run = run_with_images(tmp_path, 3, cells=2)
    text = write_report(run).html.read_text()
    page = Page(text)
    thumbs = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(thumbs) == 6
    for attrs in thumbs:
        head, data = (attrs["src"] or "").split(",")
        assert head == "data:image/webp;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (96, 96)
        assert re.fullmatch(r"Image of direct .*, block \d", attrs["alt"] or "")
    links = {value for value in page.all("href") if value.startswith("images/")}
    assert links == {f"images/{path.name}" for path in (run / "images").iterdir()}
    assert all((run / link).is_file() for link in links)
    assert "This page holds images." in page.words
    assert "Shown are" not in page.words


def test_the_page_is_made_of_the_summary_alone(tmp_path: Path) -> None:
    from harness.report.html import render

    run = run_with_images(tmp_path, 2)
    paths = write_report(run)
    before = paths.html.read_text()
    shutil.rmtree(run / "images")
    assert render(read_summary(paths.summary)) == before


def test_many_images_are_cut_down_with_a_sentence(tmp_path: Path) -> None:
    run = run_with_images(tmp_path, 70, size="16x16", cells=2)
    sheet = getattr(read_summary(write_report(run).summary).pictures, "sheet", None)
    assert sheet is not None
    assert (sheet.images, sheet.shown, len(sheet.rows)) == (140, 120, 60)
    assert sheet.left_out == "Shown are 120 of 140 kept images: 60 of 70 blocks, evenly over the run."
    blocks = [row.block for row in sheet.rows]
    assert (blocks[0], max(b - a for a, b in pairwise(blocks))) == (0, 2)


def test_thumbnails_keep_to_their_budget_and_rows_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    names = [f"{index}.png" for index in range(6)]
    for index, name in enumerate(names):
        (tmp_path / "images" / name).write_bytes(picture("512x512", "png", 100, "high", index))
    groups = [names[:2], names[2:4], names[4:]]
    roomy, edge = thumbnails(tmp_path, groups)
    assert (set(roomy), edge) == (set(names), 256)
    whole = sum(map(len, roomy.values()))
    smaller, edge = thumbnails(tmp_path, groups, whole * 3 // 4)
    assert (set(smaller), edge) == (set(names), 192)
    tight, edge = thumbnails(tmp_path, groups, whole // 5)
    assert edge == 144
    assert sum(map(len, tight.values())) <= whole // 5
    assert set(tight) in ({*names[:2]}, {*names[:4]}, set())
    assert thumbnails(tmp_path, groups, 10) == ({}, 144)


def test_a_hostile_name_stays_text() -> None:
    hostile = '"><script>alert(1)</script>'
    run = of_events([job(1, route=hostile, cell=hostile)])
    image = kept(1, job_id=run.events[0].job_id, cell=hostile, file='a"><b>-0.png', problems=(hostile,))
    text = page_with(run, image)
    page = Page(text)
    assert "<script>alert" not in text
    assert page.words.count(hostile) >= 3
    assert "images/a%22%3E%3Cb%3E-0.png" in page.all("href")


def page_with(run: Run, *pictures: Picture) -> str:
    from harness.frame import frame_of
    from harness.report.build import summarize
    from harness.report.html import render

    thumbs = Kept(of(list(pictures)), {one.file: "data:image/webp;base64,AAAA" for one in pictures}, 256)
    diagnosis = run.diagnosis or build_run.plain_diagnosis(run)
    return render(summarize(run.conditions, frame_of(run.events), diagnosis, run.verdicts, kept=thumbs))


def test_what_is_missing_is_said_with_what_to_install() -> None:
    found = of(
        [kept(1)],
        ocr=Ocr(expected=1, read=0, language="eng", tesseract=None, why="pytesseract is not installed: pip …"),
        recoding=Recoding(originals=1, used=0, original_format="png", measured=(), why="scikit-image is not installed"),
    )
    said = contact_text.rendered(part(found))
    assert "Lettering: pytesseract is not installed: pip …; then run `harness pictures` again." in said
    assert "Compression levels were not compared: scikit-image is not installed." in said


def test_the_report_looks_at_kept_images_by_itself_and_once(tmp_path: Path, harness: Callable[..., Any]) -> None:
    run = run_with_images(tmp_path, 2)
    (run / "pictures.json").unlink()
    done = harness("report", run)
    assert done.returncode == 0, done.stderr
    assert "looking at 2 kept images\n" in done.stderr
    assert "## Picture quality" in done.stdout
    again = harness("report", run)
    assert "looking at" not in again.stderr
    assert again.stdout == done.stdout
