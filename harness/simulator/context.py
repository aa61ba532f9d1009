"""What a fault is, and what it may look at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from harness.simulator.profiles import Timing
from harness.simulator.requests import Shape
from harness.simulator.script import Script

Options = dict[str, str]


@dataclass(frozen=True)
class Context:
    """What a fault may look at."""

    shape: Shape
    timing: Timing
    request_id: str
    options: Options

    def number(self, name: str, default: float) -> float:
        """A numeric option."""
        try:
            value = float(self.options.get(name, default))
        except ValueError:
            return default
        return value if math.isfinite(value) else default


Fault = Callable[[Script, Context], Script]
