"""Looking at the kept images of a run whose truth is known."""

from __future__ import annotations

import builtins
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from harness.errors import UsageProblem
from harness.gallery import Pictures, is_current, kept_files, look, read_pictures, write_pictures
from harness.kept import read_lettering, write_lettering
from harness.rating.gallery import open_gallery

from .conftest import RIGHT, SECRET, WRONG_LETTERS


def copy(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "run"))


def without_ocr(run: Path) -> None:
    (run / "images" / "expected.json").unlink()


def test_lettering_that_is_right_is_read_and_wrong_letters_cost_what_they_are(looked: Pictures) -> None:
    lengths = {len(text) for text in RIGHT.values()}
    good = [one for one in looked.pictures if one.cell.startswith("good")]
    bad = [one for one in looked.pictures if one.cell.startswith("bad")]
    assert (len(good), len(bad)) == (4, 2)
    assert {one.reading.expected_chars for one in good if one.reading} == lengths
    assert [one.reading.char_accuracy for one in good if one.reading] == [1.0] * 4
    assert [one.reading.word_accuracy for one in good if one.reading] == [1.0] * 4
    assert {one.reading.char_accuracy for one in bad if one.reading} == {
        round(1 - WRONG_LETTERS / length, 4) for length in lengths
    }


def test_spoiled_images_are_flagged_and_sound_ones_are_not(looked: Pictures) -> None:
    flags = {one.cell.split("/")[0]: one.flags for one in looked.pictures}
    assert flags == {"good": (), "bad": (), "blank": ("blank", "few_bytes"), "resized": ("wrong_size",)}
    blank = next(one for one in looked.pictures if one.cell.startswith("blank"))
    assert blank.problems == ("blank: one flat colour",)
    assert blank.reading is not None
    assert (blank.reading.read_chars, blank.reading.char_accuracy, blank.reading.confidence) == (0, 0, None)


def test_levels_are_measured_on_kept_png_and_nothing_else(looked: Pictures) -> None:
    recoding = looked.recoding
    assert (recoding.used, recoding.original_format, recoding.why) == (1, "png", None)
    assert recoding.originals == 4  # good and bad in both blocks; the others are flagged or JPEG
    assert ("jpeg", 50) in {(one.format, one.level) for one in recoding.measured}
    sizes = {one.file: one.image_bytes for one in looked.pictures}
    for one in recoding.measured:
        assert one.original_bytes == sizes[one.file]
        assert 0.5 < one.ssim <= 1


def test_neither_prompts_nor_what_was_read_are_written(looked: Pictures, kept_run: Path) -> None:
    text = json.dumps(msgspec.to_builtins(looked)).casefold()
    journal = (kept_run / "events.jsonl").read_text().casefold()
    for word in (SECRET, *RIGHT.values(), "wumwer"):
        assert word.casefold() not in text
        assert word.casefold() not in journal
    assert set(read_lettering(kept_run / "images").values()) == set(RIGHT.values())


def test_what_was_found_survives_its_file_and_grows_old_with_the_images(
    looked: Pictures, kept_run: Path, tmp_path: Path
) -> None:
    run = copy(kept_run, tmp_path)
    assert read_pictures(run) is None
    write_pictures(run, looked)
    assert read_pictures(run) == looked
    assert is_current(run, looked)
    kept_files(run)[0].unlink()
    assert not is_current(run, looked)


def test_strange_files_links_and_damaged_images_do_no_harm(kept_run: Path, tmp_path: Path) -> None:
    run = copy(kept_run, tmp_path)
    without_ocr(run)
    damaged = kept_files(run)[0]
    damaged.write_bytes(damaged.read_bytes()[:200])
    (run / "images" / "holiday.png").write_bytes(b"x")
    (run / "images" / "b999-p001-00000000-0.png").symlink_to("/etc/hostname")
    found = look(run, recoded_images=0)
    assert (found.strangers, len(found.pictures)) == (1, 10)
    assert found.pictures[0].flags == ("unreadable",)
    assert (found.pictures[0].width, found.pictures[0].format) == (None, None)
    assert is_current(run, found)
    assert found.recoding.why == "not asked for (--recode-images 0)"


