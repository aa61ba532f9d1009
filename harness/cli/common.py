"""Options and output that several verbs share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.scenario import Scenario, load_scenario

scenario_argument = click.argument("scenario", type=click.Path(dir_okay=False, allow_dash=True))
run_argument = click.argument("run_dir", metavar="RUN", type=click.Path(file_okay=False, path_type=Path))
format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output on stdout."
)
time_scale_option = click.option(
    "--time-scale",
    type=click.FloatRange(min=1),
    help="How many times faster the world of an embedded API that is already running goes.",
)


def load(source: str, *, check_env: bool = True) -> Scenario:
    """A scenario from a file or from standard input."""
    return load_scenario("-" if source == "-" else Path(source), check_env=check_env)


def emit_json(value: Any) -> None:
    """One JSON document on stdout."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
