"""The self-test: rounds at several concurrencies, plain and TLS, and what they prove."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from harness import __version__
from harness.conditions import ClockProof, ProofRow
from harness.errors import UsageProblem
from harness.selftest.drive import Certificate, Round, drive, truth_server
from harness.selftest.proof import CLOCKS, errors_of, row_of
from harness.selftest.truth import Plan

CONCURRENCIES = (1, 16, 64)
PLAN = Plan(events=3, bytes=400_000, gap_ms=80.0)
JOBS = 102  # at least, in each line: enough for a p99 of each job's one first byte


def run_suite(
    concurrencies: Sequence[int], *, plain: bool, tls: bool, said: Callable[[str], None] = lambda _: None
) -> ClockProof:
    """Run it; `said` hears what is being done.

    Raises:
        UsageProblem: TLS is asked for and the library that makes certificates is not installed.
    """
    rows: list[ProofRow] = []
    kernel = True
    for secure in [False] * plain + [True] * tls:
        with certified(secure=secure) as certificate, truth_server(certificate) as server:
            for at_once in concurrencies:
                jobs = max(JOBS, at_once)
                said(f"{'TLS' if secure else 'plain'}: {jobs} jobs, {at_once} at once")
                driven = drive(server, Round(jobs, at_once, PLAN, spread_s=min(1.0, at_once / 16), tls=secure))
                kernel = kernel and all(seen.kernel for seen in driven.seen)
                errors = errors_of(driven, server.truth())
                rows += [row_of(clock, at_once, secure, errors[clock], kernel=kernel) for clock in CLOCKS]
    return ClockProof(
        measured_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        harness=__version__,
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        stamp_source="kernel" if kernel else "user",
        rows=tuple(rows),
    )


def can_certify() -> bool:
    """Whether the library that makes the TLS server's certificate is here."""
    return importlib.util.find_spec("trustme") is not None


@contextlib.contextmanager
def certified(*, secure: bool) -> Iterator[Certificate | None]:
    """A certificate for the loopback that nobody else trusts, gone with the context."""
    if not secure:
        yield None
        return
    if not can_certify():
        raise UsageProblem("the TLS part makes a certificate with trustme: pip install -e '.[selftest]'")
    import trustme

    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        names = [str(Path(folder) / name) for name in ("cert.pem", "key.pem", "authority.pem")]
        issued.cert_chain_pems[0].write_to_path(names[0])
        issued.private_key_pem.write_to_path(names[1])
        authority.cert_pem.write_to_path(names[2])
        yield Certificate(*names)
