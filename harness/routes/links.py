"""Results that come as links: fetched at once, without credentials, and joined to the answer that named them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import httpx

from harness.routes.answer import read_answer
from harness.routes.base import Answer, Payload, Target
from harness.routes.dialect import Dialect
from harness.wire.failures import exception_chain
from harness.wire.scrub import Scrubber
from harness.wire.trace import Leg, Trace, current_trace
from harness.wire.transport import StampingTransport, read_through

# An answer that only names its images is small; one that holds them is not parsed before its time.
SMALL_BYTES = 1024 * 1024
MOST_LINKS = 16
MOST_REDIRECTS = 3
_MOVED = frozenset({301, 302, 303, 307, 308})
_NOTHING_TO_HIDE = Scrubber(prompt="")


def links_of(trace: Trace, dialect: Dialect) -> tuple[str, ...]:
    """The links that an answer gives in place of images."""
    if trace.body_end_ns is None or (trace.http_status or 0) >= 400 or trace.body.size > SMALL_BYTES:
        return ()
    answer = read_answer(trace, _NOTHING_TO_HIDE, dialect)
    return () if answer.finals else answer.links


class Downloads:
    """Fetches links. Nothing of the route's headers or key goes with them: a link is its own permission."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def fetch(self, links: Sequence[str], trace: Trace) -> None:
        """Fetch every link at once, a leg of `trace` each. Failures are left in the legs."""
        if links:
            await asyncio.gather(*(self._fetch(link, index, trace) for index, link in enumerate(links[:MOST_LINKS])))

    async def _fetch(self, link: str, index: int, trace: Trace) -> None:
        for _ in range(1 + MOST_REDIRECTS):
            if urlsplit(link).scheme not in ("http", "https"):
                return
            leg = trace.leg("download")
            leg.link = index
            await self._get(link, leg)
            where = dict(leg.trace.headers).get("location")
            if leg.trace.http_status not in _MOVED or where is None:
                return
            link = urljoin(link, where)

    async def _get(self, link: str, leg: Leg) -> None:
        token = current_trace.set(leg.trace)
        try:
            client = self._client(link)
            async with client.stream("GET", link, headers={"Accept-Encoding": "identity"}) as response:
                await read_through(response)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            leg.failure = exception_chain(error)
        finally:
            current_trace.reset(token)
            leg.trace.begin()  # a link that is no URL never got that far
            leg.trace.finish()

    def _client(self, link: str) -> httpx.AsyncClient:
        url = httpx.URL(link)
        origin = f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
        if origin not in self._clients:
            transport = StampingTransport(
                base_url=origin, ca_file=self._target.ca_file, keepalive_s=self._target.keepalive_s
            )
            self._clients[origin] = httpx.AsyncClient(transport=transport, timeout=None)
        return self._clients[origin]

    async def aclose(self) -> None:
        """Close connections."""
        for client in self._clients.values():
            await client.aclose()


def joined(answer: Answer, trace: Trace) -> Answer:
    """The answer with the images that its links led to. A link itself stands in the answer, and so do its stamps."""
    if answer.finals or not answer.links:
        return answer
    finals: list[Payload] = []
    notes = dict.fromkeys((*answer.notes, "result_by_url"))
    last = {leg.link: leg for leg in trace.legs if leg.kind == "download"}
    for index, (link, (first, whole)) in enumerate(zip(answer.links, answer.linked, strict=True)):
        if link.startswith("data:"):
            head, _, data = link.partition(",")
            finals.append(Payload(data.encode(), first, whole, base64=head.endswith(";base64")))
            continue
        leg = last.get(index)
        if leg is None or leg.trace.body_end_ns is None or leg.trace.http_status != 200:
            notes["download_failed"] = None
            continue
        finals.append(Payload(leg.trace.body.whole(), first, whole, base64=False))
    return replace(answer, finals=tuple(finals), notes=tuple(notes))
