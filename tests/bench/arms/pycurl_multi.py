"""libcurl's multi interface: stamps in its callbacks, without asyncio."""

from __future__ import annotations

import random
import time

import pycurl

from tests.bench.arms.common import BODY, Ends, Job, Spec, read_spec, tell


def handle(spec: Spec, job: Job) -> pycurl.Curl:
    ends = Ends(job)

    def header(_: bytes) -> None:
        job.first_byte_ns = job.first_byte_ns or time.monotonic_ns()

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, spec.url)
    curl.setopt(pycurl.POSTFIELDS, BODY.decode())
    curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in spec.headers(job.id).items()])
    curl.setopt(pycurl.HEADERFUNCTION, header)
    curl.setopt(pycurl.WRITEFUNCTION, lambda data: ends.feed(data, time.monotonic_ns()))
    curl.setopt(pycurl.BUFFERSIZE, 256 * 1024)
    return curl


def main() -> None:
    spec = read_spec()
    jobs = [Job(f"{spec.seed}-{number}-{random.getrandbits(48):x}") for number in range(spec.jobs)]
    waiting = sorted(zip(spec.starts(), range(spec.jobs), strict=True), reverse=True)
    multi = pycurl.CurlMulti()
    began, before, running = time.monotonic(), time.process_time(), 0
    handles = []
    while waiting or running:
        while waiting and waiting[-1][0] <= time.monotonic() - began:
            handles.append(handle(spec, jobs[waiting.pop()[1]]))
            multi.add_handle(handles[-1])
        _, running = multi.perform()
        left = waiting[-1][0] - (time.monotonic() - began) if waiting else 0.5
        if running:
            multi.select(max(min(left, 0.5), 0.0005))
        elif waiting:
            time.sleep(max(left, 0))
    tell(jobs, time.process_time() - before)


if __name__ == "__main__":
    main()
