"""A set of pairs that people are asked about, and the key that says which picture is which.

The key is ``rating-<id>.json`` in the run's folder and never leaves it. The same options give the same set: a sitting
that was broken off goes on where it stopped, even when the run has more images by now.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from harness.conditions import read_conditions
from harness.errors import UsageProblem
from harness.rating.gallery import LeftOut, open_gallery
from harness.rating.pairs import Pair, Picture, draw_pairs
from harness.rating.votes import Choice, Shown, Vote

SITTING_SCHEMA_VERSION = 1


class Sitting(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="rating"):
    """The key of one set of pairs."""

    schema_version: int = SITTING_SCHEMA_VERSION
    id: str
    run_id: str
    seed: int
    cells: tuple[str, ...]
    pairs: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...] = ()
    prompts: dict[str, str] = {}  # by hash; only where the scenario records them and they are to be shown

    @property
    def pictures(self) -> list[Picture]:
        return list(dict.fromkeys(picture for pair in self.pairs for picture in (pair.left, pair.right)))

    def vote(
        self, pair: Pair, chosen: Choice | None, took_ms: float | None, rater: str | None, voted_at: datetime
    ) -> Vote:
        """A vote on one of the pairs; `chosen` null takes the rater's last one back."""
        return Vote(
            sitting=self.id,
            pair=pair.name,
            left=Shown(job_id=pair.left.job_id, index=pair.left.index, cell=pair.left.cell),
            right=Shown(job_id=pair.right.job_id, index=pair.right.index, cell=pair.right.cell),
            block=pair.left.block,
            prompt_hash=pair.left.prompt_hash,
            chosen=chosen or "undone",
            took_ms=None if took_ms is None else round(took_ms, 1),
            rater=rater,
            voted_at=voted_at.isoformat(timespec="milliseconds"),
        )


def open_sitting(
    run_dir: Path, *, count: int | None, seed: int, cells: Sequence[str] = (), show_prompts: bool = False
) -> Sitting:
    """The set of pairs for these options: the one that is there, or a new one.

    Args:
        count: how many pairs; null is a sensible number.
        cells: patterns of cell names; none means all.

    Raises:
        UsageProblem: no images, an unknown cell, or nothing to compare.
    """
    run_id = read_conditions(run_dir).run_id
    asked = json.dumps([run_id, count, seed, sorted(cells), show_prompts])
    name = hashlib.sha256(asked.encode()).hexdigest()[:10]
    path = run_dir / f"rating-{name}.json"
    if path.exists():
        return read_sitting(run_dir, name)
    gallery = open_gallery(run_dir)
    known = sorted({picture.cell for picture in gallery.pictures})
    for pattern in cells:
        if not any(fnmatchcase(cell, pattern) for cell in known):
            raise UsageProblem(f"--cells {pattern}: fits none of the cells with images: {', '.join(known)}")
    chosen = [cell for cell in known if not cells or any(fnmatchcase(cell, pattern) for pattern in cells)]
    pairs = draw_pairs([picture for picture in gallery.pictures if picture.cell in chosen], count, seed)
    if not pairs:
        raise UsageProblem(
            f"{run_dir}: nothing to compare: no prompt has images of two cells in one block "
            f"(images of {len(chosen)} cells: {', '.join(chosen) or 'none'})"
        )
    sitting = Sitting(
        id=name,
        run_id=run_id,
        seed=seed,
        cells=tuple(chosen),
        pairs=pairs,
        left_out=gallery.left_out,
        prompts=gallery.prompts if show_prompts else {},
    )
    fresh = path.with_suffix(".json.tmp")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(sitting), indent=1) + b"\n")
    fresh.replace(path)
    return sitting


def read_sitting(run_dir: Path, name: str) -> Sitting:
    """The key of a set of pairs.

    Raises:
        UsageProblem: the run has no such set, or it cannot be read.
    """
    path = run_dir / f"rating-{name}.json"
    try:
        sitting = msgspec.json.decode(path.read_bytes(), type=Sitting)
    except FileNotFoundError:
        raise UsageProblem(f"{path}: not there; these votes belong to another run, or its key was deleted") from None
    except msgspec.DecodeError as error:
        raise UsageProblem(f"{path}: not the key of a rating ({error}); delete it to draw new pairs") from None
    if sitting.schema_version > SITTING_SCHEMA_VERSION:
        raise UsageProblem(f"{path}: schema version {sitting.schema_version}, this harness reads up to 1")
    return sitting
