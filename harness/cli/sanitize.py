"""harness sanitize"""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("sanitize")
@click.argument(
    "source", metavar="[FILE|-]", default="-", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write here instead of to stdout.")
@click.option("--report", is_flag=True, help="Say on stderr how many values of each kind were replaced; never which.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "har", "json", "jsonl", "text"]),
    default="auto",
    show_default=True,
    help="How to read the input.",
)
def command(source: str, out: Path | None, report: bool, form: str) -> None:
    """Take keys, prompts, images, people and addresses out of a HAR, a log or an error body.

    Request ids, timings, sizes, models, error codes and rate limits stay. The same value gets the same placeholder.
    What cannot be read is refused with exit code 5, and nothing comes out. It sends nothing.
    """
    from harness.packet.atomic import write_whole
    from harness.packet.unpacking import sanitize_bytes

    data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    done = sanitize_bytes(data, form=form)
    if out is not None:
        write_whole(out, done.text.encode("utf-8", "surrogatepass"), lambda _: None)
    else:
        sys.stdout.buffer.write(done.text.encode("utf-8", "surrogatepass"))
        sys.stdout.buffer.flush()
    if report:
        from harness.packet.unpacking import report_json

        sys.stderr.write(report_json(done))
