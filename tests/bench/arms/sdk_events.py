"""The official SDK as its users write it: stamps where it yields its events. First byte is when it gives the stream."""

from __future__ import annotations

import base64
import time

import openai

from tests.bench.arms.common import Job, read_spec, run


def main() -> None:
    spec = read_spec()
    client = openai.AsyncOpenAI(api_key="sk-sim-test", base_url=spec.base_url, max_retries=0)

    async def one(job: Job) -> None:
        stream = await client.images.generate(
            model="gpt-image-2", prompt="truth", stream=True, partial_images=2, extra_headers=spec.headers(job.id)
        )
        job.first_byte_ns = time.monotonic_ns()
        async for event in stream:
            now = time.monotonic_ns()
            job.events.append([now, now])
            job.bytes += len(event.b64_json)
            if event.type.endswith(".completed"):
                base64.b64decode(event.b64_json)

    run(spec, one)


if __name__ == "__main__":
    main()
