"""The command line: one file a verb, imported when it is called. No logic here."""

from __future__ import annotations

from importlib import import_module

import click

from harness import __version__
from harness.errors import EXIT_CODES

VERBS: dict[str, str] = {
    "ping": "Send one job and draw its waterfall.",
    "plan": "Show matrix, order, time and cost of a scenario; opens no connection.",
    "run": "Run a scenario into a journal, or go on with one.",
    "sweep": "Find how many requests at a time a route takes without a 429.",
    "drill": "Break a route under each policy, and measure what users would see.",
    "chain": "Say which timeouts on a route will cut what, before paying and after.",
    "hops": "Say at which hop of a chain delay or failure appears.",
    "layers": "List, search and explain the layers that are known to give up.",
    "links": "Fetch a run's result links again when they are due; made for cron.",
    "diagnose": "Say whether jobs were slow or falsely timed out, and by which layer.",
    "pictures": "Look at kept images: flags, lettering, what compression does.",
    "rate": "Ask people which of two pictures is better, blind; scores go into the report.",
    "report": "Write summary.json and one self-contained report.html.",
    "recommend": "Say which tier to use for what, with its timeout, concurrency and monthly cost.",
    "compare": "Compare two runs cell by cell, and say whether the second is worse.",
    "export": "Write events as Parquet, CSV, HAR 1.2 or OTLP JSON for other tools.",
    "sanitize": "Take keys, prompts, people and addresses out of a HAR, a log or an error body.",
    "whatif": "Say what retrying, hedging, falling back or streaming would do; sends nothing.",
    "shrink": "Find the smallest request that still shows a job's verdict, within a budget.",
    "packet": "Write, preview or verify a sanitized escalation packet.",
    "selftest": "Prove our own clocks against a server that knows the truth.",
    "simulate": "Serve the embedded image API on loopback.",
}

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())


class _Lazy(click.Group):
    """Imports a verb when it is called, so that --help starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"harness.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            close = get_close_matches(args[0], VERBS, 1)
            if close:
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs, in the order of work"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=_Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Tells slow from falsely timed out: latency diagnosis for image-generation APIs."""
