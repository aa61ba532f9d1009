"""harness selftest"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness.cli.common import emit_json, format_option

if TYPE_CHECKING:
    from harness.conditions import ClockProof


@click.command("selftest")
@click.option("--at-once", default="1,16,64", show_default=True, metavar="N,N,…", help="Jobs at once, a line for each.")
@click.option("--tls/--no-tls", default=None, help="Over TLS as well [default: where trustme is installed].")
@click.option("--plain/--no-plain", default=True, show_default=True, help="Without TLS.")
@click.option("--keep/--no-keep", default=True, show_default=True, help="Keep the result for the conditions of runs.")
@format_option
def command(at_once: str, tls: bool | None, plain: bool, keep: bool, form: str) -> None:
    """Hold our clocks against a server that knows when it sent what. Loopback only; takes about a minute.

    Exit code 3 when a clock is further off than the documentation promises.
    """
    from harness.errors import ThresholdFailed, UsageProblem
    from harness.run.proofs import keep_proof
    from harness.selftest.proof import broken
    from harness.selftest.suite import can_certify, run_suite

    counts = _counts(at_once)
    secure = can_certify() if tls is None else tls
    if tls is None and not secure:
        print("TLS is left out: it needs pip install -e '.[selftest]'", file=sys.stderr)
    if not plain and not secure:
        raise UsageProblem("--no-plain leaves nothing to test without TLS: leave it out, or give --tls")
    proof = run_suite(counts, plain=plain, tls=secure, said=lambda line: print(line, file=sys.stderr))
    if keep:
        keep_proof(proof)
    if form == "json":
        emit_json(proof)
    else:
        _show(proof)
    worse = broken(proof)
    if worse:
        first = worse[0]
        raise ThresholdFailed(
            f"{len(worse)} of {len(proof.rows)} clocks are further off than promised: {first.clock}, {first.jobs} at "
            f"once, p99 {first.p99_ms:g} ms against {first.promised_ms:g} ms. Is something else busy on this machine?"
        )


def _counts(text: str) -> list[int]:
    from harness.errors import UsageProblem

    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or not all(1 <= count <= 1000 for count in counts):
        raise UsageProblem(f"--at-once {text}: give numbers from 1 to 1000 with commas between them, such as 1,16,64")
    return counts


def _show(proof: ClockProof) -> None:
    print(f"Our stamps minus the truth, in ms ({proof.stamp_source} stamps). Promised is the p99 of the error's size.")
    head: tuple[str, ...] = ("clock", "path", "at once", "stamps", "bias", "p99", "worst", "in interval", "promised")
    lines: list[tuple[str, ...]] = []
    for row in proof.rows:
        promised = "nothing" if row.promised_ms is None else f"{row.promised_ms:g} {'kept' if row.kept else 'BROKEN'}"
        figures = (f"{row.bias_ms:+.3f}", f"{row.p99_ms:.3f}", f"{row.worst_ms:.3f}", f"{row.inside:.1%}")
        path = "TLS" if row.tls else "plain"
        lines.append((row.clock, path, str(row.jobs), str(row.stamps), *figures, promised))
    lines.insert(0, head)
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        words, cells = line[:2], line[2:]
        left = "  ".join(word.ljust(width) for word, width in zip(words, widths, strict=False))
        right = "  ".join(word.rjust(width) for word, width in zip(cells, widths[2:], strict=True))
        print(f"{left}  {right}")
