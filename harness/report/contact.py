"""Kept images → what a report says of them: by cell, by compression level, and the contact sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from harness.estimate import Estimate
from harness.gallery import Picture, Pictures, kept_files, read_pictures
from harness.gallery.model import Recoded
from harness.report.contact_model import (
    CellPictures,
    ContactSheet,
    FlaggedPicture,
    LevelRow,
    PicturePart,
    SheetColumn,
    SheetImage,
    SheetRow,
)
from harness.report.jobs import estimate, none_if_nan, rounded
from harness.report.model import CellRow
from harness.stats import proportion, quantile, sample_floor
from harness.stats.bootstrap import draws, percentile_limits

MOST_THUMBS = 120
MOST_COLUMNS = 24
_MOST_FLAGGED = 20
_RESAMPLES = 2000

Labels = Mapping[str, tuple[str, str]]  # cell → route and shape


@dataclass(frozen=True)
class Kept:
    """What `harness pictures` found, and small pictures as data URIs by file."""

    found: Pictures
    thumbs: Mapping[str, str] = field(default_factory=dict)
    edge_px: int = 0


def read_kept(run_dir: Path) -> Kept | None:
    """What there is to show of a run's images; None when it kept none, or nobody looked at them yet."""
    there = {path.name for path in kept_files(run_dir)}
    found = read_pictures(run_dir) if there else None
    if found is None:
        return None
    from harness.gallery.thumbs import thumbnails

    rows = [[one.file for one in row.values() if one.file in there] for row in _chosen(found).values()]
    return Kept(found, *thumbnails(run_dir, rows))


def picture_part(kept: Kept, cells: Sequence[CellRow], jobs: pd.DataFrame) -> PicturePart:
    """The whole part, cells in the order of the report's table."""
    labels = {row.cell: (row.route, row.shape) for row in cells}
    return part_of(kept.found, labels, _sheet(kept, labels, jobs))


def part_of(found: Pictures, labels: Labels, sheet: ContactSheet | None) -> PicturePart:
    """Everything but the sheet from ``pictures.json`` alone; a cell without a label is called by its id."""
    limits, recoding = found.thresholds, found.recoding
    flagged = [one for one in found.pictures if one.flags]
    return PicturePart(
        cells=_cells(found, labels),
        flagged=tuple(
            FlaggedPicture(
                file=one.file,
                route=_label(labels, one.cell)[0],
                shape=_label(labels, one.cell)[1],
                block=one.block,
                flags=one.flags,
            )
            for one in flagged[:_MOST_FLAGGED]
        ),
        strangers=found.strangers,
        thresholds=(
            f"blank: all pixels of one colour (within {limits.flat_level} of 255); "
            f"nearly blank: {100 * limits.near_blank_share:g} % of them",
            f"small: an edge under {limits.small_px} px",
            f"few bytes: under {limits.few_bytes_per_megapixel / 1000:g} kB a megapixel",
            "wrong size: not the one that was asked for",
        ),
        tesseract=found.ocr.tesseract,
        language=found.ocr.language,
        lettering_why=found.ocr.why,
        levels=_levels(recoding.measured, found.pictures),
        level_images=recoding.used,
        level_originals=recoding.originals,
        original_format=recoding.original_format,
        levels_why=recoding.why,
        sheet=sheet,
    )


def _label(labels: Labels, cell: str) -> tuple[str, str]:
    return labels.get(cell, ("", cell))


def _ordered(found: Pictures, labels: Labels) -> list[str]:
    places = {cell: place for place, cell in enumerate(labels)}
    return sorted({one.cell for one in found.pictures}, key=lambda cell: (places.get(cell, len(places)), cell))


def _cells(found: Pictures, labels: Labels) -> tuple[CellPictures, ...]:
    rows = []
    for cell in _ordered(found, labels):
        images = [one for one in found.pictures if one.cell == cell]
        read = [(one.block, one.reading) for one in images if one.reading is not None]
        blocks = [block for block, _ in read]
        right = proportion(sum(reading.char_accuracy == 1 for _, reading in read), len(read))
        route, shape = _label(labels, cell)
        rows.append(
            CellPictures(
                cell=cell,
                route=route,
                shape=shape,
                images=len(images),
                flagged=sum(bool(one.flags) for one in images),
                flags=dict(sorted(Counter(flag for one in images for flag in one.flags).items())),
                problems=sum(bool(one.problems) for one in images),
                image_kb_p50=estimate(quantile([one.image_bytes for one in images], 0.5), 1000),
                lettering_expected=sum(one.lettering_expected for one in images),
                lettering_right=Estimate(
                    value=rounded(right.share, 4), low=rounded(right.low, 4), high=rounded(right.high, 4), n=right.n
                ),
                char_accuracy=_mean([reading.char_accuracy for _, reading in read], blocks),
                word_accuracy=_mean([reading.word_accuracy for _, reading in read], blocks),
            )
        )
    return tuple(rows)


