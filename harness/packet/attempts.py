"""One attempt's facts, narrowed: marks, ids, rate limits, and its error without its words."""

from __future__ import annotations

from collections.abc import Mapping

from harness.events import ApiError, Attempt, JobEvent, LogWord, Marks
from harness.packet.facts import AttemptFacts, ErrorFacts, LogFact, MarksMs, RateBucket, RateWindow
from harness.packet.ids import PATTERNS, AnchoredId, fits
from harness.packet.layers import product_of
from harness.packet.messages import message_id
from harness.packet.narrow import Narrower
from harness.packet.vocabulary import (
    HTTP_VERSIONS,
    ErrorCode,
    ErrorParam,
    ErrorType,
    Failure,
    ModerationStage,
    exact,
)

MOST_IDS = 16
MOST_ATTEMPTS = 32
MOST_LOGS = 12
_FAILURES = exact(Failure)
_TYPES, _CODES, _PARAMS = exact(ErrorType), exact(ErrorCode), exact(ErrorParam)
_STAGES = exact(ModerationStage)
_RATE_PREFIXES = ("x-ratelimit-", "llm_provider-x-ratelimit-")
_BUCKETS: tuple[RateBucket, ...] = ("requests", "tokens", "images", "input-images", "output-images")


def marks_of(marks: Marks, narrow: Narrower) -> MarksMs:
    """Every moment within bounds."""
    single = {name: narrow.ms(getattr(marks, name)) for name in MarksMs.model_fields if name in marks.__struct_fields__}
    partials = tuple(
        at for span in marks.partial_images[:16] if (at := narrow.ms(span.whole_at_ms)) is not None
    )  # fmt: skip
    return MarksMs.model_validate({**single, "partial_image_at_ms": partials})


def ids_of(attempt: Attempt, narrow: Narrower) -> tuple[AnchoredId, ...]:
    """The attempt's ids, each with its header. What has not the header's shape is dropped and counted."""
    found: dict[str, AnchoredId] = {}

    def take(header: str, value: str) -> None:
        if fits(header, value):
            found.setdefault(value, AnchoredId.model_validate({"header": header, "value": value}))
        else:
            narrow.drop("id")

    for name, value in attempt.ids.items():
        take(name.lower(), value)
    for name, value in attempt.headers.items():
        if name.lower() in PATTERNS:
            take(name.lower(), value)
    if attempt.request_id:
        take("x-request-id", attempt.request_id)
    if attempt.client_request_id:
        take("x-client-request-id", attempt.client_request_id)
    kept = tuple(found.values())
    narrow.drop("list_entry", len(kept) - MOST_IDS)
    return kept[:MOST_IDS]


def rate_windows(headers: Mapping[str, str], narrow: Narrower) -> tuple[RateWindow, ...]:
    """The ``x-ratelimit-*`` headers as numbers, one window a bucket."""
    windows: list[RateWindow] = []
    known: set[str] = set()
    for bucket in _BUCKETS:
        found: dict[str, str] = {}
        for part in ("limit", "remaining", "reset"):
            for prefix in _RATE_PREFIXES:
                name = f"{prefix}{part}-{bucket}"
                known.add(name)
                if name in headers:
                    found.setdefault(part, headers[name])
        if found:
            window = RateWindow(
                bucket=bucket,
                limit=narrow.integer(found.get("limit")),
                remaining=narrow.integer(found.get("remaining")),
                reset_ms=narrow.duration_ms(found.get("reset")),
            )
            windows.append(window)
    narrow.drop("header", sum(name.startswith(_RATE_PREFIXES) and name not in known for name in headers))
    return tuple(windows)


def error_of(error: ApiError | None, body_head: str | None, narrow: Narrower) -> ErrorFacts | None:
    """Type, code, which message, how long, and a fingerprint. Never the message."""
    if error is None and not body_head:
        return None
    error = error or ApiError(message_chars=0)
    kind, code = _TYPES.get(error.type or ""), _CODES.get(error.code or "")
    known_message = message_id(error.message, body_head)
    narrow.drop("text", bool(error.message) + bool(body_head))
    facts = {
        "type": kind,
        "unknown_type": None if kind else narrow.unknown(error.type),
        "code": code,
        "unknown_code": None if code else narrow.unknown(error.code),
        "param": narrow.word(error.param, _PARAMS, "other"),
        "message_id": known_message,
        "message_chars": narrow.count(error.message_chars),
        "message_fingerprint": narrow.fingerprint(error.fingerprint),
        "moderation_stage": narrow.word(error.moderation_stage, _STAGES, "other"),
        "in_stream": error.in_stream,
    }
    return ErrorFacts.model_validate(facts)


