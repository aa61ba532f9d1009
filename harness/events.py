"""WAIST: one structured event per image job, its attempts inside it, one JSON line each in ``events.jsonl``.

Everything that measures produces a `JobEvent`; everything that reads starts from one. There is no second truth.

Conventions: ``*_at_ms`` is a mark, in ms since the job's ``request_started_at``; ``*_ms`` is a duration; ``*_bytes``
and ``*_usd`` are what they say. What did not happen is ``null``, never 0. Times are those of the world that was
measured: a simulated world that ran faster has been scaled back already, and ``time_scale`` says by how much.

An event holds no key, cookie, authorization, image or (unless the scenario records prompts) prompt text.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SCHEMA_VERSION = 1

Outcome = Literal[
    "image",  # the final image came, decodes, and is what was asked for
    "wrong_image",  # an image came and decodes, but its size, format or number is not what was asked for
    "bad_image",  # the payload is not a decodable image
    "empty",  # a success without an image: 200 with something else, or a stream that ended without its final image
    "error",  # an error answer, as HTTP status or inside the stream
    "cut",  # the exchange ended before the answer was whole: a cap of ours, or the other side
    "unreachable",  # no connection was made, so nothing was sent
    "cancelled",  # the user stopped the run while the job was under way
    "unknown",  # sent by a run that died; nobody saw the answer
]

Ended = Literal[
    "complete",  # the response was read to its end
    "local_cap",  # one of our own declared timeouts fired; `cap` names it
    "remote_closed",  # the other side closed or reset before the response was complete
    "connect_failed",  # DNS, TCP or TLS did not come about
    "protocol_error",  # what came is not HTTP, or contradicts itself
    "over_limit",  # the response was larger than we are willing to hold
    "cancelled",  # we were stopped
    "unseen",  # the process died before it could see the end
]

CapName = Literal[
    "connect", "first_byte", "idle", "total",  # the scenario's timeouts
    "poll",  # a task was not done when its mapping's give_up_after was over
    "abort",  # a page's own AbortController
]  # fmt: skip
BodyKind = Literal["json", "sse", "html", "text", "binary", "empty"]
CostBasis = Literal["usage", "estimate", "maybe_billed", "not_billed"]
StampSource = Literal[
    "kernel",  # the kernel's own stamp of the bytes' arrival
    "user",  # this process's clock when it read them
    "browser",  # the page's clock when its code got them
]
LegKind = Literal["poll", "result", "download", "cancel", "callback"]
TaskState = Literal["pending", "running", "done", "failed", "other"]
AddressFamily = Literal["ipv4", "ipv6", "other"]
ReceivePath = Literal[
    "own",  # bare sockets, read where the bytes arrive
    "library",  # httpx's own machinery, for what ours does not carry (a proxy of the environment)
    "browser",  # a page in Chromium, by its own Resource Timing
]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A frame on the wire: when its first byte was here, and when it was whole."""

    first_byte_at_ms: float
    whole_at_ms: float


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """The moments of one attempt, in ms since the job's start, in the order in which they can happen."""

    started_at_ms: float
    pool_acquired_at_ms: float | None = None
    dns_done_at_ms: float | None = None
    tcp_connected_at_ms: float | None = None
    tls_done_at_ms: float | None = None
    request_sent_at_ms: float | None = None
    first_byte_at_ms: float | None = None
    headers_at_ms: float | None = None
    first_body_byte_at_ms: float | None = None
    first_event_at_ms: float | None = None
    partial_images: tuple[Span, ...] = ()
    final_images: tuple[Span, ...] = ()
    final_image_at_ms: float | None = None
    body_end_at_ms: float | None = None
    submitted_at_ms: float | None = None  # a task was taken on: the answer to its submit was whole
    running_at_ms: float | None = None  # a poll first said that the task was being made
    callback_at_ms: float | None = None  # the other side's callback was here
    download_began_at_ms: float | None = None  # the first result link was asked for
    downloaded_at_ms: float | None = None
    rendered_at_ms: float | None = None
    last_byte_at_ms: float | None = None
    ended_at_ms: float


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A further exchange that an attempt took: a poll that brought news or failed, a download, a callback."""

    kind: LegKind
    number: int  # among the legs of its kind, from 1; polls that brought nothing new are counted and not kept
    started_at_ms: float
    request_sent_at_ms: float | None = None
    first_byte_at_ms: float | None = None
    ended_at_ms: float
    ended: Ended
    http_status: int | None = None
    bytes_down: int = 0
    connection_reused: bool | None = None
    said: TaskState | None = None  # what the status word was declared to mean
    failure: tuple[str, ...] = ()


class AddressTry(msgspec.Struct, frozen=True, kw_only=True):
    """One address that was tried for a connection. The address itself is not kept."""

    family: AddressFamily
    connected: bool
    tcp_ms: float
    rtt_ms: float | None = None  # the kernel's round trip right after connecting: the path, without any server


class ApiError(msgspec.Struct, frozen=True, kw_only=True):
    """An error as the other side words it."""

    type: str | None = None
    code: str | None = None
    param: str | None = None
    message: str | None = None  # at most 300 characters, scrubbed of this job's prompt and key and of known secrets
    message_chars: int = 0
    fingerprint: str | None = None  # first 16 hex digits of sha256 of the message with digits folded to 0
    moderation_stage: str | None = None
    in_stream: bool = False


class ImageCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What one returned image is, found by decoding it. `problems` is empty when it is what was asked for."""

    image_bytes: int
    format: str | None = None
    width: int | None = None
    height: int | None = None
    problems: tuple[str, ...] = ()


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts as the answer states them."""

    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_text_tokens: int | None = None
    input_image_tokens: int | None = None


class LogWord(msgspec.Struct, frozen=True, kw_only=True):
    """What the log of one hop says of an exchange (`harness.ingest`): who ended it, in the log's own word."""

    writer: str  # the product, as the layer catalog names it
    side: Literal["client", "proxy", "gateway", "upstream"]
    gave_up: Literal["client", "self", "upstream", "nobody"] | None = None
    word: str | None = None
    after_ms: float | None = None  # since the exchange came to that hop, by its own clock
    connected: bool | None = None  # whether the hop reached the one behind it
    status: int | None = None
    ground: Literal["own", "id", "time"] = "own"  # the record itself, or how it was joined to this job


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP exchange made for a job."""

    number: int  # 1 for the first
    client_request_id: str
    marks: Marks
    ended: Ended
    cap: CapName | None = None  # which of our own caps fired
    cap_ms: float | None = None
    failure: tuple[str, ...] = ()  # exception class names, outermost first, then errno name if there is one
    http_status: int | None = None
    http_version: str | None = None
    headers: dict[str, str] = {}  # only names on the allow-list of `harness.evidence`, lower case
    request_id: str | None = None  # the API's own
    ids: dict[str, str] = {}  # every other id: header name → value
    error: ApiError | None = None
    body_kind: BodyKind | None = None
    body_head: str | None = (
        None  # first 300 characters of an answer that is neither JSON nor SSE nor an image; scrubbed
    )
    sse_events: int = 0
    sse_comments: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    longest_silence_ms: float | None = None  # longest time without a byte, from request_sent to the end
    connection_reused: bool | None = None
    addresses: tuple[AddressTry, ...] = ()
    rtt_ms: float | None = None  # the kernel's smoothed round trip at the end of the exchange
    retransmits: int | None = None  # segments that the kernel sent again on this connection
    tls_own_ms: float | None = None  # of the TLS handshake: our own part, after its last flight was here
    receive_path: ReceivePath = "library"
    stamp_source: StampSource = "user"
    stamp_error_ms: float | None = None  # how much earlier than its mark the worst-known byte mark may have been
    unread_ms: float | None = None  # the longest that bytes lay in the kernel before this process took them
    server_ms: float | None = None
    queue_ms: float | None = None
    gateway: str | None = None  # the product that named itself in the answer's headers
    gateway_retries: int | None = None
    gateway_fallbacks: int | None = None
    gateway_ms: float | None = None
    gateway_overhead_ms: float | None = None
    cache_hit: bool | None = None
    legs: tuple[Leg, ...] = ()
    polls: int = 0
    poll_error_ms: float | None = None
    body_shape: str | None = None  # keys and types, no values, of an answer that the task's mapping did not fit
    missing_path: str | None = None  # of the mapping: how far it led in that answer
    log_words: tuple[LogWord, ...] = ()  # what logs of the hops say, outermost first


class JobEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="image_job"):
    """One image request as the user meant it. The flat fields speak of the whole job, or of its last attempt."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    job_id: str
    cell: str
    block: int
    position: int
    request_started_at: str  # ISO 8601 with offset
    timezone: str
    time_scale: float = 1.0
    worker: str | None = None  # which of several machines measured it; null: the one that began the run
    region: str | None = None  # where that machine stands, as it was told
    clock_offset_ms: float | None = None  # its wall clock minus that of the machine that began the run
    clock_offset_error_ms: float | None = None  # and how far that may be off
    scheduled_at_ms: float | None = None

    route: str
    route_kind: str
    route_owner: str
    endpoint: str
    model: str
    quality: str | None = None
    size: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    n: int = 1
    stream: bool = False
    partial_images: int | None = None
    background: str | None = None
    moderation: str | None = None
    reference_images: int = 0
    reference_bytes: int = 0
    mask: bool = False
    edit_form: str | None = None
    text_model: str | None = None  # a text model ran first and called the image tool: an extra hop
    deployment: str | None = None  # the name that the provider knows the model by, where it is another
    prompt_chars: int
    prompt_complexity: str | None = None
    prompt_hash: str  # salted; equal for equal prompts on one machine, of no use elsewhere
    prompt_text: str | None = None
    in_flight: int = 1  # jobs of this run under way when this one started, itself included

    outcome: Outcome
    phase: str | None = None  # the last mark that was reached
    ended: Ended
    http_status: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    request_id: str | None = None
    retry_count: int = 0
    retry_reason: str | None = None
    gateway: str | None = None  # the product that named itself in the last answer
    gateway_retries: int | None = None
    gateway_fallbacks: int | None = None
    cache_hit: bool | None = None
    timeout_layer: str | None = None  # only what this side knows for certain: "client.<cap>" when our own cap fired

    connect_ms: float | None = None
    first_byte_ms: float | None = None
    first_event_ms: float | None = None
    first_partial_image_ms: float | None = None
    wait_ms: float | None = None
    final_image_ms: float | None = None
    delivered_ms: float | None = None
    response_ms: float | None = None
    service_ms: float | None = None
    limiter_wait_ms: float | None = None
    retry_wait_ms: float | None = None
    submit_ms: float | None = None
    running_ms: float | None = None
    callback_ms: float | None = None
    poll_error_ms: float | None = None
    download_ms: float | None = None
    render_ms: float | None = None
    total_ms: float | None = None
    upload_ms: float | None = None
    pool_wait_ms: float | None = None
    server_ms: float | None = None
    queue_ms: float | None = None
    gateway_ms: float | None = None
    gateway_overhead_ms: float | None = None
    longest_silence_ms: float | None = None
    host_lag_ms: float | None = None
    clock_error_ms: float | None = None

    bytes_up: int = 0
    bytes_down: int = 0
    images: tuple[ImageCheck, ...] = ()
    resolved_size: str | None = None
    resolved_quality: str | None = None
    resolved_format: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None  # of all attempts
    cost_basis: CostBasis = "estimate"  # of the last attempt
    earlier_attempts_usd: float | None = None  # of the cost: what attempts before the last may have been billed
    notes: tuple[str, ...] = ()  # fixed words of ours, never text from the wire
    attempts: tuple[Attempt, ...] = ()


