"""aiohttp: stamps on the loop, event ends found in raw bytes."""

from __future__ import annotations

import time

import aiohttp

from tests.bench.arms.common import BODY, Ends, Job, read_spec, run


def main() -> None:
    spec = read_spec()
    sessions: list[aiohttp.ClientSession] = []

    async def one(job: Job) -> None:
        if not sessions:
            timeout = aiohttp.ClientTimeout(total=None)
            sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout))
        ends = Ends(job)
        async with sessions[0].post(spec.url, data=BODY, headers=spec.headers(job.id)) as answer:
            job.first_byte_ns = time.monotonic_ns()
            async for data in answer.content.iter_any():
                ends.feed(data, time.monotonic_ns())

    run(spec, one)


if __name__ == "__main__":
    main()
