"""What ``harness run --keep-images`` leaves in a run's folder: the images, and the lettering that they were to show.

The lettering is a part of the prompts. It is written for kept images only, because those show it anyway; it is in no
event, no report and no packet.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.errors import UsageProblem

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES_DIR = "images"
LETTERING_FILE = "expected.json"  # inside of IMAGES_DIR
MAX_PIXELS = 64_000_000  # four times the largest legal gpt-image-2 picture; more is a bomb, not an image


class Lettering(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="expected_lettering"):
    """What the images of a prompt were to show: prompt hash, as in the events → lettering."""

    schema_version: int = 1
    expected: dict[str, str]


def image_name(job_id: str, index: int, image_format: str) -> str:
    """The file of the image number `index` (from 0) of a job's answer."""
    return f"{job_id}-{index}.{image_format}"


def open_image(path: Path) -> Image:
    """A kept file as an image with its pixels. The folder may be somebody else's.

    Raises:
        OSError: it is no image that can be shown.
    """
    return image_of(path.read_bytes())


def image_of(data: bytes) -> Image:
    """Somebody's bytes as an image with its pixels; no program is asked for help.

    Raises:
        OSError: they are none, or of more than `MAX_PIXELS`; its text says which.
    """
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(data))
        bomb = image.width * image.height > MAX_PIXELS
        program = image.format == "EPS"  # Pillow would hand it to Ghostscript
        if not (bomb or program):
            image.load()
    except Exception:  # noqa: BLE001  each of Pillow's readers raises its own: RuntimeError of AVIF, SyntaxError of PNG
        raise OSError("not a decodable image") from None
    if bomb:
        raise OSError(f"declares {image.width}x{image.height} pixels")
    if program:
        raise OSError("not a decodable image")
    return image


def read_lettering(images: Path) -> dict[str, str]:
    """Prompt hash → lettering; nothing where no prompt expected any.

    Raises:
        UsageProblem: the file is there and is not ours.
    """
    path = images / LETTERING_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Lettering).expected
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{path}: not the expected lettering of a run ({error}); delete it to do without") from None


def write_lettering(images: Path, expected: dict[str, str]) -> None:
    """Keep the lettering beside the images, together with what an earlier part of the run left there."""
    if not expected:
        return
    images.mkdir(parents=True, exist_ok=True)
    whole = Lettering(expected={**read_lettering(images), **expected})
    fresh = images / f"{LETTERING_FILE}.tmp"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
    fresh.replace(images / LETTERING_FILE)
