"""Latency diagnosis of image-generation APIs. Public names over a run that was measured; see docs/api.md.

They are got when first asked for: to import this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import Beyond, Curve, Effect, Proportion, Quantile, Run, adjusted, load_run, query_runs, told
    from harness.errors import HarnessError, UsageProblem

__version__ = "0.1.0"
__all__ = [
    "Beyond",
    "Curve",
    "Effect",
    "HarnessError",
    "Proportion",
    "Quantile",
    "Run",
    "UsageProblem",
    "__version__",
    "adjusted",
    "load_run",
    "query_runs",
    "told",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = "errors" if name in ("HarnessError", "UsageProblem") else "api"
    return getattr(import_module(f"{__name__}.{room}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
