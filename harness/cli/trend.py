"""harness trend"""

from __future__ import annotations

import time
from pathlib import Path

import click

from harness.cli.common import emit_json, format_option
from harness.errors import UsageProblem


@click.command("trend")
@click.argument("history", type=click.Path(file_okay=False, path_type=Path))
@click.option("--since", metavar="PERIOD", help="Only the last 24h, 7d, 30d …; without it everything.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the page goes.  "
              "[default: HISTORY/trend.html]")  # fmt: skip
@click.option("--no-page", is_flag=True, help="Write no page.")
@format_option
def command(history: Path, since: str | None, out: Path | None, no_page: bool, form: str) -> None:
    """Show what `harness watch` has seen in HISTORY, and write one self-contained page of it.

    For each cell p50 and p95 over time with intervals, the share of jobs with an image, what an image cost, and where
    the level changed; what is usual at which hour and on which weekday; and how the alerts stand. Opens no connection.
    """
    from harness.history.text import CELL_COLUMNS, cell_rows, trend_lines
    from harness.history.trend import read_trend
    from harness.watching.schedule import period

    trend = read_trend(history, None if since is None else time.time() - period(since, "--since"))
    if not no_page:
        from harness.history.page import write_page

        target = out or history / "trend.html"
        try:
            write_page(trend, target)
        except OSError as error:
            raise UsageProblem(f"{target}: cannot be written ({error.strerror}); give another --out") from None
        click.echo(f"page: {target}", err=True)
    if form == "json":
        emit_json(trend)
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title=f"{trend.watch.scenario}: {trend.jobs} jobs", title_justify="left")
    for column in CELL_COLUMNS:
        table.add_column(column, overflow="fold")
    for row in cell_rows(trend):
        table.add_row(*row)
    console.print(table)
    for line in trend_lines(trend):
        console.print(line, markup=False, soft_wrap=True)
