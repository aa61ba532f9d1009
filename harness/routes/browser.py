"""The client that users really have: a page in headless Chromium that calls the endpoint with fetch.

The browser's own Resource Timing says when it looked up, connected, asked and got the first byte; the page's code says
when each chunk reached it and when the image was on the screen. A job gets a browser context of its own: nothing is
shared, cached or queued behind another job's connections.
"""

from __future__ import annotations

import os
import shutil
from base64 import b64decode
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.errors import UsageProblem
from harness.routes.answer import read_answer
from harness.routes.base import Answer, Call, ExchangeFailed, Target
from harness.routes.dialect import IMAGES
from harness.routes.links import joined
from harness.scenario.families import BrowserOptions
from harness.wire.clock import WorldClock
from harness.wire.scrub import Scrubber
from harness.wire.stamp import Stamp
from harness.wire.trace import Trace

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PATH_VARIABLE = "HARNESS_CHROMIUM"
# Quiet, and nothing of its own on the network. A sandbox needs privileges that a container seldom has.
ARGUMENTS = ("--disable-background-networking", "--no-first-run", "--disable-gpu", "--disable-component-update")
CALIBRATIONS = 9
RESOLUTION_NS = 100_000  # of performance.now() in a page that is not isolated: it is rounded down to 0.1 ms


class PageFailed(Exception):
    """fetch was rejected in the page. Its name stands in the failure, as the page saw it."""


@dataclass(frozen=True)
class PageClock:
    """The page's clock on ours: ns on ours at the page's zero, and how far off that may be."""

    zero_ns: int
    error_ns: int

    def stamp(self, page_ms: float) -> Stamp:
        """A moment of the page, as an interval on our clock."""
        at_ns = self.zero_ns + round(page_ms * 1e6)
        return Stamp(at_ns - self.error_ns, at_ns + self.error_ns + RESOLUTION_NS)


class RouteFamily:
    """One endpoint, called from a page."""

    expendable: bytes | None = None

    def __init__(self, target: Target) -> None:
        assert isinstance(target.options, BrowserOptions)
        self._target, self._options = target, target.options
        self._url = target.base_url.rstrip("/") + self._options.path
        parts = urlsplit(self._url)
        self._page_url = self._options.page or f"{parts.scheme}://{parts.netloc}/"
        self._script = files("harness").joinpath("routes/page.js").read_text(encoding="utf-8")
        self._playwright: Any = None
        self._browser: Browser | None = None

    def endpoint(self, *, edits: bool) -> str:  # noqa: ARG002 - a page here asks for generations
        return self._options.path

    async def warm_up(self) -> None:
        """Start the browser, and have it draw a page once.

        Raises:
            UsageProblem: there is no Chromium, or no playwright to drive it.
        """
        browser = await self._launched()
        page = await browser.new_page()
        await page.set_content("<canvas></canvas>")
        await page.close()

    async def _launched(self) -> Browser:
        if self._browser is not None:
            return self._browser
        try:
            from playwright.async_api import Error, async_playwright
        except ImportError:
            raise UsageProblem(
                f"route {self._target.name} is of kind browser, which needs playwright: pip install -e '.[browser]'"
            ) from None
        found = os.environ.get(PATH_VARIABLE) or next(filter(None, map(shutil.which, EXECUTABLES)), None)
        if found is None:
            raise UsageProblem(
                f"route {self._target.name} is of kind browser, which needs Chromium: install it "
                f"(apt-get install chromium), or set {PATH_VARIABLE} to its path"
            )
        self._playwright = await async_playwright().start()
        arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        try:
            self._browser = await self._playwright.chromium.launch(executable_path=found, args=arguments)
        except Error as error:
            raise UsageProblem(
                f"route {self._target.name}: Chromium did not start ({str(error).splitlines()[0][:200]}); "
                f"{PATH_VARIABLE} names another one"
            ) from None
        return self._browser

    async def exchange(self, call: Call, trace: Trace) -> None:
        from playwright.async_api import Error

        browser = await self._launched()
        trace.receive_path, trace.stamp_source = "browser", "browser"
        context = await browser.new_context()
        try:
            page = await context.new_page()
            await page.goto(self._page_url)
            clock = await _calibrate(page)
            sent, moved = await _watched(page)
            seen: dict[str, Any] = await page.evaluate(self._script, self._asked(call))
        except Error as error:
            trace.begin()
            raise ExchangeFailed from error
        finally:
            await context.close()
        take(seen, clock, trace)
        if seen["moved"]:
            trace.http_status = moved.get(call.client_request_id)
        if trace.request_sent_ns is None and call.client_request_id in sent:
            trace.request_sent_ns = sent[call.client_request_id]
        if trace.request_sent_ns is None:
            trace.bytes_up = 0  # the page counts what it hands to fetch
        if seen["failure"] is not None:
            if seen["failure"] == "AbortError":
                abort_s = self._options.abort
                trace.cap_fired = "abort"
                trace.cap_s = None if abort_s is None else abort_s / self._target.time_scale
            raise ExchangeFailed from type(str(seen["failure"])[:40], (PageFailed,), {})()

    def _asked(self, call: Call) -> dict[str, Any]:
        fields = {**call.fields, **({"stream": True} if call.stream else {})}
        headers = {
            "Content-Type": "application/json",
            "X-Client-Request-Id": call.client_request_id,
            **self._target.headers,
            **call.headers,
        }
        if self._target.api_key:
            headers["Authorization"] = f"Bearer {self._target.api_key}"
        abort_s = self._options.abort
        return {
            "url": self._url,
            "headers": headers,
            "fields": fields,
            "abortMs": None if abort_s is None else abort_s / self._target.time_scale * 1000,
            # A browser takes Authorization away from a redirect to another origin (Fetch, HTTP-redirect fetch); other
            # headers, which may hold a key as well, it takes along.
            "redirect": "manual" if self._target.headers else "follow",
        }

    def read(self, trace: Trace, scrubber: Scrubber) -> Answer:
        return joined(read_answer(trace, scrubber, IMAGES), trace)

    async def aclose(self) -> None:
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()


