"""Pictures that go out with edits: the scenario's own files, or made up so that uploads have a size worth timing."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from harness.routes.base import Picture
from harness.scenario.cells import Cell

MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
SIZE = (1024, 1024)


class References:
    """Reads or makes each picture once."""

    def __init__(self, files: Sequence[str] = (), mask_file: str | None = None) -> None:
        self._files = tuple(files)
        self._mask_file = mask_file
        self._read: dict[str, Picture] = {}

    def of(self, cell: Cell) -> tuple[tuple[Picture, ...], Picture | None]:
        """The reference images of a cell, and its mask."""
        if not cell.edits:
            return (), None
        if self._files:
            pictures = tuple(self._file(name) for name in self._files[: cell.reference_images])
        else:
            pictures = tuple(made_up(index) for index in range(cell.reference_images))
        if not cell.mask:
            return pictures, None
        return pictures, made_up_mask(_size_of(pictures[0])) if self._mask_file is None else self._file(self._mask_file)

    def prepare(self, cells: Iterable[Cell]) -> None:
        """Read or make everything that these cells need."""
        for cell in cells:
            self.of(cell)

    def bytes_of(self, cell: Cell) -> int:
        """What goes up with a cell, its mask included."""
        pictures, mask = self.of(cell)
        return sum(len(one.data) for one in (*pictures, *([] if mask is None else [mask])))

    def _file(self, name: str) -> Picture:
        if name not in self._read:
            path = Path(name)
            # Under a name of ours: the user's own may say what the picture shows.
            kind = MEDIA_TYPES[path.suffix.lower()]
            self._read[name] = Picture(f"reference-{len(self._read) + 1}{path.suffix.lower()}", kind, path.read_bytes())
        return self._read[name]


@cache
def made_up(index: int) -> Picture:
    """A photograph's weight without a photograph: a gradient with noise, about 2 MB as PNG; the same in every run."""
    import numpy as np
    from PIL import Image

    dice = np.random.default_rng(index)
    width, height = SIZE
    across = np.linspace(0, 200, width)[None, :, None] * np.array([1.0, 0.6, 0.3])
    noise = dice.integers(0, 32, size=(height, width, 3))
    pixels = (across + noise).clip(0, 255).astype("uint8")
    return Picture(f"reference-{index + 1}.png", "image/png", _png(Image.fromarray(pixels)))


@cache
def made_up_mask(size: tuple[int, int]) -> Picture:
    """A mask whose middle is transparent: there the edit may happen."""
    from PIL import Image

    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    width, height = size
    mask.paste((0, 0, 0, 0), (width // 4, height // 4, 3 * width // 4, 3 * height // 4))
    return Picture("mask.png", "image/png", _png(mask))


def _size_of(picture: Picture) -> tuple[int, int]:
    """Its width and height; of a file that is no picture, which the API is to refuse in its own words, ours."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture.data)) as opened:
            return opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return SIZE


def _png(image: object) -> bytes:
    from PIL.Image import Image

    assert isinstance(image, Image)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()
