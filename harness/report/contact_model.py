"""Kept images in a report, as plain data. Only a run with ``--keep-images`` has any of it.

Shares are between 0 and 1; null means "not expected", "not read" or "not measured".
"""

from __future__ import annotations

import msgspec

from harness.estimate import Estimate


class SheetColumn(msgspec.Struct, frozen=True, kw_only=True):
    cell: str
    route: str
    shape: str


class SheetImage(msgspec.Struct, frozen=True, kw_only=True):
    """One image of the sheet. `thumb` is a data URI, null where the image could not be decoded."""

    file: str  # inside of images/
    job_id: str
    thumb: str | None
    image_bytes: int
    format: str | None
    width: int | None
    height: int | None
    final_image_ms: float | None
    problems: tuple[str, ...]
    flags: tuple[str, ...]
    char_accuracy: float | None


class SheetRow(msgspec.Struct, frozen=True, kw_only=True):
    """A block: every cell with the same prompt. `prompt` numbers the prompts of the run, from 1."""

    block: int
    prompt: int
    complexity: str | None
    images: tuple[SheetImage | None, ...]  # one a column


class ContactSheet(msgspec.Struct, frozen=True, kw_only=True):
    columns: tuple[SheetColumn, ...]
    rows: tuple[SheetRow, ...]
    prompts: int
    blocks: int  # of the run, that have an image
    images: int  # kept
    shown: int
    edge_px: int
    left_out: str | None  # a sentence


class CellPictures(msgspec.Struct, frozen=True, kw_only=True):
    """The kept images of one cell. `lettering_right`: those in which all of the expected lettering was read."""

    cell: str
    route: str
    shape: str
    images: int
    flagged: int
    flags: dict[str, int]
    problems: int  # images with which the run found a problem at once
    image_kb_p50: Estimate
    lettering_expected: int
    lettering_right: Estimate
    char_accuracy: Estimate
    word_accuracy: Estimate


class FlaggedPicture(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    route: str
    shape: str
    block: int
    flags: tuple[str, ...]


class LevelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One compression level over several images. Sizes are shares of the bytes of what they are compared with."""

    format: str
    level: int
    asked: bool  # a cell of this run asks for it
    n: int
    of_original: float  # median, then the range
    of_original_low: float
    of_original_high: float
    of_100: float | None
    of_100_low: float | None
    of_100_high: float | None
    ssim: float  # median
    ssim_low: float  # the worst image


class PicturePart(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of the images themselves."""

    cells: tuple[CellPictures, ...]
    flagged: tuple[FlaggedPicture, ...]  # the first of them
    strangers: int
    thresholds: tuple[str, ...]
    tesseract: str | None
    language: str
    lettering_why: str | None
    levels: tuple[LevelRow, ...]
    level_images: int
    level_originals: int
    original_format: str | None
    levels_why: str | None
    sheet: ContactSheet | None
