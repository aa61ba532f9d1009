"""Options that put another load on a scenario than its file says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from harness.errors import UsageProblem
from harness.scenario import Scenario

_SHAPES = {"concurrency": (), "rate": ("arrivals", "max_in_flight", "when_full"), "batch": ("gap",)}


def load_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--concurrency`, `--rate`, `--batch` and what goes with them, collected as `load_given`."""
    options = [
        click.option("--concurrency", type=int, help="Jobs under way at the same time, whatever the file says."),
        click.option("--rate", metavar="JOBS/TIME", help="Jobs that become due, whatever is under way: 6/1m."),
        click.option("--arrivals", type=click.Choice(["constant", "poisson"]), help="Of a rate: even, or at random."),
        click.option("--max-in-flight", type=int, help="Of a rate: jobs under way at most."),
        click.option(
            "--when-full",
            type=click.Choice(["wait", "drop"]),
            help="Of a rate: send late, or never, what finds no place.",
        ),
        click.option("--batch", type=int, help="So many at once, the next when all are over."),
        click.option("--gap", metavar="TIME", help="Of batches: the rest between two."),
        click.option("--respect-limits", is_flag=True, default=None, help="Wait as long as a 429 asks for."),
    ]

    def collected(**given: Any) -> Any:
        names = [
            "concurrency", "rate", "arrivals", "max_in_flight", "when_full", "batch", "gap", "respect_limits",
        ]  # fmt: skip
        picked = {name: value for name in names if (value := given.pop(name)) is not None}
        return command(load_given=picked, **given)

    collected.__name__, collected.__doc__ = command.__name__, command.__doc__
    decorated: Callable[..., Any] = collected
    decorated.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def with_load(scenario: Scenario, given: dict[str, Any]) -> Scenario:
    """The scenario with these fields of `load` on top of its own. Another shape takes the file's away.

    Raises:
        UsageProblem: they are out of range or do not go together; names the option.
    """
    if not given:
        return scenario
    from pydantic import ValidationError

    from harness.scenario.load_checks import faults
    from harness.scenario.loads import Load
    from harness.scenario.words import Mistake

    written = scenario.load.model_dump(include=scenario.load.model_fields_set)
    shape = next((name for name in _SHAPES if name in given), None)
    if shape is not None:
        for other, fields in _SHAPES.items():
            for name in (other, *fields) if other != shape else ():
                if name not in given:
                    written.pop(name, None)
        if "ramp" in written:
            written.pop("ramp")
    merged = written | given
    for name, wrong, fix in faults(merged):
        raise UsageProblem(f"--{name.replace('_', '-')}: {wrong}; {fix}")
    try:
        load = Load.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        words = f"{cause}" if isinstance(cause, Mistake) else first["msg"]
        fix = f"; {cause.fix}" if isinstance(cause, Mistake) else ""
        raise UsageProblem(f"--{str(first['loc'][0]).replace('_', '-')}: {words}{fix}") from None
    return scenario.model_copy(update={"load": load})
