"""httpx, raw stream: stamps on the loop, event ends found in raw bytes."""

from __future__ import annotations

import time

import httpx

from tests.bench.arms.common import BODY, Ends, Job, read_spec, run


def main() -> None:
    spec = read_spec()
    limits = httpx.Limits(max_connections=None)
    client = httpx.AsyncClient(timeout=None, limits=limits)

    async def one(job: Job) -> None:
        ends = Ends(job)
        async with client.stream("POST", spec.url, content=BODY, headers=spec.headers(job.id)) as answer:
            job.first_byte_ns = time.monotonic_ns()
            async for data in answer.aiter_raw():
                ends.feed(data, time.monotonic_ns())

    run(spec, one)


if __name__ == "__main__":
    main()
