"""Real images of the right size and format, made once and kept, so that making them is never what takes time.

Every request of one shape gets one of the same `VARIANTS` pictures; what differs between requests is around them.
"""

from __future__ import annotations

import base64
import io
import random
import threading
from collections import OrderedDict
from concurrent.futures import Future

from PIL import Image, ImageDraw, ImageFont

VARIANTS = 3
MOST_BYTES = 192 * 1024 * 1024

Key = tuple[str, str, int, str, int, str]  # size, output format, compression, quality, variant, lettering


class Pictures:
    """Base64 text of pictures: the ones used last, up to `most_bytes`. May be asked by several threads.

    A picture that is let go lives on inside of the answers that are under way with it.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._made: OrderedDict[Key, bytes] = OrderedDict()
        self._making: dict[Key, Future[bytes]] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Key) -> bool:
        return key in self._made

    def get(self, key: Key) -> bytes:
        """The picture; who asks while another thread makes it waits for that one."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
            making = self._making.get(key)
            mine = making is None
            if making is None:
                making = self._making[key] = Future()
        if not mine:
            return making.result()
        try:
            data = base64.b64encode(picture(*key))
        except BaseException as error:
            with self._lock:
                del self._making[key]
            making.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._made[key] = data
            self._bytes += len(data)
            while self._bytes > self._most_bytes and len(self._made) > 1:
                self._bytes -= len(self._made.popitem(last=False)[1])
        making.set_result(data)
        return data


PICTURES = Pictures()


def picture(size: str, output_format: str, compression: int, quality: str, variant: int, lettering: str = "") -> bytes:
    """A gradient with seeded shapes. `quality` decides how much is in it, so that bytes grow with the tier.

    `lettering` stands on a white band in the middle, as large as fits; without it there is no band.
    """
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
    if lettering:
        _letter(draw, width, height, lettering)
    out = io.BytesIO()
    if output_format == "png":
        image.save(out, "PNG", compress_level=1)
    elif output_format == "jpeg":
        image.save(out, "JPEG", quality=max(compression, 1))
    else:
        image.save(out, "WEBP", quality=max(compression, 1), method=0)
    return out.getvalue()


def _letter(draw: ImageDraw.ImageDraw, width: int, height: int, lettering: str) -> None:
    """A white band with one line in it. The font is the one that comes with Pillow, which has Latin letters only."""
    wide = ImageFont.load_default(100).getlength(lettering)
    font = ImageFont.load_default(min(height / 14, 100 * width * 0.8 / max(wide, 1)))
    draw.rectangle((0, height * 0.375, width, height * 0.625), fill="white")
    draw.text((width / 2, height / 2), lettering, "black", font, anchor="mm")
