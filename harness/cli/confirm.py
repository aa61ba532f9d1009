"""Money of a call: a budget in place of the file's, and asking before it is spent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from harness.cli.common import Number
from harness.errors import Interrupted, UsageProblem

if TYPE_CHECKING:
    from harness.scenario import Scenario

CONFIRM_ABOVE_USD = 1.0


def confirm_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--yes` and `--confirm-above`."""
    command = click.option(
        "--confirm-above",
        type=Number(min=0),
        default=CONFIRM_ABOVE_USD,
        show_default=True,
        metavar="USD",
        help="Ask before a run that may cost more than this.",
    )(command)
    return click.option("--yes", is_flag=True, help="Do not ask, whatever it costs; budget.usd still holds.")(command)


def usd_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--usd`: a run that its budget stopped goes on with a larger one, and the file stays what it was."""
    return click.option(
        "--usd",
        type=Number(0, min_open=True),
        help="Spend no more than this, in place of the file's budget.usd; what a part in --out has spent counts.",
    )(command)


def with_usd(scenario: Scenario, usd: float | None) -> Scenario:
    """The scenario with this budget in US dollars; null leaves its own."""
    if usd is None:
        return scenario
    return scenario.model_copy(update={"budget": scenario.budget.model_copy(update={"usd": usd})})


def needs_confirmation(upper_usd: float | None, *, simulated: bool, above_usd: float = CONFIRM_ABOVE_USD) -> bool:
    """Whether a person should be asked. A price that is not known may be any."""
    return not simulated and (upper_usd is None or upper_usd > above_usd)


def confirm(upper_usd: float | None, *, simulated: bool, above_usd: float, yes: bool, what: str = "this run") -> None:
    """Ask on the terminal where it is due.

    Raises:
        UsageProblem: there is nobody to ask; nothing was sent.
        Interrupted: the answer was no.
    """
    if yes or not needs_confirmation(upper_usd, simulated=simulated, above_usd=above_usd):
        return
    sum_ = "an amount that is not known" if upper_usd is None else f"up to {upper_usd:.2f} USD"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageProblem(
            f"{what} may cost {sum_}, and nobody is here to be asked; nothing was sent. "
            f"Give --yes, or --confirm-above with a larger sum than {above_usd:g}."
        )
    if not click.confirm(f"{what} may cost {sum_}. Send it?", err=True):
        raise Interrupted("nothing was sent")
