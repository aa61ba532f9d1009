"""Our own timeouts, each optional and each by name, so that it is never a riddle which of them fired."""

from __future__ import annotations

from dataclasses import dataclass

from harness.events import CapName


@dataclass(frozen=True)
class Caps:
    """Seconds of this machine's clock. None means: wait.

    connect counts from a place in the pool until TCP and TLS are done; first_byte from the last byte sent; idle from
    the last byte received; total from the attempt's start.
    """

    connect_s: float | None = None
    first_byte_s: float | None = None
    idle_s: float | None = None
    total_s: float | None = None

    def get(self, name: CapName) -> float | None:
        """The cap of that name; None for one that is not set, or not of this kind."""
        value: float | None = getattr(self, f"{name}_s", None)
        return value
