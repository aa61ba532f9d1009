"""Our own receive path, under the SDK, as a run uses it; JSON and base64 decoding included and told apart."""

from __future__ import annotations

from harness.selftest.drive import Certificate, Round, TruthServer, drive
from harness.selftest.truth import Plan
from tests.bench.arms.common import Job, read_spec, tell


def main() -> None:
    spec = read_spec()
    certificate = Certificate("", "", spec.ca_file) if spec.ca_file else None
    what = Round(
        spec.jobs, spec.jobs, Plan(**spec.plan), spec.spread_s, bool(certificate), blocked=spec.blocked, seed=spec.seed
    )
    driven = drive(TruthServer(spec.port, certificate), what)
    jobs = [
        Job(
            seen.id,
            seen.first_byte.ns,
            [[first.ns, whole.ns] for first, whole in seen.events],
            seen.bytes_down,
        )
        for seen in driven.seen
    ]
    tell(jobs, driven.cpu_s, driven.decode_cpu_s)


if __name__ == "__main__":
    main()
