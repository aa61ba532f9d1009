"""What a compression level does to an image: the same one encoded again here, and held against the original.

Two generations are two pictures, so comparing the JPEG of one job with the PNG of another says nothing about JPEG.
The levels are Pillow's (libjpeg-turbo with 4:2:0 chroma, libwebp); a provider's encoder may be another one, but the
meaning of a JPEG quality is the same in all that use the standard's tables.

Sources
-------
* SSIM: Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from error visibility to
  structural similarity", IEEE Transactions on Image Processing 13 (2004) 600-612, with their Gaussian window (standard
  deviation 1.5, 11 x 11) and data range 255, on luminance (ITU-R BT.601), as `skimage.metrics.structural_similarity`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.gallery.model import Picture

if TYPE_CHECKING:
    from PIL import Image

INSTALL_EXTRA = "pip install -e '.[ssim]'"
ALWAYS = (100, 85, 75, 60)  # 100 is what others are compared with; articles warn of what is under 70
FORMATS = ("jpeg", "webp")
SSIM_WORDS = "SSIM on luminance, Gaussian window of 11 × 11 pixels (σ 1.5), data range 255"


def missing() -> str | None:
    """What to do when the library is not there; None when it is."""
    try:
        import skimage.metrics  # noqa: F401
    except ImportError:
        return f"scikit-image is not installed: {INSTALL_EXTRA}"
    return None


def levels(pictures: Iterable[Picture]) -> tuple[tuple[str, int], ...]:
    """Format and level of everything to try: what the cells asked for, and `ALWAYS` for each format."""
    asked = {
        (one.asked_format, one.asked_compression)
        for one in pictures
        if one.asked_format in FORMATS and one.asked_compression is not None
    }
    every = {(form, level) for form in FORMATS for level in ALWAYS} | asked
    return tuple(sorted(((str(form), int(level or 0)) for form, level in every), key=lambda one: (one[0], -one[1])))


def originals(pictures: Sequence[Picture]) -> tuple[str | None, list[Picture]]:
    """The images to start from, and their format: PNG as they came; without any, what was asked for at level 100.

    Flagged images are left out: how well nothing compresses is of no interest.
    """
    sound = [one for one in pictures if not one.flags and one.format is not None]
    for form in ("png", "webp", "jpeg"):
        best = [one for one in sound if one.format == form and (form == "png" or one.asked_compression in (None, 100))]
        if best:
            return form, best
    return None, []


def spread(pictures: Sequence[Picture], most: int) -> list[Picture]:
    """At most so many of them, from every part of the run and from every cell in turn."""
    by_cell: dict[str, list[Picture]] = {}
    for one in sorted(pictures, key=lambda one: (one.index, one.block, one.cell)):
        by_cell.setdefault(one.cell, []).append(one)
    share = -(-most // max(1, len(by_cell)))
    chosen = []
    for row in by_cell.values():
        taken = min(share, len(row))
        chosen += [row[place * len(row) // taken] for place in range(taken)]
    return sorted(chosen, key=lambda one: (one.index, one.block, one.cell))[:most]


def opaque(image: Image.Image) -> Image.Image:
    """In RGB, on white where it is transparent: JPEG has no transparency."""
    from PIL import Image as Pil

    if image.has_transparency_data:
        backed = image.convert("RGBA")
        image = Pil.alpha_composite(Pil.new("RGBA", backed.size, "white"), backed)
    return image.convert("RGB")


def encode(image: Image.Image, form: str, level: int) -> bytes:
    """An RGB image as JPEG or WebP at a level of 0 to 100."""
    out = io.BytesIO()
    image.save(out, form.upper(), quality=level)
    return out.getvalue()


def similarity(one: Image.Image, other: Image.Image) -> float:
    """SSIM of two RGB images of one size: 1 when they are the same."""
    from skimage import metrics

    structural_similarity: Any = metrics.structural_similarity  # has no types
    first, second = (np.asarray(image.convert("L"), dtype=np.float64) for image in (one, other))
    return float(
        structural_similarity(
            first, second, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
    )