def job_error(event: JobEvent, narrow: Narrower) -> ErrorFacts | None:
    """The error of the last attempt; of an event without one (an ingested log), what its flat fields say."""
    if event.attempts:
        last = event.attempts[-1]
        found = error_of(last.error, last.body_head, Narrower())  # counted once, with its attempt
        if found is not None:
            return found
    if event.error_type or event.error_code:
        return error_of(ApiError(type=event.error_type, code=event.error_code), None, narrow)
    return None


def _retry_after_ms(headers: Mapping[str, str], narrow: Narrower) -> float | None:
    if "retry-after-ms" in headers:
        return narrow.duration_ms(headers["retry-after-ms"], bare_unit="ms")
    return narrow.duration_ms(headers.get("retry-after"))


def log_facts(words: tuple[LogWord, ...], narrow: Narrower) -> tuple[LogFact, ...]:
    """What hops' logs say, outermost first. A log's own word stays behind: it may be anything."""
    narrow.drop("list_entry", len(words) - MOST_LOGS)
    narrow.drop("text", sum(word.word is not None for word in words))
    return tuple(
        LogFact(
            writer=narrow.counted(product_of(word.writer)) or "other",
            side=word.side,
            gave_up=word.gave_up,
            after_ms=narrow.ms(word.after_ms, 0.0),
            connected=word.connected,
            http_status=narrow.whole(word.status, 100, 999),
            ground=word.ground,
        )
        for word in words[:MOST_LOGS]
    )


def attempt_facts(attempt: Attempt, narrow: Narrower, *, end_known: bool = True) -> AttemptFacts:
    """One attempt, narrowed. Where its end is not known, what stands for that mark is its beginning: left out."""
    marks = marks_of(attempt.marks, narrow)
    headers = {name.lower(): value for name, value in attempt.headers.items()}
    cap_s = None if attempt.cap_ms is None else attempt.cap_ms / 1000
    known_failures = [_FAILURES.get(name) or narrow.counted("other") for name in attempt.failure]
    narrow.drop("list_entry", len(known_failures) - 12)
    should_retry = {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())
    server = product_of(headers.get("server"))
    facts = {
        "number": narrow.whole(attempt.number, 1, 999) or 1,
        "marks": marks if end_known else marks.model_copy(update={"ended_at_ms": None}),
        "ended": attempt.ended,
        "our_cap": attempt.cap,
        "our_cap_s": narrow.seconds(cap_s),
        "failure": tuple(known_failures[:12]),
        "http_status": narrow.whole(attempt.http_status, 100, 999),
        "http_version": narrow.word(attempt.http_version, HTTP_VERSIONS, "other"),
        "server": narrow.counted(server),
        "ids": ids_of(attempt, narrow),
        "error": error_of(attempt.error, attempt.body_head, narrow),
        "rate_limits": rate_windows(headers, narrow),
        "retry_after_ms": _retry_after_ms(headers, narrow),
        "should_retry": should_retry,
        "body_kind": attempt.body_kind,
        "sse_events": narrow.count(attempt.sse_events),
        "sse_comments": narrow.count(attempt.sse_comments),
        "bytes_up": narrow.count(attempt.bytes_up, 2**40),
        "bytes_down": narrow.count(attempt.bytes_down, 2**40),
        "connection_reused": attempt.connection_reused,
        "addresses_tried": narrow.count(len(attempt.addresses)),
        "stamps": attempt.stamp_source,
        "longest_silence_ms": narrow.ms(attempt.longest_silence_ms),
        "server_ms": narrow.ms(attempt.server_ms),
        "queue_ms": narrow.ms(attempt.queue_ms),
        "gateway_retries": narrow.whole(attempt.gateway_retries),
        "gateway_fallbacks": narrow.whole(attempt.gateway_fallbacks),
        "cache_hit": attempt.cache_hit,
        "polls": narrow.count(attempt.polls),
        "logs": log_facts(attempt.log_words, narrow),
    }
    return AttemptFacts.model_validate(facts)


def all_attempts(event: JobEvent, narrow: Narrower) -> tuple[AttemptFacts, ...]:
    """The last attempts of a job, at most `MOST_ATTEMPTS`."""
    kept = event.attempts[-MOST_ATTEMPTS:]
    narrow.drop("list_entry", len(event.attempts) - len(kept))
    known = event.total_ms is not None
    return tuple(attempt_facts(one, narrow, end_known=known or one is not kept[-1]) for one in kept)
