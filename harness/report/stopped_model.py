"""What the report says of cells that were stopped early, as plain data."""

from __future__ import annotations

import msgspec

from harness.conditions import StoppedCell


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """The cells that had told enough, and what that saved. `usd_not_spent` by estimate; null: a price is not known."""

    confidence: float  # of all intervals here at once, at whatever moment they were looked at
    after_blocks: int
    intervals: int  # so many share what may go wrong
    cells: tuple[StoppedCell, ...]  # that stopped; empty: none did
    cells_in_all: int
    jobs_not_sent: int
    planned_jobs: int
    usd_not_spent: float | None
    planned_usd: float | None