def test_no_file_of_a_foreign_run_ends_the_look_or_is_handed_to_a_program(
    kept_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copy(kept_run, tmp_path)
    without_ocr(run)
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("Ghostscript was asked"))
    Image.new("RGB", (64, 64), "red").save(kept_files(run)[0], "EPS")
    Image.new("RGB", (64, 64), "red").save(kept_files(run)[1], "DDS")
    whole = bytearray(kept_files(run)[1].read_bytes())
    whole[80:84] = (0x2000000).to_bytes(4, "little")  # flags that nobody knows: NotImplementedError
    kept_files(run)[1].write_bytes(whole)
    found = look(run, recoded_images=0)
    assert [one.flags for one in found.pictures[:2]] == [("unreadable",), ("unreadable",)]
    assert {one.file for one in open_gallery(run).left_out} >= {path.name for path in kept_files(run)[:2]}


def test_without_expected_lettering_nothing_is_read(kept_run: Path, tmp_path: Path) -> None:
    run = copy(kept_run, tmp_path)
    without_ocr(run)
    ocr = look(run, recoded_images=0).ocr
    assert (ocr.expected, ocr.read, ocr.tesseract, ocr.why) == (0, 0, None, None)


def test_letters_that_the_language_has_not_are_not_read_at_all(kept_run: Path, tmp_path: Path, tesseract: str) -> None:  # noqa: ARG001
    run = copy(kept_run, tmp_path)
    write_lettering(run / "images", dict.fromkeys(read_lettering(run / "images"), "夏日特卖"))
    found = look(run, recoded_images=0)
    assert all(one.lettering_expected and one.reading is None for one in found.pictures)
    assert found.ocr.why is not None
    assert "--language eng has not" in found.ocr.why


def test_a_language_that_is_not_installed_is_a_mistake_of_the_caller(kept_run: Path, tesseract: str) -> None:  # noqa: ARG001
    with pytest.raises(UsageProblem, match="tesseract has no tlh"):
        look(kept_run, language="tlh", recoded_images=0)


def test_without_the_libraries_the_rest_is_done_and_it_says_what_to_install(
    kept_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = builtins.__import__

    def refusing(name: str, *args: Any) -> Any:
        if name.split(".")[0] in ("pytesseract", "skimage"):
            raise ImportError(name)
        return really(name, *args)

    for name in [one for one in sys.modules if one.split(".")[0] in ("pytesseract", "skimage")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refusing)
    found = look(kept_run)
    assert found.ocr.why == "pytesseract is not installed: pip install -e '.[ocr]'"
    assert found.recoding.why == "scikit-image is not installed: pip install -e '.[ssim]'"
    assert (found.ocr.expected, found.ocr.read, found.recoding.measured) == (10, 0, ())
    assert any(one.flags for one in found.pictures)


def test_without_the_program_it_says_so(kept_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    why = look(kept_run, recoded_images=0).ocr.why
    assert why is not None
    assert why.startswith("tesseract is not on the path: install the program tesseract")


def test_a_run_without_images_is_told_how_to_keep_them(
    kept_run: Path, tmp_path: Path, harness: Callable[..., Any]
) -> None:
    run = copy(kept_run, tmp_path)
    shutil.rmtree(run / "images")
    done = harness("pictures", run)
    assert done.returncode == 2
    assert "harness run --keep-images" in done.stderr


def test_the_verb_writes_what_it_found_and_says_it(kept_run: Path, tmp_path: Path, harness: Callable[..., Any]) -> None:
    run = copy(kept_run, tmp_path)
    without_ocr(run)
    done = harness("pictures", run, "--recode-images", 0)
    assert done.returncode == 0, done.stderr
    assert "| blank/low/1024x1024" in done.stdout
    assert f"pictures: {run / 'pictures.json'}" in done.stdout
    told = harness("pictures", run, "--recode-images", 0, "--format", "json", "--quiet")
    assert json.loads(told.stdout) == json.loads((run / "pictures.json").read_text())
    assert told.stderr == ""


def test_files_that_are_not_ours_are_refused_with_what_to_do(kept_run: Path, tmp_path: Path) -> None:
    run = copy(kept_run, tmp_path)
    (run / "pictures.json").write_text('{"record": "something"}')
    with pytest.raises(UsageProblem, match="delete it and ask again"):
        read_pictures(run)
    (run / "images" / "expected.json").write_text("[]")
    with pytest.raises(UsageProblem, match="delete it to do without"):
        look(run)
