"""A run with kept images, in which every cell's picture has a colour of its own, a file format and some metadata."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from harness.events import JobEvent
from tests.report.build_run import Run, job, of_events

QUALITIES = ("low", "medium", "high")
FORMATS = {"low": "jpeg", "medium": "png", "high": "webp"}
SIDE = {"low": 64, "medium": 96, "high": 128}
WORDS = ("secretroute", "planted-words")  # in names and metadata: nothing of it may reach a rater


def a_run(directory: Path, blocks: int = 6, prompts: int = 2) -> Path:
    """Three cells, `prompts` prompts in each block, one image a job; written with its images."""
    events: list[JobEvent] = []
    for block in range(blocks):
        for prompt in range(prompts):
            for quality in QUALITIES:
                number = len(events)
                events.append(
                    job(
                        number,
                        route=WORDS[0],
                        quality=quality,
                        block=block,
                        prompt_hash=f"hash{prompt}",
                        seconds={"low": 5, "medium": 25, "high": 100}[quality] + 0.1 * number,
                        prompt_text=f"a <b>cat</b> & {prompt}",
                    )
                )
    run: Run = of_events(events)
    run.write(directory)
    images = directory / "images"
    images.mkdir()
    for event in events:
        draw_image(images, event, 0)
    return directory


def draw_image(folder: Path, event: JobEvent, index: int) -> Path:
    quality = str(event.quality)
    dice = random.Random(f"{event.job_id} {index}")
    side = SIDE[quality]
    picture = Image.new("RGB", (side, side), tuple(dice.randrange(256) for _ in range(3)))
    ImageDraw.Draw(picture).ellipse((side // 4, side // 4, side // 2, side // 2), fill=(255, 255, 255))
    path = folder / f"{event.job_id}-{index}.{FORMATS[quality]}"
    told = PngInfo()
    told.add_text("Comment", WORDS[1])
    exif = Image.Exif()
    exif[0x010E] = WORDS[1]
    picture.save(path, FORMATS[quality].upper(), pnginfo=told, exif=exif)
    return path
