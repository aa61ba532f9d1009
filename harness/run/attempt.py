"""From one attempt's trace and answer to its record: the only place where stamps become marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness import evidence
from harness.events import AddressTry, Attempt, Ended, Leg, Marks, Span
from harness.gateways import told_by
from harness.routes.base import Answer, TaskSeen
from harness.run.images import Decoded
from harness.wire import trace as wire_trace
from harness.wire.clock import WorldClock
from harness.wire.failures import how_it_ended
from harness.wire.scrub import Scrubber
from harness.wire.stamp import Stamp
from harness.wire.trace import AddressTried, Trace


@dataclass(frozen=True)
class Exchange:
    """One attempt that is over: what the wire left, what it said, what the images are."""

    number: int
    client_request_id: str
    trace: Trace
    failure: tuple[str, ...]
    cancelled: bool
    answer: Answer
    images: tuple[Decoded, ...]
    link_sha256: Mapping[int, str] = field(default_factory=dict)  # of what each link led to


def make_attempt(exchange: Exchange, zero_ns: int, clock: WorldClock, scrubber: Scrubber) -> Attempt:
    """The attempt's record. `zero_ns` is the job's start."""
    trace, answer = exchange.trace, exchange.answer
    deciding = trace.deciding()
    last = trace if deciding is None else deciding.trace
    kept, ids = evidence.kept_headers(last.headers)
    kept = {name: scrubber.head(value, evidence.MAX_VALUE_CHARS) or "" for name, value in kept.items()}
    # A cap of ours may have fired in the exchange that decided: in a poll, or in the download.
    fired = trace.cap_fired or last.cap_fired
    cap_s = trace.cap_s if fired is None or trace.cap_s is not None else trace.caps.get(fired)
    told = told_by(dict(last.headers))
    task = answer.task or TaskSeen()
    if task.task_id is not None:
        ids["task-id"] = scrubber.head(task.task_id, evidence.MAX_VALUE_CHARS) or ""
    server_ms = evidence.server_ms(kept)
    return Attempt(
        number=exchange.number,
        client_request_id=exchange.client_request_id,
        marks=_marks(exchange, zero_ns, clock),
        ended=_ended(exchange, deciding),
        cap=fired,
        cap_ms=None if cap_s is None else round(cap_s * clock.time_scale * 1000, 3),
        failure=exchange.failure if deciding is None else deciding.failure,
        http_status=last.http_status,
        http_version=trace.http_version,
        headers=kept,
        request_id=ids.pop(evidence.REQUEST_ID, None),
        ids=ids,
        error=answer.error,
        body_kind=answer.body_kind,
        body_head=answer.body_head,
        sse_events=answer.sse_events,
        sse_comments=answer.sse_comments,
        bytes_up=sum(one.bytes_up for one in trace.all_traces()),
        bytes_down=sum(one.bytes_down for one in trace.all_traces()),
        longest_silence_ms=clock.ms(0, trace.longest_silence_ns) if trace.longest_silence_ns else None,
        connection_reused=trace.connection_reused,
        addresses=tuple(_address(one, clock) for one in trace.addresses),
        rtt_ms=_lasted(trace.rtt_ns, clock),
        retransmits=trace.retransmits,
        tls_own_ms=_tls_own_ms(trace, clock),
        receive_path=trace.receive_path,
        stamp_source=trace.stamp_source,
        stamp_error_ms=_stamp_error_ms(exchange, clock),
        unread_ms=clock.ms(0, trace.waited_ns) if trace.stamp_source == "kernel" else None,
        server_ms=server_ms if task.server_ms is None else task.server_ms,
        queue_ms=task.queue_ms,
        gateway=told.name,
        gateway_retries=told.retries,
        gateway_fallbacks=told.fallbacks,
        gateway_ms=told.duration_ms,
        gateway_overhead_ms=told.overhead_ms,
        cache_hit=told.cache_hit,
        legs=tuple(_leg(leg, zero_ns, clock) for leg in trace.legs),
        polls=task.polls,
        poll_error_ms=_lasted(task.poll_error_ns, clock),
        body_shape=answer.body_shape,
        missing_path=answer.missing_path,
    )


def _ended(exchange: Exchange, deciding: wire_trace.Leg | None) -> Ended:
    """How the attempt ended: as its last needed exchange did, where the first one went well."""
    if deciding is None or exchange.trace.cap_fired is not None or exchange.cancelled:
        return how_it_ended(exchange.trace, exchange.failure, cancelled=exchange.cancelled)
    return how_it_ended(deciding.trace, deciding.failure, cancelled=False)


def _leg(leg: wire_trace.Leg, zero_ns: int, clock: WorldClock) -> Leg:
    trace = leg.trace

    def at(ns: int | None) -> float | None:
        return None if ns is None else clock.ms(zero_ns, ns)

    started_ns = trace.started_ns or zero_ns
    return Leg(
        kind=leg.kind,
        number=leg.number,
        started_at_ms=clock.ms(zero_ns, started_ns),
        request_sent_at_ms=at(trace.request_sent_ns),
        first_byte_at_ms=at(trace.first_byte_ns),
        ended_at_ms=clock.ms(zero_ns, trace.ended_ns or started_ns),
        ended=how_it_ended(trace, leg.failure, cancelled=False),
        http_status=trace.http_status,
        bytes_down=trace.bytes_down,
        connection_reused=trace.connection_reused,
        said=leg.said,
        failure=leg.failure,
    )


def _address(tried: AddressTried, clock: WorldClock) -> AddressTry:
    return AddressTry(
        family=tried.family,
        connected=tried.connected,
        tcp_ms=clock.ms(0, tried.tcp_ns),
        rtt_ms=_lasted(tried.rtt_ns, clock),
    )


def _lasted(ns: int | None, clock: WorldClock) -> float | None:
    return None if ns is None else clock.ms(0, ns)


def _tls_own_ms(trace: Trace, clock: WorldClock) -> float | None:
    if trace.tls_arrived_ns is None or trace.tls_done_ns is None:
        return None
    return clock.ms(trace.tls_arrived_ns, trace.tls_done_ns)


def _stamp_error_ms(exchange: Exchange, clock: WorldClock) -> float | None:
    """The widest interval behind any byte mark of the attempt."""
    trace, answer = exchange.trace, exchange.answer
    stamps = [trace.first_byte, answer.first_event, *(stamp for pair in answer.partials for stamp in pair)]
    stamps += [stamp for payload in answer.finals for stamp in (payload.first, payload.whole)]
    widths = [stamp.width_ns for stamp in stamps if stamp is not None]
    return clock.ms(0, max(widths)) if widths else None


def _marks(exchange: Exchange, zero_ns: int, clock: WorldClock) -> Marks:
    trace, answer = exchange.trace, exchange.answer

    def at(ns: int | None) -> float | None:
        return None if ns is None else clock.ms(zero_ns, ns)

    def spans(pairs: Sequence[tuple[Stamp, Stamp]]) -> tuple[Span, ...]:
        return tuple(
            Span(first_byte_at_ms=clock.ms(zero_ns, first.ns), whole_at_ms=clock.ms(zero_ns, whole.ns))
            for first, whole in pairs
        )

    # A link is the final image's frame as far as the answer goes; the fetch has marks of its own.
    finals = spans([(payload.first, payload.whole) for payload in answer.finals] or answer.linked)
    final_at = max((span.whole_at_ms for span in finals), default=None)
    rendering = [image.render_ms for image in exchange.images if image.render_ms is not None]
    downloads = [leg.trace for leg in trace.legs if leg.kind == "download"]
    fetched = bool(downloads) and len(answer.finals) == len(answer.links)
    downloaded_ns = max((one.body_end_ns or 0 for one in downloads), default=0) if fetched else 0
    here_ns = downloaded_ns or max((payload.whole.ns for payload in answer.finals), default=0)
    # Decoding runs on this machine's clock, after the world's: it is added as it is, never scaled.
    rendered_at = None
    if here_ns and trace.painted_ns is not None:
        rendered_at = round(clock.ms(zero_ns, here_ns) + max(trace.painted_ns - here_ns, 0) / 1e6, 3)
    elif here_ns and rendering:
        rendered_at = round(clock.ms(zero_ns, here_ns) + sum(rendering), 3)
    task = answer.task or TaskSeen()
    started_ns = trace.started_ns or zero_ns

    def stamped(stamp: Stamp | None) -> float | None:
        return at(None if stamp is None else stamp.ns)

    return Marks(
        started_at_ms=clock.ms(zero_ns, started_ns),
        pool_acquired_at_ms=at(trace.pool_acquired_ns),
        dns_done_at_ms=at(trace.dns_done_ns),
        tcp_connected_at_ms=at(trace.tcp_connected_ns),
        tls_done_at_ms=at(trace.tls_done_ns),
        request_sent_at_ms=at(trace.request_sent_ns),
        first_byte_at_ms=at(trace.first_byte_ns),
        headers_at_ms=at(trace.headers_ns),
        first_body_byte_at_ms=at(trace.body.first_ns),
        first_event_at_ms=at(answer.first_event.ns if answer.first_event else None),
        partial_images=spans(answer.partials),
        final_images=finals,
        final_image_at_ms=final_at,
        body_end_at_ms=at(trace.body_end_ns),
        submitted_at_ms=stamped(task.submitted),
        running_at_ms=stamped(task.running),
        callback_at_ms=stamped(task.callback),
        download_began_at_ms=at(min((one.started_ns or zero_ns for one in downloads), default=None)),
        downloaded_at_ms=at(downloaded_ns or None),
        rendered_at_ms=rendered_at,
        last_byte_at_ms=at(max((one.last_byte_ns or 0 for one in trace.all_traces()), default=0) or None),
        ended_at_ms=clock.ms(zero_ns, trace.ended_ns or started_ns),
    )
