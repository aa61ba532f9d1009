"""What a packet says of one exchange: clocks, marks, ids, rate limits, and an error without its words.

Part of the closed schema (`harness.packet.schema`), whose rule holds here too: no field admits free text.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.events import BodyKind, CapName, Ended, StampSource
from harness.packet.closed import Bytes, Closed, Count, Hex16, Limit, Ms, Seconds, Status
from harness.packet.ids import AnchoredId
from harness.packet.layers import Product
from harness.packet.messages import MessageId
from harness.packet.vocabulary import (
    ErrorCode,
    ErrorParam,
    ErrorType,
    Failure,
    GaveUp,
    Ground,
    HttpVersion,
    LogSide,
    ModerationStage,
)

RateBucket = Literal["requests", "tokens", "images", "input-images", "output-images"]


class Clocks(Closed):
    """Every clock of the job, named as in `harness.metrics` (a test holds the two together)."""

    total_ms: Ms | None = None
    final_image_ms: Ms | None = None
    delivered_ms: Ms | None = None
    response_ms: Ms | None = None
    service_ms: Ms | None = None
    limiter_wait_ms: Ms | None = None
    retry_wait_ms: Ms | None = None
    submit_ms: Ms | None = None
    running_ms: Ms | None = None
    callback_ms: Ms | None = None
    first_partial_image_ms: Ms | None = None
    first_event_ms: Ms | None = None
    first_byte_ms: Ms | None = None
    wait_ms: Ms | None = None
    pool_wait_ms: Ms | None = None
    connect_ms: Ms | None = None
    upload_ms: Ms | None = None
    download_ms: Ms | None = None
    render_ms: Ms | None = None
    longest_silence_ms: Ms | None = None
    server_ms: Ms | None = None
    queue_ms: Ms | None = None
    gateway_ms: Ms | None = None
    gateway_overhead_ms: Ms | None = None
    poll_error_ms: Ms | None = None
    host_lag_ms: Ms | None = None
    clock_offset_ms: Ms | None = None
    clock_offset_error_ms: Ms | None = None
    clock_error_ms: Ms | None = None


class MarksMs(Closed):
    """The moments of one attempt, in ms since the job's start."""

    started_at_ms: Ms | None = None
    pool_acquired_at_ms: Ms | None = None
    dns_done_at_ms: Ms | None = None
    tcp_connected_at_ms: Ms | None = None
    tls_done_at_ms: Ms | None = None
    request_sent_at_ms: Ms | None = None
    first_byte_at_ms: Ms | None = None
    headers_at_ms: Ms | None = None
    first_body_byte_at_ms: Ms | None = None
    first_event_at_ms: Ms | None = None
    partial_image_at_ms: tuple[Ms, ...] = Field(default=(), max_length=16)
    final_image_at_ms: Ms | None = None
    body_end_at_ms: Ms | None = None
    submitted_at_ms: Ms | None = None
    running_at_ms: Ms | None = None
    callback_at_ms: Ms | None = None
    download_began_at_ms: Ms | None = None
    downloaded_at_ms: Ms | None = None
    rendered_at_ms: Ms | None = None
    last_byte_at_ms: Ms | None = None
    ended_at_ms: Ms | None = None


class Unknown(Closed):
    """A word that is in no list: how long it is, and a fingerprint unless it looks like something private."""

    chars: Count
    fingerprint: Hex16 | None


class ErrorFacts(Closed):
    """An error answer without its words."""

    type: ErrorType | None
    unknown_type: Unknown | None
    code: ErrorCode | None
    unknown_code: Unknown | None
    param: ErrorParam | None
    message_id: MessageId | None
    message_chars: Count
    message_fingerprint: Hex16 | None
    moderation_stage: ModerationStage | None
    in_stream: bool


class RateWindow(Closed):
    """One bucket of the ``x-ratelimit-*`` headers."""

    bucket: RateBucket
    limit: Limit | None = None
    remaining: Limit | None = None
    reset_ms: Ms | None = None


class LogFact(Closed):
    """What the log of one hop says of an exchange. Of its own word only what that means is kept."""

    writer: Product
    side: LogSide
    gave_up: GaveUp | None
    after_ms: Ms | None  # since the exchange came to that hop, by its own clock
    connected: bool | None  # whether it reached the hop behind it
    http_status: Status | None
    ground: Ground  # the record itself, or how it was joined to this job


class AttemptFacts(Closed):
    """One HTTP exchange."""

    number: int = Field(ge=1, le=999)
    marks: MarksMs
    ended: Ended
    our_cap: CapName | None
    our_cap_s: Seconds | None
    failure: tuple[Failure, ...] = Field(max_length=12)
    http_status: Status | None
    http_version: HttpVersion | None
    server: Product | None  # what the answer's ``server`` header names
    ids: tuple[AnchoredId, ...] = Field(max_length=16)
    error: ErrorFacts | None
    rate_limits: tuple[RateWindow, ...] = Field(max_length=5)
    retry_after_ms: Ms | None
    should_retry: bool | None
    body_kind: BodyKind | None
    sse_events: Count
    sse_comments: Count
    bytes_up: Bytes
    bytes_down: Bytes
    connection_reused: bool | None
    addresses_tried: Count
    stamps: StampSource
    longest_silence_ms: Ms | None
    server_ms: Ms | None
    queue_ms: Ms | None
    gateway_retries: Count | None
    gateway_fallbacks: Count | None = None
    cache_hit: bool | None = None
    polls: Count = 0
    logs: tuple[LogFact, ...] = Field(default=(), max_length=12)  # outermost hop first
