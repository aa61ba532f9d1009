"""The Images API, ``/v1/images/generations``, plain and streamed, through the official SDK."""

from __future__ import annotations

from typing import Any

import httpx
import openai

from harness.routes.answer import read_images_answer
from harness.routes.base import Answer, Call, ExchangeFailed, Target
from harness.wire.scrub import Scrubber
from harness.wire.trace import Trace, current_trace
from harness.wire.transport import StampingTransport, read_through


class RouteFamily:
    """Generations. The SDK builds, signs and sends; its retries are off, its timeouts are ours."""

    endpoint = "/v1/images/generations"
    expendable = b".partial_image"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = self._client_on(
            StampingTransport(
                base_url=target.base_url,
                ca_file=target.ca_file,
                keepalive_s=target.keepalive_s,
                max_connections=target.max_connections,
                path=target.receive_path,
            )
        )

    def _client_on(self, transport: httpx.AsyncBaseTransport) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key=self._target.api_key,
            base_url=self._target.base_url,
            default_headers={**self._target.headers},
            max_retries=0,
            timeout=None,
            # Annotated for httpx2, accepts an httpx client all the same; a contract test holds that.
            http_client=httpx.AsyncClient(transport=transport, timeout=None),  # type: ignore[arg-type]
        )

    async def warm_up(self) -> None:
        async with self._client_on(httpx.MockTransport(lambda _: httpx.Response(200, json={}))) as client:
            generate = client.images.with_streaming_response.generate
            async with generate(model="gpt-image-2", prompt="warm-up", stream=True):
                return

    async def exchange(self, call: Call, trace: Trace) -> None:
        headers = {**call.headers, "X-Client-Request-Id": call.client_request_id, "Accept-Encoding": "identity"}
        fields: dict[str, Any] = dict(call.fields)
        if call.stream:
            fields["stream"] = True
        token = current_trace.set(trace)
        try:
            # Streaming response for plain calls too: the SDK then leaves the body alone, and the transport keeps it.
            async with self._client.images.with_streaming_response.generate(**fields, extra_headers=headers) as answer:
                await read_through(answer.http_response)
        except openai.APIStatusError as error:
            # An error answer is an answer: the SDK has read its body through our transport before raising.
            await error.response.aclose()
        except (openai.OpenAIError, httpx.HTTPError, httpx.StreamError) as error:
            raise ExchangeFailed from error
        finally:
            current_trace.reset(token)

    def read(self, trace: Trace, scrubber: Scrubber) -> Answer:
        return read_images_answer(trace, scrubber)

    async def aclose(self) -> None:
        await self._client.close()