class LinkCheck(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="link_check"):
    """A result link that was fetched again later. Stands in the same journal as the job that it belongs to."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    job_id: str
    route: str
    link: int  # which of the answer's links, from 0; the link itself is not kept
    checked_at: str
    due_s: float  # the age at which it was to be looked at, in seconds of the measured world
    age_s: float  # and the age that it had
    alive: bool  # HTTP 200, and whole
    same: bool | None = None  # byte for byte what it was when new; null where that is not known
    http_status: int | None = None
    ended: Ended
    bytes_down: int = 0
    total_ms: float | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(JobEvent)


def to_line(event: JobEvent | LinkCheck) -> bytes:
    """One JSON line with its newline. `to_line` and `from_line` are inverse."""
    return _encoder.encode(event) + b"\n"


def from_line(line: bytes | str) -> JobEvent:
    """Decode one line. Unknown fields are ignored, so that an older reader survives a newer writer.

    Raises:
        msgspec.ValidationError: the line is JSON but not a job event.
        msgspec.DecodeError: the line is not JSON (a torn last line, say).
    """
    return _decoder.decode(line)


def json_schema() -> dict[str, Any]:
    """JSON Schema of one event line. The field descriptions come from `harness.metrics`."""
    from harness.metrics import METRICS

    schema = msgspec.json.schema(JobEvent)
    properties = schema["$defs"]["JobEvent"]["properties"]
    for metric in METRICS:
        if metric.name in properties:
            properties[metric.name]["description"] = metric.describe()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "harness job event"
    return schema


if __name__ == "__main__":  # python -m harness.events > docs/event.schema.json
    print(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())
