"""What looking at kept images found, as plain data: ``pictures.json``.

Neither a prompt nor what was read in an image is in it: only how long both are and how well they agree.
Null means "not asked for", "not there" or "could not be told"; it is never 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import UsageProblem

PICTURES_FILE = "pictures.json"
PICTURES_SCHEMA_VERSION = 1

Flag = Literal["unreadable", "blank", "near_blank", "small", "few_bytes", "wrong_size"]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From where on an image is flagged."""

    flat_level: int = 8  # so far from the middle colour, in each channel of 0 to 255, a pixel counts as that colour
    near_blank_share: float = 0.995  # so many of the pixels of one colour
    small_px: int = 64  # an edge shorter than this
    few_bytes_per_megapixel: int = 5_000  # 0.04 bit a pixel


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How well tesseract could read the expected lettering in one image. Shares are between 0 and 1.

    `char_accuracy` is 1 - edits / expected characters, with the fewest edits that make the expected lettering out of
    any stretch of what was read; `word_accuracy` is the share of the expected words that were read as they are.
    `confidence` is tesseract's own, 0 to 100, a mean over the words that were read (null when there was none).
    """

    expected_chars: int
    read_chars: int
    char_accuracy: float
    word_accuracy: float
    confidence: float | None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One kept image. `problems` are what the run found at once, `flags` what was found here."""

    file: str  # inside of images/
    job_id: str
    cell: str
    block: int
    index: int
    image_bytes: int
    format: str | None
    width: int | None
    height: int | None
    asked_format: str | None
    asked_compression: int | None
    asked_size: str | None
    final_image_ms: float | None
    problems: tuple[str, ...]
    flags: tuple[Flag, ...]
    flat_share: float | None  # of its pixels: those of one colour
    lettering_expected: bool
    reading: Reading | None = None


class Ocr(msgspec.Struct, frozen=True, kw_only=True):
    """Whether lettering could be read. `why` says what to do where it could not."""

    expected: int  # images whose prompt expects lettering
    read: int
    language: str
    tesseract: str | None
    why: str | None


class Recoded(msgspec.Struct, frozen=True, kw_only=True):
    """One kept image encoded again on this machine. SSIM against the image as it came, on luminance, 1 = the same."""

    file: str
    format: str
    level: int
    recoded_bytes: int
    original_bytes: int
    ssim: float


class Recoding(msgspec.Struct, frozen=True, kw_only=True):
    """What compression levels do to the same image. `why` says why there is none, or null."""

    originals: int  # images that could have been used
    used: int
    original_format: str | None
    measured: tuple[Recoded, ...]
    why: str | None


class Pictures(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="pictures"):
    """Everything that was found, images in the order of their file names."""

    schema_version: int = PICTURES_SCHEMA_VERSION
    run_id: str
    pictures: tuple[Picture, ...]
    strangers: int  # files in images/ that belong to no job of the journal
    thresholds: Thresholds
    ocr: Ocr
    recoding: Recoding


def write_pictures(run_dir: Path, found: Pictures) -> Path:
    """Write ``pictures.json`` whole or not at all."""
    path = run_dir / PICTURES_FILE
    fresh = path.with_suffix(".json.tmp")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    fresh.replace(path)
    return path


def read_pictures(run_dir: Path) -> Pictures | None:
    """What `write_pictures` wrote; None when nobody looked yet.

    Raises:
        UsageProblem: the file is not ours, or of a later version.
    """
    path = run_dir / PICTURES_FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Pictures)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{path}: not written by `harness pictures` ({error}); delete it and ask again") from None
    if found.schema_version > PICTURES_SCHEMA_VERSION:
        raise UsageProblem(
            f"{path}: schema version {found.schema_version}, this harness reads up to {PICTURES_SCHEMA_VERSION}"
        )
    return found
