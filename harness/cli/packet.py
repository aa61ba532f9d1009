"""harness packet"""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import UsageProblem

_ACTS = ("preview", "verify")


@click.command("packet", options_metavar="[OPTIONS]")
@click.argument("words", metavar="[preview|verify] RUN|FILE", nargs=-1, required=True)
@click.option("--job", "job_id", help="The job that the packet is about (default: the most telling one).")
@click.option("--worst", "take_worst", is_flag=True, help="The job that was waited for longest, of those not ok.")
@click.option(
    "--verdict", metavar="NAME", help="A job of this verdict: the most telling one, or with --worst the worst."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The zip (default: RUN/packet.zip).")
@click.option("--preview", "show", is_flag=True, help="As `packet preview RUN`.")
@click.option("--verify", "check", is_flag=True, help="As `packet verify FILE`.")
def command(
    words: tuple[str, ...],
    job_id: str | None,
    take_worst: bool,
    verdict: str | None,
    out: Path | None,
    show: bool,
    check: bool,
) -> None:
    """Write a sanitized escalation packet of a diagnosed RUN. It sends nothing.

    \b
    harness packet RUN           writes RUN/packet.zip
    harness packet preview RUN   prints exactly the bytes that would leave, and writes nothing
    harness packet verify FILE   checks a packet that was received; needs nothing but the file

    A RUN is a directory of `harness run`, or of `harness diagnose LOGS --out`. What `harness shrink` found is taken
    along. A leak scan over the final bytes refuses with exit code 5 and writes nothing when anything secret is left.
    """
    from harness.packet import preview, verify_packet, write_packet

    path, act = _parsed(words, show, check)
    if not path.exists():
        raise UsageProblem(f"{path}: is not there")
    if act == "verify":
        print(f"verified: {verify_packet(path)}")
        return
    job_id = _picked(path, job_id, take_worst, verdict)
    if act == "preview":
        print(preview(path, job_id))
    else:
        print(f"packet: {write_packet(path, out, job_id)}")


def _parsed(words: tuple[str, ...], show: bool, check: bool) -> tuple[Path, str]:
    """The path, and what to do with it: a verb before it or an option behind it says so."""
    said = {name for name, given in zip(_ACTS, (show, check), strict=True) if given}
    if len(words) == 2 and words[0] in _ACTS:
        said.add(words[0])
    elif len(words) != 1:
        raise UsageProblem("give one RUN, `preview RUN`, or `verify FILE`")
    if len(said) > 1:
        raise UsageProblem("preview and verify are two things: one at a time")
    return Path(words[-1]), next(iter(said), "write")


def _picked(run_dir: Path, job_id: str | None, take_worst: bool, verdict: str | None) -> str | None:
    if job_id is not None and (take_worst or verdict is not None):
        raise UsageProblem("--job names one job: leave --worst and --verdict out")
    if not take_worst and verdict is None:
        return job_id
    from harness.packet.choose import choose, worst
    from harness.packet.inputs import read_inputs

    inputs = read_inputs(run_dir)
    return (worst(inputs, verdict) if take_worst else choose(inputs, verdict=verdict)).job_id
