"""Real images of the right size and format, made once and kept, so that making them is never what takes time."""

from __future__ import annotations

import base64
import io
import random
from functools import lru_cache

from PIL import Image, ImageDraw

VARIANTS = 3


@lru_cache(maxsize=256)
def picture_base64(size: str, output_format: str, compression: int, quality: str, variant: int) -> bytes:
    """Base64 text of an image. `quality` decides how much is in it, so that bytes grow with the tier."""
    data = picture(size, output_format, compression, quality, variant)
    return base64.b64encode(data)


def picture(size: str, output_format: str, compression: int, quality: str, variant: int) -> bytes:
    """A gradient with seeded shapes."""
    width, height = (int(edge) for edge in size.split("x"))
    dice = random.Random(f"{size}/{quality}/{variant}")
    across = Image.linear_gradient("L").resize((width, height))
    down = across.transpose(Image.Transpose.ROTATE_180)
    middle = Image.radial_gradient("L").resize((width, height))
    image = Image.merge("RGB", dice.sample([across, down, middle], 3))
    draw = ImageDraw.Draw(image)
    for _ in range({"low": 6, "medium": 20, "high": 60}.get(quality, 20)):
        x, y, r = dice.randrange(width), dice.randrange(height), dice.randrange(width // 40 + 2, width // 8 + 4)
        colour = (dice.randrange(256), dice.randrange(256), dice.randrange(256))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    out = io.BytesIO()
    if output_format == "png":
        image.save(out, "PNG", compress_level=1)
    elif output_format == "jpeg":
        image.save(out, "JPEG", quality=max(compression, 1))
    else:
        image.save(out, "WEBP", quality=max(compression, 1), method=0)
    return out.getvalue()