async def _calibrate(page: Page) -> PageClock:
    """Ask the page for its time, and take the answer that was back the soonest."""
    best: PageClock | None = None
    for _ in range(CALIBRATIONS):
        before = WorldClock.now_ns()
        page_ms = await page.evaluate("performance.now()")
        after = WorldClock.now_ns()
        clock = PageClock((before + after) // 2 - round(page_ms * 1e6), (after - before) // 2)
        if best is None or clock.error_ns < best.error_ns:
            best = clock
    assert best is not None
    return best


async def _watched(page: Page) -> tuple[dict[str, int], dict[str, int]]:
    """When a request's headers went out, and the status that sent it elsewhere, by the client id in the headers.

    A page is told nothing of a fetch that it aborts, and little of a redirect; the browser's own debugging protocol is.
    Our clock as the news comes in, a little later than the browser's.
    """
    sent: dict[str, int] = {}
    moved: dict[str, int] = {}
    requests: dict[str, str] = {}
    session = await page.context.new_cdp_session(page)

    def went_out(event: dict[str, Any]) -> None:
        headers = {str(name).lower(): value for name, value in event["headers"].items()}
        if (client_id := headers.get("x-client-request-id")) is not None:
            sent.setdefault(client_id, WorldClock.now_ns())
            requests[event["requestId"]] = client_id

    def answered(event: dict[str, Any]) -> None:
        if event["requestId"] in requests and 300 <= event["statusCode"] < 400:
            moved[requests[event["requestId"]]] = event["statusCode"]

    session.on("Network.requestWillBeSentExtraInfo", went_out)
    session.on("Network.responseReceivedExtraInfo", answered)
    await session.send("Network.enable")
    return sent, moved


def take(seen: dict[str, Any], clock: PageClock, trace: Trace) -> None:
    """Write what the page saw into the trace. What the browser does not tell (another origin's timing) stays null."""
    trace.started_ns = clock.stamp(seen["began"]).ns
    timing = seen["timing"] or {}

    def at(name: str) -> Stamp | None:
        value = timing.get(name) or 0
        return clock.stamp(value) if value > 0 else None

    def ns(name: str) -> int | None:
        stamp = at(name)
        return None if stamp is None else stamp.ns

    if timing.get("requestStart"):
        trace.connection_reused = timing["connectEnd"] == timing["connectStart"]
        trace.pool_acquired_ns = ns("domainLookupStart")
        if not trace.connection_reused:
            trace.dns_done_ns = ns("domainLookupEnd")
            secured = timing.get("secureConnectionStart") or 0
            trace.tcp_connected_ns = ns("secureConnectionStart" if secured > 0 else "connectEnd")
            trace.tls_done_ns = ns("connectEnd") if secured > 0 else None
        trace.request_sent_ns = ns("requestStart")
        trace.http_version = str(timing.get("nextHopProtocol", ""))[:16].upper() or None
    trace.bytes_up = seen["sentBytes"]
    trace.http_status = seen["status"]
    trace.headers = [(str(name).lower(), str(value)) for name, value in seen["headers"]]
    if seen["status"] is not None:
        first = at("responseStart") or clock.stamp(seen["headersAt"])
        trace.received(0, first)
        trace.headers_ns = clock.stamp(seen["headersAt"]).ns
    data, taken = b64decode(seen["body"]), 0
    for page_ms, size in seen["chunks"]:
        stamp = clock.stamp(page_ms)
        trace.received(size, stamp)
        trace.body.add(data[taken : taken + size], stamp)
        taken += size
    if seen["endAt"] is not None:
        trace.body_end_ns = clock.stamp(seen["endAt"]).ns
    if seen["paintedAt"] is not None:
        trace.painted_ns = clock.stamp(seen["paintedAt"]).ns
    fetched = seen["download"]
    if fetched is not None:
        leg = trace.leg("download")
        leg.trace.started_ns = clock.stamp(fetched["began"]).ns
        leg.trace.http_status = fetched["status"]
        if fetched["endAt"] is not None:
            end = clock.stamp(fetched["endAt"])
            body = b64decode(fetched["body"])
            leg.trace.received(len(body), end)
            leg.trace.body.add(body, end)
            leg.trace.body_end_ns = end.ns
        leg.trace.finish()
    if seen["failedAt"] is not None:
        trace.ended_ns = clock.stamp(seen["failedAt"]).ns
