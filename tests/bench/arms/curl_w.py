"""`curl -w`, one job after the other: first byte and total as curl counts them, from its own start."""

from __future__ import annotations

import json
import subprocess
import time

from tests.bench.arms.common import BODY, Job, read_spec, tell


def main() -> None:
    spec = read_spec()
    jobs = []
    for number in range(spec.jobs):
        job = Job(f"{spec.seed}-{number}-{time.monotonic_ns():x}")
        headers = [part for name, value in spec.headers(job.id).items() for part in ("-H", f"{name}: {value}")]
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{json}", "-X", "POST", "--data-binary", "@-", *headers]
        told = json.loads(subprocess.run([*command, spec.url], input=BODY, capture_output=True, check=True).stdout)
        # curl states durations from a start that only it knows: they are compared as durations behind the headers.
        job.first_byte_ns = int(told["time_starttransfer"] * 1e9)
        job.events = [[0, int(told["time_total"] * 1e9)]]
        job.bytes = int(told["size_download"])
        jobs.append(job)
    tell(jobs, 0.0)


if __name__ == "__main__":
    main()
