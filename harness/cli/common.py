"""Options and output that several verbs share."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.scenario import Scenario, load_scenario


class Number(click.FloatRange):
    """A number within a range. "nan" is within every range for a comparison, and "inf" bounds nothing."""

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found: float = super().convert(value, param, ctx)  # type: ignore[arg-type]  # text, as from a command line
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a number to count with", param, ctx)
        return found


scenario_argument = click.argument("scenario", type=click.Path(dir_okay=False, allow_dash=True))
run_argument = click.argument("run_dir", metavar="RUN", type=click.Path(file_okay=False, path_type=Path))
format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output on stdout."
)
time_scale_option = click.option(
    "--time-scale",
    type=Number(min=1),
    help="How many times faster the world of an embedded API that is already running goes.",
)


class Share(click.ParamType[float]):
    """5% → 0.05."""

    name = "share"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d{1,2}(?:\.\d+)?)\s*%", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not a share in percent; write 5%", param, ctx)
        return float(found[1]) / 100


def min_effect_option(help_: str) -> Callable[[Any], Any]:
    """`--min-effect 5%`, handed on as `min_effect`, a share."""
    return click.option("--min-effect", type=Share(), default="5%", show_default=True, help=help_)


def allow_option(help_: str) -> Callable[[Any], Any]:
    """`--allow FIELD`, as often as wanted: what may differ between runs. Handed on as `allow`, a tuple of names."""
    return click.option("--allow", metavar="FIELD", multiple=True, help=help_)


def document_format_option(help_: str) -> Callable[[Any], Any]:
    """`--format` of a verb whose answer is also worth pasting into a page. Handed on as `form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json", "markdown"]),
        default="text",
        show_default=True,
        help=help_,
    )


def load(source: str, *, check_env: bool = True) -> Scenario:
    """A scenario from a file or from standard input."""
    return load_scenario("-" if source == "-" else Path(source), check_env=check_env)


def emit_json(value: Any) -> None:
    """One JSON document on stdout."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
