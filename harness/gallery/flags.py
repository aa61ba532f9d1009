"""What is wrong with an image by its pixels and bytes alone. Thresholds are stated, not tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.gallery.model import Flag, Thresholds

if TYPE_CHECKING:
    from PIL import Image

_LONG_EDGE = 512  # enough to tell a flat image from one that is not


def flat_share(image: Image.Image, level: int) -> float:
    """The share of pixels within `level` of the middle colour in every channel, 0 to 1.

    The middle colour is the median of each channel: where one colour has more than half of the pixels it is that one,
    also when compression has blurred it a little. What is transparent counts as one colour, whatever lies beneath.
    """
    from PIL.Image import Resampling

    small = image.convert("RGBA")
    # Nearest: mixing pixels would make colours of its own.
    small.thumbnail((_LONG_EDGE, _LONG_EDGE), Resampling.NEAREST)
    pixels = np.asarray(small).reshape(-1, 4).astype(np.int16)
    pixels = np.where(pixels[:, 3:] == 0, 0, pixels)
    return float((np.abs(pixels - np.median(pixels, axis=0)) <= level).all(axis=1).mean())


def flags_of(
    image: Image.Image | None, image_bytes: int, asked_size: str | None, limits: Thresholds
) -> tuple[tuple[Flag, ...], float | None]:
    """The flags of one image and its flat share. `image` None: it could not be decoded."""
    if image is None:
        return ("unreadable",), None
    found: list[Flag] = []
    share = flat_share(image, limits.flat_level)
    if share >= limits.near_blank_share:
        found.append("blank" if share == 1 else "near_blank")
    if min(image.size) < limits.small_px:
        found.append("small")
    if image_bytes < limits.few_bytes_per_megapixel * image.width * image.height / 1e6:
        found.append("few_bytes")
    if asked_size not in (None, "auto", f"{image.width}x{image.height}"):
        found.append("wrong_size")
    return tuple(found), round(share, 4)
