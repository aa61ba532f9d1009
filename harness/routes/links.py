"""Results that come as links: fetched at once, without credentials, and joined to the answer that named them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import unquote_to_bytes

import httpx

from harness.errors import UsageProblem
from harness.routes.answer import read_answer
from harness.routes.base import Answer, Payload, Target
from harness.routes.dialect import Dialect
from harness.wire.body import BodyTooLarge
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
        url = _http_url(link)
        for _ in range(1 + MOST_REDIRECTS):
            if url is None:
                return
            leg = trace.leg("download")
            leg.link = index
            await self._get(url, leg)
            where = dict(leg.trace.headers).get("location")
            if leg.trace.http_status not in _MOVED or where is None:
                return
            url = _http_url(where, url)

    async def _get(self, url: httpx.URL, leg: Leg) -> None:
        token = current_trace.set(leg.trace)
        try:
            client = self._client(url)
            async with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
                await read_through(response)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, UsageProblem) as error:
            leg.failure = exception_chain(error)
        finally:
            current_trace.reset(token)
            leg.trace.begin()  # it may have failed before that
            leg.trace.finish()

    def _client(self, url: httpx.URL) -> httpx.AsyncClient:
        origin = f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
        if origin not in self._clients:
            transport = StampingTransport(
                base_url=origin, ca_file=self._target.ca_file, keepalive_s=self._target.keepalive_s
            )
            # A jar that takes nothing: a cookie of one job's download is no business of the next one's.
            jar = CookieJar(DefaultCookiePolicy(allowed_domains=()))
            self._clients[origin] = httpx.AsyncClient(transport=transport, timeout=None, cookies=jar)
        return self._clients[origin]

    async def aclose(self) -> None:
        """Close connections."""
        for client in self._clients.values():
            await client.aclose()


def _http_url(link: str, base: httpx.URL | None = None) -> httpx.URL | None:
    """A link as something that can be asked for, seen from `base`; None where it is nothing of the kind."""
    try:
        url = httpx.URL(link) if base is None else base.join(link)
        url.host.encode("idna")  # what looking it up begins with
    except (httpx.InvalidURL, ValueError):
        return None
    return url if url.scheme in ("http", "https") and url.host else None


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
            base64 = head.endswith(";base64")
            finals.append(Payload(data.encode() if base64 else unquote_to_bytes(data), first, whole, base64=base64))
            continue
        leg = last.get(index)
        if leg is None or leg.trace.body_end_ns is None or leg.trace.http_status != 200:
            notes["download_failed"] = None
            continue
        try:
            # There are servers that compress whatever they are asked.
            body = leg.trace.body.decoded(dict(leg.trace.headers).get("content-encoding", ""))
        except BodyTooLarge:
            notes["download_failed"] = None
            continue
        finals.append(Payload(body.whole(), first, whole, base64=False))
    return replace(answer, finals=tuple(finals), notes=tuple(notes))
