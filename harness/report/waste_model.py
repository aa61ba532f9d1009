"""What was paid, or may have been, and brought nothing, as plain data."""

from __future__ import annotations

import msgspec


class WasteRow(msgspec.Struct, frozen=True, kw_only=True):
    """One kind on one route."""

    route: str
    kind: str  # orphan, duplicate, unseen, gateway_retry
    generations: int  # that may have been made
    proven: int | None  # of them at least made for certain, by the backend's own record; null where it is silent
    usd: float | None  # at list price; null where a price is not known
