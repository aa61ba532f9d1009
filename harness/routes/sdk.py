"""What the families that go through the official SDK share: its client on our transport, and one exchange."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import httpx
import openai

from harness.routes.answer import read_answer
from harness.routes.base import Answer, Call, ExchangeFailed, Target
from harness.routes.connection import transport_to
from harness.routes.dialect import Dialect
from harness.routes.links import Downloads, joined, links_of
from harness.wire.scrub import Scrubber
from harness.wire.trace import Trace, current_trace
from harness.wire.transport import read_through

OPENAI_HOST = "api.openai.com"

# The SDK's own marker for "leave the body alone", which its with_streaming_response wrappers set.
RAW = {"X-Stainless-Raw-Response": "stream"}


class SdkRoute:
    """The SDK builds, signs and sends; its retries are off, its timeouts are ours. A family says what is asked."""

    dialect: ClassVar[Dialect]
    expendable: bytes | None = b".partial_image"

    def __init__(self, target: Target) -> None:
        self.target = target
        self.client = self.client_on(transport_to(target))
        self._downloads = Downloads(target)

    def client_on(self, transport: httpx.AsyncBaseTransport) -> openai.AsyncOpenAI:
        """The SDK's client over a transport."""
        return openai.AsyncOpenAI(base_url=self.target.base_url, **self.settings(transport))

    def settings(self, transport: httpx.AsyncBaseTransport) -> dict[str, Any]:
        """What every client of the SDK is told."""
        return {
            "api_key": self.target.api_key,
            "default_headers": {**self._account_headers(), **self.target.headers},
            "max_retries": 0,
            "timeout": None,
            # Annotated for httpx2, accepts an httpx client all the same; a contract test holds that.
            "http_client": httpx.AsyncClient(transport=transport, timeout=None),
        }

    def _account_headers(self) -> dict[str, Any]:
        """The SDK adds the account's names from the environment to every call; they are for OpenAI's own host alone."""
        if httpx.URL(self.target.base_url).host == OPENAI_HOST:
            return {}
        return {name: openai.Omit() for name in ("OpenAI-Organization", "OpenAI-Project")}

    def ask(self, client: openai.AsyncOpenAI, call: Call, headers: dict[str, str]) -> AbstractAsyncContextManager[Any]:
        """The SDK's own call for `call`, with the body left alone."""
        raise NotImplementedError

    async def warm_up(self) -> None:
        async with self.client_on(httpx.MockTransport(lambda _: httpx.Response(200, json={}))) as client:
            call = Call({"model": "gpt-image-2", "prompt": "warm-up"}, True, "warm-up", Trace.untimed().caps)
            async with self.ask(client, call, {}):
                return

    async def exchange(self, call: Call, trace: Trace) -> None:
        # SDK and transport do not know a body's length in advance when it is compressed; identity keeps stamps exact.
        headers = {**call.headers, "X-Client-Request-Id": call.client_request_id, "Accept-Encoding": "identity"}
        token = current_trace.set(trace)
        try:
            # Streaming response for plain calls too: the SDK then leaves the body alone, and the transport keeps it.
            async with self.ask(self.client, call, headers) as answer:
                await read_through(answer.http_response)
        except openai.APIStatusError as error:
            # An error answer is an answer: the SDK has read its body through our transport before raising.
            await error.response.aclose()
        except (openai.OpenAIError, httpx.HTTPError, httpx.StreamError) as error:
            raise ExchangeFailed from error
        finally:
            current_trace.reset(token)
        await self._downloads.fetch(links_of(trace, self.dialect), trace)

    def read(self, trace: Trace, scrubber: Scrubber) -> Answer:
        return joined(read_answer(trace, scrubber, self.dialect), trace)

    async def aclose(self) -> None:
        await self.client.close()
        await self._downloads.aclose()
