"""A run's folder → what its kept images show. Two worker threads at most: the libraries let go of the lock, and a
decoded picture takes megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from harness.conditions import EVENTS_FILE, read_conditions
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.gallery import recode
from harness.gallery.flags import flags_of
from harness.gallery.model import Ocr, Picture, Pictures, Recoded, Recoding, Thresholds
from harness.gallery.ocr import Reader
from harness.journal_lines import read_events
from harness.kept import IMAGES_DIR, LETTERING_FILE, open_image, read_lettering

if TYPE_CHECKING:
    from PIL import Image

WORKERS = 2
RECODED_IMAGES = 12  # each takes about a second and a half
_NAME = re.compile(r"(?P<job>.+)-(?P<index>\d+)\.[a-z0-9]+")

Progress = Callable[[str], None]


def kept_files(run_dir: Path) -> list[Path]:
    """The files in images/ that may be images, by name. Links are not followed: they may lead anywhere."""
    folder = run_dir / IMAGES_DIR
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    return sorted(path for path in found if path.name != LETTERING_FILE and path.suffix != ".tmp")


def is_current(run_dir: Path, found: Pictures) -> bool:
    """Whether the kept files are still those that were looked at, by name and size."""
    files = {path.name: path.stat().st_size for path in kept_files(run_dir)}
    seen = {one.file: one.image_bytes for one in found.pictures}
    return len(files) == len(seen) + found.strangers and seen.items() <= files.items()


def look(
    run_dir: Path,
    *,
    language: str = "eng",
    recoded_images: int = RECODED_IMAGES,
    progress: Progress = lambda _: None,
) -> Pictures:
    """Look at every kept image of a run; nothing is written.

    Raises:
        UsageProblem: it is no run, it kept no images, or tesseract does not know the language.
    """
    run_id = read_conditions(run_dir).run_id
    files = kept_files(run_dir)
    if not files:
        raise UsageProblem(f"{run_dir / IMAGES_DIR}: no images; `harness run --keep-images` keeps them")
    events = {event.job_id: event for event in read_events(run_dir / EVENTS_FILE)[0]}
    lettering = read_lettering(run_dir / IMAGES_DIR)
    expects = any(event.prompt_hash in lettering for event in events.values())
    reader = Reader(language) if expects else None
    limits = Thresholds()
    progress(f"looking at {len(files)} kept images" + (" and reading their lettering" if expects else ""))
    with ThreadPoolExecutor(WORKERS) as pool:
        looked = list(pool.map(lambda path: _one(path, events, lettering, reader, limits), files))
        pictures = tuple(one for one in looked if one is not None)
        recoding = _recoding(run_dir / IMAGES_DIR, pictures, recoded_images, pool, progress)
    return Pictures(
        run_id=run_id,
        pictures=pictures,
        strangers=len(files) - len(pictures),
        thresholds=limits,
        ocr=_ocr(pictures, reader, language),
        recoding=recoding,
    )


def _one(
    path: Path,
    events: Mapping[str, JobEvent],
    lettering: Mapping[str, str],
    reader: Reader | None,
    limits: Thresholds,
) -> Picture | None:
    named = _NAME.fullmatch(path.name)
    event = events.get(named["job"]) if named else None
    if named is None or event is None:
        return None
    index = int(named["index"])
    image = opened(path)
    size = path.stat().st_size
    flags, share = flags_of(image, size, event.size, limits)
    expected = lettering.get(event.prompt_hash)
    reading = None
    if image is not None and expected and reader is not None and reader.can_read(expected):
        reading = reader.read(image, expected)
    return Picture(
        file=path.name,
        job_id=event.job_id,
        cell=event.cell,
        block=event.block,
        index=index,
        image_bytes=size,
        format=None if image is None else (image.format or "").lower(),
        width=None if image is None else image.width,
        height=None if image is None else image.height,
        asked_format=event.output_format,
        asked_compression=event.output_compression,
        asked_size=event.size,
        final_image_ms=event.final_image_ms,
        problems=event.images[index].problems if index < len(event.images) else (),
        flags=flags,
        flat_share=share,
        lettering_expected=bool(expected),
        reading=reading,
    )


def opened(path: Path) -> Image.Image | None:
    """The decoded image; None for what is none, or is too large to be one."""
    try:
        return open_image(path)
    except OSError:
        return None


def _ocr(pictures: tuple[Picture, ...], reader: Reader | None, language: str) -> Ocr:
    expected = sum(one.lettering_expected for one in pictures)
    read = sum(one.reading is not None for one in pictures)
    why = None if reader is None else reader.why
    if why is None and read < expected:
        why = f"{expected - read} could not be read: damaged, or in letters that --language {language} has not"
    version = None if reader is None else reader.version
    return Ocr(expected=expected, read=read, language=language, tesseract=version, why=why)


def _recoding(
    folder: Path, pictures: tuple[Picture, ...], most: int, pool: ThreadPoolExecutor, progress: Progress
) -> Recoding:
    form, usable = recode.originals(pictures)
    why = recode.missing()
    if why is None and not usable:
        why = "no image was kept as PNG, or at compression 100, to start from"
    if why is None and most < 1:
        why = "not asked for (--recode-images 0)"
    if why is not None:
        return Recoding(originals=len(usable), used=0, original_format=form, measured=(), why=why)
    chosen, levels = recode.spread(usable, most), recode.levels(pictures)
    progress(f"encoding {len(chosen)} of them again at {len(levels)} levels")

    def measure(one: Picture) -> list[Recoded]:
        image = opened(folder / one.file)
        if image is None:
            return []
        original = recode.opaque(image)
        return [_measured(one, original, format_, level) for format_, level in levels]

    rows = [row for found in pool.map(measure, chosen) for row in found]
    return Recoding(originals=len(usable), used=len(chosen), original_format=form, measured=tuple(rows), why=None)


def _measured(one: Picture, original: Image.Image, form: str, level: int) -> Recoded:
    import io

    from PIL import Image

    data = recode.encode(original, form, level)
    again = Image.open(io.BytesIO(data)).convert("RGB")
    return Recoded(
        file=one.file,
        format=form,
        level=level,
        recoded_bytes=len(data),
        original_bytes=one.image_bytes,
        ssim=round(recode.similarity(original, again), 5),
    )
