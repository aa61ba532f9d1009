"""Kept images: what cannot be shown is said, and what is shown tells nothing of its file."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from harness.errors import UsageProblem
from harness.rating.gallery import Framer, open_gallery
from harness.rating.sitting import open_sitting

from .build import WORDS, a_run


def test_broken_and_strange_files_are_left_out_and_said(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=1)
    whole = sorted((run / "images").iterdir())
    whole[0].write_bytes(whole[0].read_bytes()[:60])
    (run / "images" / "somebody-0.png").write_bytes(whole[1].read_bytes())
    (run / "images" / "notes.txt").write_text("mine")
    gallery = open_gallery(run)
    told = {left.file: left.why for left in gallery.left_out}
    assert set(told) == {whole[0].name, "somebody-0.png", "notes.txt"}
    assert "decoded" in told[whole[0].name]
    assert "no job" in told["somebody-0.png"]
    assert len(gallery.pictures) == 5
    shown = {picture.file for picture in open_sitting(run, count=None, seed=0).pictures}
    assert whole[0].name not in shown


def test_all_pictures_come_in_one_size_and_format_without_metadata(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=1, prompts=1)
    pictures = open_gallery(run).pictures
    framer = Framer(run, pictures)
    for write, form in ((framer.png, "PNG"), (framer.webp, "WEBP")):
        written = [write(picture) for picture in pictures]
        assert not any(word.encode() in data for data in written for word in WORDS)
        opened = [Image.open(io.BytesIO(data)) for data in written]
        assert {image.format for image in opened} == {form}
        assert {image.size for image in opened} == {(128, 128)}
        assert not any(image.getexif() for image in opened)


def test_a_picture_that_needs_no_scaling_keeps_every_pixel(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=1, prompts=1)
    pictures = [picture for picture in open_gallery(run).pictures if "medium" in picture.cell]
    framed = Image.open(io.BytesIO(Framer(run, pictures).png(pictures[0]))).convert("RGB")
    original = Image.open(run / "images" / pictures[0].file).convert("RGB")
    assert framed.tobytes() == original.tobytes()


def test_a_run_without_images_says_how_to_keep_them(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=1)
    for path in (run / "images").iterdir():
        path.unlink()
    with pytest.raises(UsageProblem, match="--keep-images"):
        open_gallery(run)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="harness run"):
        open_gallery(tmp_path)


def test_an_unknown_cell_is_answered_with_those_that_are_there(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=1)
    with pytest.raises(UsageProblem, match=r"--cells nothing.*quality=high"):
        open_sitting(run, count=None, seed=0, cells=["nothing"])
    two = open_sitting(run, count=None, seed=0, cells=["*quality=low*", "*quality=high*"])
    assert {picture.cell.split("quality=")[1].split()[0] for picture in two.pictures} == {"low", "high"}
    with pytest.raises(UsageProblem, match="nothing to compare"):
        open_sitting(run, count=None, seed=0, cells=["*quality=low*"])


def test_the_same_options_give_the_same_set_even_when_images_came(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=2)
    first = open_sitting(run, count=5, seed=1)
    (run / "images" / first.pairs[0].left.file).unlink()
    assert open_sitting(run, count=5, seed=1) == first
    with pytest.raises(UsageProblem, match="another --seed"):
        Framer(run, first.pictures)
    assert open_sitting(run, count=5, seed=2).id != first.id
