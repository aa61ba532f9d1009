"""Small pictures for a page: WebP as data URIs, all of them together within a budget of bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.gallery.look import WORKERS, opened
from harness.gallery.recode import opaque
from harness.kept import IMAGES_DIR

BUDGET_BYTES = 1_200_000  # of base64 text
MOST = 120
# Longest edge and WebP quality: smaller ones when the larger do not fit.
_SIZES = ((256, 72), (192, 64), (144, 56))


def thumbnails(
    run_dir: Path, groups: Sequence[Sequence[str]], budget: int = BUDGET_BYTES
) -> tuple[Mapping[str, str], int]:
    """Data URIs by file, and their longest edge in px.

    A group (a row of the page) comes as a whole or not at all, and the first groups come first. Files that are no
    images are passed over.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        made: dict[str, str] = {}
        edge, quality = _SIZES[0]
        for edge, quality in _SIZES:
            flat = [file for group in groups for file in group]
            drawn = pool.map(lambda file: _one(run_dir / IMAGES_DIR / file, edge, quality), flat)  # noqa: B023
            made = {file: uri for file, uri in zip(flat, drawn, strict=True) if uri is not None}
            if sum(map(len, made.values())) <= budget:
                return made, edge
    kept: dict[str, str] = {}
    for group in groups:
        row = {file: made[file] for file in group if file in made}
        if sum(map(len, kept.values())) + sum(map(len, row.values())) > budget:
            break
        kept.update(row)
    return kept, edge


def _one(path: Path, edge: int, quality: int) -> str | None:
    image = opened(path)
    if image is None:
        return None
    small = opaque(image)
    small.thumbnail((edge, edge))
    out = io.BytesIO()
    small.save(out, "WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
