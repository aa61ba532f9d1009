"""Pictures for edits: the scenario's own bytes under names of ours, or made up, the same in every run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from harness.routes.base import Picture
from harness.run.references import SIZE, References, made_up, made_up_mask
from harness.scenario.cells import Cell


def cell(count: int = 0, *, mask: bool = False) -> Cell:
    return Cell("c", "r", reference_images=count, mask=mask)


def opened(picture: Picture) -> Image.Image:
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    return image


def drawn(path: Path, size: tuple[int, int]) -> Path:
    Image.new("RGB", size, "navy").save(path)
    return path


def test_a_generation_has_no_pictures_whatever_files_there_are(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.png")
    assert References((gone,), gone).of(cell()) == ((), None)


def test_the_scenarios_own_files_go_out_as_they_are_under_names_that_say_nothing(tmp_path: Path) -> None:
    names = ["my-secret-product.PNG", "second.jpeg", "third.webp", "fourth.jpg"]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(b"bytes %d" % number)
    (tmp_path / "m.png").write_bytes(b"the mask")
    references = References([str(tmp_path / name) for name in names], str(tmp_path / "m.png"))
    pictures, mask = references.of(cell(4, mask=True))
    assert [picture.data for picture in pictures] == [b"bytes 0", b"bytes 1", b"bytes 2", b"bytes 3"]
    assert [picture.media_type for picture in pictures] == ["image/png", "image/jpeg", "image/webp", "image/jpeg"]
    assert [picture.name for picture in pictures] == [
        "reference-1.png", "reference-2.jpeg", "reference-3.webp", "reference-4.jpg",
    ]  # fmt: skip
    assert mask is not None
    assert (mask.data, mask.media_type) == (b"the mask", "image/png")
    assert "secret" not in repr([picture.name for picture in (*pictures, mask)])


def test_a_cell_gets_the_first_ones_and_a_mask_only_where_it_asks(tmp_path: Path) -> None:
    files = [str(drawn(tmp_path / f"{number}.png", (32, 16))) for number in range(3)]
    references = References(files)
    assert [picture.name for picture in references.of(cell(2))[0]] == ["reference-1.png", "reference-2.png"]
    assert references.of(cell(2))[1] is None
    assert References().of(cell(1))[1] is None


def test_a_file_is_read_once_even_where_it_changes_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"before")
    references = References((str(file),))
    assert references.of(cell(1))[0][0].data == b"before"
    file.write_bytes(b"after")
    assert references.of(cell(1))[0][0].data == b"before"


def test_made_up_pictures_weigh_what_photographs_do_and_are_the_same_in_every_run() -> None:
    pictures, mask = References().of(cell(3))
    assert mask is None
    assert [picture.name for picture in pictures] == ["reference-1.png", "reference-2.png", "reference-3.png"]
    assert len({picture.data for picture in pictures}) == 3
    for picture in pictures:
        image = opened(picture)
        assert (image.format, image.size, image.mode) == ("PNG", SIZE, "RGB")
        assert picture.media_type == "image/png"
        assert 1_000_000 < len(picture.data) < 4_000_000  # far below the API's 50 MB
    again = pictures[0].data
    made_up.cache_clear()
    assert made_up(0).data == again


@pytest.mark.parametrize("size", [(1024, 1024), (48, 1536), (16, 16)])
def test_a_made_up_mask_is_as_large_as_the_first_reference_and_open_in_the_middle(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    other = drawn(tmp_path / "other.png", (64, 64))
    _, mask = References((str(drawn(tmp_path / "a.png", size)), str(other))).of(cell(2, mask=True))
    assert mask is not None
    image = opened(mask)
    assert (image.format, image.size, image.mode) == ("PNG", size, "RGBA")
    alpha = image.getchannel("A")
    assert (alpha.getpixel((0, 0)), alpha.getpixel((size[0] // 2, size[1] // 2))) == (255, 0)
    assert alpha.getextrema() == (0, 255)
    assert len(mask.data) < 4 * 1024 * 1024


def test_a_mask_of_ones_own_is_taken_instead(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"own")
    _, mask = References((), str(tmp_path / "m.png")).of(cell(1, mask=True))
    assert mask is not None
    assert mask.data == b"own"


def test_a_reference_that_is_no_picture_is_for_the_api_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture at all")
    pictures, mask = References((str(tmp_path / "a.png"),)).of(cell(1, mask=True))
    assert pictures[0].data == b"not a picture at all"
    assert mask == made_up_mask(SIZE)