def _mean(values: Sequence[float], blocks: Sequence[int]) -> Estimate:
    """A mean, with a percentile interval of resampled blocks from as many images on as a median needs.

    Values that are all the same have no interval: resamples of them would claim to know it to the last digit.
    """
    n, floor = len(values), sample_floor(0.5)
    if n == 0:
        return Estimate(value=None)
    samples = np.asarray(values)
    low = high = None
    _, cluster = np.unique(blocks, return_inverse=True)
    clusters = int(cluster.max()) + 1
    if n >= floor and clusters > 1 and samples.min() < samples.max():
        weights = np.concatenate([drawn[:, cluster] for drawn in draws(clusters, _RESAMPLES, 1, n)])
        means = (weights @ samples) / weights.sum(axis=1)
        low, high = percentile_limits(means, means, 0.95, clusters, clusters < n)
    return Estimate(
        value=rounded(float(samples.mean()), 4),
        low=rounded(low, 4),
        high=rounded(high, 4),
        n=n,
        thin=n < floor,
        floor=floor,
    )


def _levels(measured: Sequence[Recoded], pictures: Sequence[Picture]) -> tuple[LevelRow, ...]:
    asked = {(one.asked_format, one.asked_compression) for one in pictures}
    at_100 = {(one.file, one.format): one.recoded_bytes for one in measured if one.level == 100}
    rows = []
    for form, level in dict.fromkeys((one.format, one.level) for one in measured):
        these = [one for one in measured if (one.format, one.level) == (form, level)]
        of_original = np.array([one.recoded_bytes / one.original_bytes for one in these])
        of_100 = np.array([one.recoded_bytes / at_100[one.file, form] for one in these])
        similar = np.array([one.ssim for one in these])
        rows.append(
            LevelRow(
                format=form,
                level=level,
                asked=(form, level) in asked,
                n=len(these),
                of_original=round(float(np.median(of_original)), 4),
                of_original_low=round(float(of_original.min()), 4),
                of_original_high=round(float(of_original.max()), 4),
                of_100=None if level == 100 else round(float(np.median(of_100)), 4),
                of_100_low=None if level == 100 else round(float(of_100.min()), 4),
                of_100_high=None if level == 100 else round(float(of_100.max()), 4),
                ssim=round(float(np.median(similar)), 4),
                ssim_low=round(float(similar.min()), 4),
            )
        )
    return tuple(rows)


def _chosen(found: Pictures) -> dict[int, dict[str, Picture]]:
    """Block → cell → the first image of an answer, for blocks from every part of the run and as many cells as fit."""
    columns = _ordered(found, {})[:MOST_COLUMNS]
    table: dict[int, dict[str, Picture]] = {}
    for one in sorted(found.pictures, key=lambda one: (one.block, one.index)):
        if one.cell in columns:
            table.setdefault(one.block, {}).setdefault(one.cell, one)
    most = max(1, MOST_THUMBS // max(1, len(columns)))
    blocks = list(table)
    kept = min(most, len(blocks))
    return {block: table[block] for block in (blocks[place * len(blocks) // kept] for place in range(kept))}


def _sheet(kept: Kept, labels: Labels, jobs: pd.DataFrame) -> ContactSheet | None:
    found = kept.found
    chosen = _chosen(found)
    # A row that found no room in the budget of bytes has no small picture at all.
    rows = {block: row for block, row in chosen.items() if any(one.file in kept.thumbs for one in row.values())}
    if not rows:
        return None
    present = {cell for row in rows.values() for cell in row}
    columns = [cell for cell in _ordered(found, labels) if cell in present]
    first = jobs.drop_duplicates("block").set_index("block")
    prompts = list(dict.fromkeys(first["prompt_hash"].sort_index()))
    shown = sum(len(row) for row in rows.values())
    blocks = {one.block for one in found.pictures}
    return ContactSheet(
        columns=tuple(
            SheetColumn(cell=cell, route=_label(labels, cell)[0], shape=_label(labels, cell)[1]) for cell in columns
        ),
        rows=tuple(
            SheetRow(
                block=block,
                prompt=1 + prompts.index(first.at[block, "prompt_hash"]) if block in first.index else 0,
                complexity=none_if_nan(first.at[block, "prompt_complexity"]) if block in first.index else None,
                images=tuple(_image(row.get(cell), kept.thumbs) for cell in columns),
            )
            for block, row in rows.items()
        ),
        prompts=len(prompts),
        blocks=len(blocks),
        images=len(found.pictures),
        shown=shown,
        edge_px=kept.edge_px,
        left_out=_left_out(found, rows, len(columns), shown, len(blocks)),
    )


def _image(one: Picture | None, thumbs: Mapping[str, str]) -> SheetImage | None:
    if one is None:
        return None
    return SheetImage(
        file=one.file,
        job_id=one.job_id,
        thumb=thumbs.get(one.file),
        image_bytes=one.image_bytes,
        format=one.format,
        width=one.width,
        height=one.height,
        final_image_ms=rounded(one.final_image_ms),
        problems=one.problems,
        flags=one.flags,
        char_accuracy=None if one.reading is None else one.reading.char_accuracy,
    )


def _left_out(
    found: Pictures, rows: Mapping[int, Mapping[str, Picture]], columns: int, shown: int, blocks: int
) -> str | None:
    if shown == len(found.pictures):
        return None
    words = []
    if len(rows) < blocks:
        words.append(f"{len(rows)} of {blocks} blocks, evenly over the run")
    cells = len({one.cell for one in found.pictures})
    if columns < cells:
        words.append(f"{columns} of {cells} cells")
    if any(one.index for one in found.pictures):
        words.append("the first image of each answer")
    return f"Shown are {shown} of {len(found.pictures)} kept images: {', '.join(words)}."
