"""Made files behind links, for as long as the links work."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from harness.simulator.clock import SimClock


@dataclass(frozen=True)
class Stored:
    """One file."""

    data: bytes
    content_type: str


class Links:
    """Tokens and what lies behind them."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._files: dict[str, tuple[int, Stored]] = {}

    def put(self, data: bytes, content_type: str, ttl_s: float) -> str:
        """Keep a file for so many world seconds; its token."""
        now_ns = self._clock.now_ns()
        self._files = {token: entry for token, entry in self._files.items() if entry[0] > now_ns}
        token = uuid.uuid4().hex
        self._files[token] = (self._clock.moment_ns(now_ns, ttl_s), Stored(data, content_type))
        return token

    def get(self, token: str) -> Stored | None:
        """The file; None when the link has expired or never was."""
        expires_ns, stored = self._files.get(token, (0, None))
        return stored if expires_ns > self._clock.now_ns() else None
