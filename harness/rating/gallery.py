"""The kept images of a run: which there are, which of them can be shown, and how all come to look alike.

A rater must not see from a picture's frame whose it is. So every picture is decoded and written anew: no metadata, one
file format for all, the pixels upright and in sRGB, in the middle of one canvas that is the same for all.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.conditions import EVENTS_FILE
from harness.errors import UsageProblem
from harness.journal_lines import read_events
from harness.kept import IMAGES_DIR, open_image
from harness.rating.pairs import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST_SIDE = 1024  # pixels; larger pictures are shown smaller

_NAME = re.compile(r"(?P<job>.+)-(?P<index>\d+)\.(?:png|jpeg|webp|gif)")


@dataclass(frozen=True)
class LeftOut:
    """A file of the folder that nobody is shown, and why."""

    file: str
    why: str


@dataclass(frozen=True)
class Gallery:
    """What can be shown. `prompts` holds, by hash, those texts that the scenario recorded."""

    pictures: tuple[Picture, ...]
    left_out: tuple[LeftOut, ...]
    prompts: dict[str, str]


def open_gallery(run_dir: Path) -> Gallery:
    """Look at every kept image of a run once.

    Raises:
        UsageProblem: the run kept no images, or has no journal.
    """
    folder = run_dir / IMAGES_DIR
    if not (run_dir / EVENTS_FILE).is_file():
        raise UsageProblem(f"{run_dir}: no {EVENTS_FILE} here; give a directory that `harness run` wrote")
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    if not names:
        raise UsageProblem(f"{folder}: no images here; only `harness run --keep-images` keeps what it gets")
    events = {event.job_id: event for event in read_events(run_dir / EVENTS_FILE)[0]}
    with ThreadPoolExecutor() as threads:
        problems = list(threads.map(lambda name: _problem(folder / name), names))
    pictures, left_out, prompts = [], [], {}
    for name, problem in zip(names, problems, strict=True):
        found = _NAME.fullmatch(name)
        event = events.get(found["job"]) if found else None
        if problem or found is None or event is None:
            left_out.append(LeftOut(name, problem or "no job of the journal belongs to it"))
            continue
        pictures.append(Picture(event.job_id, int(found["index"]), event.cell, event.block, event.prompt_hash, name))
        if event.prompt_text:
            prompts[event.prompt_hash] = event.prompt_text
    return Gallery(tuple(pictures), tuple(left_out), prompts)


def _problem(path: Path) -> str:
    try:
        _decode(path)
    except OSError as error:
        return f"cannot be decoded ({error.strerror or type(error).__name__})"
    return ""


def _decode(path: Path) -> Image:
    """The pixels, upright, in sRGB.

    Raises:
        OSError: it is no image that can be shown.
    """
    from PIL import ImageCms, ImageOps

    opened = open_image(path)
    try:
        picture = ImageOps.exif_transpose(opened)
        profile = opened.info.get("icc_profile")
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    except (ValueError, SyntaxError, EOFError) as error:
        raise OSError(str(error)) from None  # what Pillow raises for broken files is not all one family
    if profile:
        try:
            alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            turned = ImageCms.profileToProfile(picture.convert("RGB"), source, ImageCms.createProfile("sRGB"))
            if turned is not None:
                picture = turned
                if alpha is not None:
                    picture.putalpha(alpha)
        except (ImageCms.PyCMSError, OSError):
            pass  # a profile that cannot be read: browsers take such a picture for sRGB too
    return picture


class Framer:
    """Writes every picture of a set onto the same canvas.

    Raises:
        UsageProblem: a picture that the set was drawn with is gone.
    """

    def __init__(self, run_dir: Path, pictures: Sequence[Picture]) -> None:
        from PIL import Image

        self._folder = run_dir / IMAGES_DIR
        width = height = 1
        for name in {picture.file for picture in pictures}:
            try:
                with Image.open(self._folder / name) as opened:
                    turned = opened.getexif().get(0x0112, 1) >= 5
                    size = (opened.height, opened.width) if turned else opened.size
            except OSError as error:
                why = error.strerror or "no image any more"
                raise UsageProblem(
                    f"{self._folder / name}: {why}; a rating of this run needs it: put it back, or give another --seed"
                ) from None
            fitted = _fitted(size)
            width, height = max(width, fitted[0]), max(height, fitted[1])
        self.canvas = (width, height)

    def png(self, picture: Picture) -> bytes:
        """Without loss: for a browser on this machine."""
        out = io.BytesIO()
        self._framed(picture).save(out, "PNG", compress_level=1)
        return out.getvalue()

    def webp(self, picture: Picture) -> bytes:
        """Small enough for a page that holds all of them."""
        out = io.BytesIO()
        self._framed(picture).save(out, "WEBP", quality=92, method=3)
        return out.getvalue()

    def _framed(self, picture: Picture) -> Image:
        from PIL import Image

        pixels = _decode(self._folder / picture.file).convert("RGBA")
        # Every picture fits the canvas as largely as the others: how many pixels it had is not seen.
        scale = min(self.canvas[0] / pixels.width, self.canvas[1] / pixels.height)
        wanted = (max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale)))
        if wanted != pixels.size:
            pixels = pixels.resize(wanted, Image.Resampling.LANCZOS)
        canvas = Image.new("RGBA", self.canvas, (0, 0, 0, 0))
        canvas.paste(pixels, ((self.canvas[0] - wanted[0]) // 2, (self.canvas[1] - wanted[1]) // 2))
        return canvas


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, LONGEST_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
