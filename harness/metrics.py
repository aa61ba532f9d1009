"""Every clock defined once: name, unit, from which mark to which, and one sentence.

The event writer, the report, ``--help``, the JSON Schema and the docs all read this table. Other tools use the same
words for other things (curl's times are cumulative; k6's duration leaves the connection out), so the table is printed
wherever a clock is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.events import Attempt, Marks

JOB_START = "request_started"


@dataclass(frozen=True)
class Metric:
    """One clock. `start` and `end` are marks, or `reported` when the other side states the figure."""

    name: str
    title: str
    unit: str
    start: str
    end: str
    sentence: str

    def describe(self) -> str:
        """The sentence with its two marks, for a person."""
        if self.start == "reported":
            return f"{self.sentence} [{self.unit}, as reported: {self.end}]"
        return f"{self.sentence} [{self.unit}, {self.start} → {self.end}]"


METRICS: tuple[Metric, ...] = (
    Metric("total_ms", "total", "ms", JOB_START, "ended_at",
           "Everything the user waited for, all attempts and pauses between them included, decoding left out."),
    Metric("final_image_ms", "final image", "ms", JOB_START, "final_image_at",
           "Until the last byte of the final image was here."),
    Metric("delivered_ms", "image delivered", "ms", JOB_START, "downloaded_at or final_image_at",
           "Until the image itself was here, whichever way it came: what compares routes that answer with links."),
    Metric("response_ms", "response time", "ms", "scheduled_at", "downloaded_at or final_image_at",
           "Until the image was here, from when the plan wanted its job sent; null where nothing was scheduled."),
    Metric("service_ms", "service time", "ms", "started_at of the last attempt", "downloaded_at or final_image_at",
           "Until the image was here, from when the attempt that brought it was sent: no earlier attempt, no pause."),
    Metric("limiter_wait_ms", "wait for our own limiter", "ms", "scheduled_at", JOB_START,
           "How late a job was sent after the plan wanted it sent; null where nothing was scheduled."),
    Metric("retry_wait_ms", "pauses before retries", "ms", "reported", "our own retries",
           "The pauses between attempts: what a retry-after asked for, or our own backoff."),
    Metric("submit_ms", "task taken on", "ms", JOB_START, "submitted_at",
           "Until the answer to a task's submit was whole."),
    Metric("running_ms", "task running", "ms", JOB_START, "running_at",
           "Until a poll first said that the task was being made."),
    Metric("callback_ms", "callback", "ms", JOB_START, "callback_at",
           "Until the other side's callback was here."),
    Metric("first_partial_image_ms", "first partial image", "ms", JOB_START, "partial_images[0].whole_at",
           "Until the first partial image was whole, so that it could be shown."),
    Metric("first_event_ms", "first event", "ms", JOB_START, "first_event_at",
           "Until the first real stream event began; comments and keep-alives do not count."),
    Metric("first_byte_ms", "first byte", "ms", JOB_START, "first_byte_at",
           "Until the first byte of any response: with streaming this is a header, not an image."),
    Metric("wait_ms", "wait for payload", "ms", "request_sent_at", "first_event, final image or first body byte",
           "From the last byte sent to the first byte of payload: model, queue and every hop between."),
    Metric("pool_wait_ms", "wait for a connection", "ms", "started_at", "pool_acquired_at",
           "Until a connection was free or a new one could be begun."),
    Metric("connect_ms", "connect", "ms", "pool_acquired_at", "tls_done_at or tcp_connected_at",
           "DNS, TCP and TLS together; null on a reused connection."),
    Metric("upload_ms", "upload", "ms", "connected", "request_sent_at",
           "From a connection in hand to the last byte of the request handed to the kernel."),
    Metric("download_ms", "download", "ms", "final_images first byte or download_began",
           "final_image_at or downloaded_at",
           "First to last byte of the final image's frame or body, or the whole fetch of a result link."),
    Metric("render_ms", "render", "ms", "final_image_at", "rendered_at",
           "Decoding the image on this machine; never scaled, never part of another clock."),
    Metric("longest_silence_ms", "longest silence", "ms", "request_sent_at", "ended_at",
           "The longest time without a single byte: what an idle cap on the way would see."),
    Metric("server_ms", "server time", "ms", "reported", "openai-processing-ms and its kin",
           "What the other side says it took; on a stream only the time to the headers."),
    Metric("queue_ms", "queue time", "ms", "reported", "the route's own header",
           "What the other side says the job waited before it was begun."),
    Metric("gateway_ms", "gateway's own time", "ms", "reported", "the gateway's header",
           "What a gateway says the whole call took it."),
    Metric("gateway_overhead_ms", "gateway's overhead", "ms", "reported", "the gateway's header",
           "What a gateway says it added itself."),
    Metric("poll_error_ms", "poll error", "ms", "reported", "our own polls",
           "How much earlier than it was seen a task may have been done: the polls' own coarseness, at worst."),
    Metric("host_lag_ms", "host lag", "ms", "reported", "our own loop",
           "The latest that our own event loop ran while this job was under way."),
    Metric("clock_offset_ms", "clock offset", "ms", "reported", "the exchange with that worker",
           "How far the wall clock of the machine that measured was ahead of that of the machine that began the run."),
    Metric("clock_offset_error_ms", "clock offset's error", "ms", "reported", "the exchange with that worker",
           "How far that offset may be off: half of the fastest round trip, and what clocks drift since then."),
    Metric("clock_error_ms", "clock error", "ms", "reported", "our own stamps",
           "How much earlier than its mark a byte of this job may have been here, at worst: the error bar."),
)  # fmt: skip

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def connected_at_ms(marks: Marks) -> float | None:
    """When the connection was ready to carry the request: after TLS, else TCP, else when a reused one was in hand."""
    return _first(marks.tls_done_at_ms, marks.tcp_connected_at_ms, marks.pool_acquired_at_ms)


def payload_at_ms(marks: Marks) -> float | None:
    """First byte of payload: the first real event of a stream, else of the image's JSON, else of any body.

    The first body byte alone may be a blank line that a gateway sends to keep the connection alive.
    """
    finals = marks.final_images
    return _first(marks.first_event_at_ms, finals[0].first_byte_at_ms if finals else None, marks.first_body_byte_at_ms)


def delivered_at_ms(marks: Marks) -> float | None:
    """When the image itself was here. A link alone is no image: where one was fetched, the fetch decides."""
    return marks.final_image_at_ms if marks.download_began_at_ms is None else marks.downloaded_at_ms


def attempt_clocks(marks: Marks) -> dict[str, float | None]:
    """Clocks of one attempt by metric name. Clocks of the user's wait count from the job's start (0)."""
    opened = _first(marks.tls_done_at_ms, marks.tcp_connected_at_ms)
    finals = marks.final_images
    return {
        "total_ms": marks.ended_at_ms,
        "final_image_ms": marks.final_image_at_ms,
        "delivered_ms": delivered_at_ms(marks),
        "submit_ms": marks.submitted_at_ms,
        "running_ms": marks.running_at_ms,
        "callback_ms": marks.callback_at_ms,
        "first_partial_image_ms": marks.partial_images[0].whole_at_ms if marks.partial_images else None,
        "first_event_ms": marks.first_event_at_ms,
        "first_byte_ms": marks.first_byte_at_ms,
        "wait_ms": _between(marks.request_sent_at_ms, payload_at_ms(marks)),
        "pool_wait_ms": _between(marks.started_at_ms, marks.pool_acquired_at_ms),
        "connect_ms": _between(marks.pool_acquired_at_ms, opened),
        "upload_ms": _between(connected_at_ms(marks), marks.request_sent_at_ms),
        "download_ms": _between(
            _first(marks.download_began_at_ms, finals[-1].first_byte_at_ms if finals else None),
            marks.final_image_at_ms if marks.download_began_at_ms is None else marks.downloaded_at_ms,
        ),
        "render_ms": _between(_first(marks.downloaded_at_ms, marks.final_image_at_ms), marks.rendered_at_ms),
    }


def job_clocks(attempts: Sequence[Attempt], scheduled_at_ms: float | None = None) -> dict[str, float | None]:
    """Every clock of a job, from its attempts: the last one decides. Empty when nothing was attempted.

    `scheduled_at_ms` is the event's own; it lies before the job's start when the job was sent late. With it there is a
    response time; without it there is none, because a job that was due at no moment cannot be late.
    """
    if not attempts:
        return {}
    last = attempts[-1]
    clocks = attempt_clocks(last.marks)
    clocks["response_ms"] = _between(scheduled_at_ms, clocks["delivered_ms"])
    clocks["service_ms"] = _between(last.marks.started_at_ms, clocks["delivered_ms"])
    clocks["limiter_wait_ms"] = _between(scheduled_at_ms, 0.0)
    pauses = [b.marks.started_at_ms - a.marks.ended_at_ms for a, b in pairwise(attempts)]
    clocks["retry_wait_ms"] = math.fsum(pauses) if pauses else None
    clocks["longest_silence_ms"] = last.longest_silence_ms
    clocks["clock_error_ms"] = last.stamp_error_ms
    clocks["server_ms"] = last.server_ms
    clocks["queue_ms"] = last.queue_ms
    clocks["gateway_ms"] = last.gateway_ms
    clocks["gateway_overhead_ms"] = last.gateway_overhead_ms
    clocks["poll_error_ms"] = last.poll_error_ms
    return clocks


# Marks in the order in which they can happen; the last one that is not null is the phase that an attempt reached.
PHASES: tuple[tuple[str, str], ...] = (
    ("started", "started_at_ms"),
    ("pool_acquired", "pool_acquired_at_ms"),
    ("dns_done", "dns_done_at_ms"),
    ("tcp_connected", "tcp_connected_at_ms"),
    ("tls_done", "tls_done_at_ms"),
    ("request_sent", "request_sent_at_ms"),
    ("first_byte", "first_byte_at_ms"),
    ("headers", "headers_at_ms"),
    ("first_body_byte", "first_body_byte_at_ms"),
    ("first_event", "first_event_at_ms"),
    ("submitted", "submitted_at_ms"),
    ("running", "running_at_ms"),
    ("final_image", "final_image_at_ms"),
    ("body_end", "body_end_at_ms"),
    ("downloaded", "downloaded_at_ms"),
    ("rendered", "rendered_at_ms"),
)


def phase_reached(marks: Marks) -> str:
    """The last mark that was reached, by its name without the suffix."""
    reached = "started"
    for name, field in PHASES:
        if getattr(marks, field) is not None:
            reached = name
            if name == "first_event" and marks.partial_images:
                reached = "partial_image"
    return reached
