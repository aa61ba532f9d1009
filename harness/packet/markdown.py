"""``packet.md``: the same facts for a person. Its first lines hold what support acts on: what, where, when, ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.metrics import METRICS
from harness.packet.facts import AttemptFacts, ErrorFacts, Unknown
from harness.packet.requests import RECIPIENTS
from harness.packet.schema import EscalationPacket
from harness.packet.sections import log_words, queue_section, reproduction_section
from harness.packet.words import (
    VERDICTS,
    decision_sentence,
    figure,
    seconds,
    size_word,
    timeout_sentence,
    word,
)


def markdown(packet: EscalationPacket) -> str:
    """The packet as a page of text."""
    parts = (
        _head(packet), _request(packet), _clocks(packet), _attempts(packet), queue_section(packet), _chain(packet),
        _compared(packet), reproduction_section(packet), _rest(packet),
    )  # fmt: skip
    return "\n".join(line for part in parts for line in part) + "\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    columns = list(head)
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _head(packet: EscalationPacket) -> Iterator[str]:
    when = packet.when
    yield f"# {packet.verdict.replace('_', ' ')}: {packet.request.model} {packet.request.endpoint}"
    yield ""
    yield f"**Asked of {RECIPIENTS[packet.decision.asked_of]}.** {decision_sentence(packet)}"
    yield ""
    yield f"- What: {VERDICTS[packet.verdict]}. {timeout_sentence(packet)}"
    yield (
        f"- Ended: {packet.outcome}, {packet.ended}, HTTP {figure(packet.http_status)}, "
        f"after {seconds(packet.clocks.total_ms)}; reached {word(packet.phase_reached)}."
    )
    started = when.started_at.isoformat(timespec="milliseconds") if when.started_at else "unknown"
    yield (
        f"- When: {started} (UTC offset {figure(when.utc_offset_minutes, ' min')}); "
        f"{when.pattern.replace('_', '-')}: {when.jobs} of {when.of_jobs} jobs "
        f"on this route{_since(packet)}."
    )
    product = f", {packet.route.product}" if packet.route.product else ""
    yield f"- Route: {packet.route.label}{product}, kind {packet.route.kind}."
    ids = ", ".join(f"{one.header} `{one.value}`" for one in packet.ids()) or "none came back"
    yield f"- Ids: {ids}"
    yield f"- Error: {_error(packet.error)}"
    if not packet.conclusive:
        yield "- The run's diagnosis is not conclusive."
    if packet.simulated:
        yield "- **Simulated:** measured against the harness's own simulator, not a provider."
    yield ""


def _since(packet: EscalationPacket) -> str:
    when = packet.when
    if when.since is None or when.until is None:
        return ""
    return f", {when.since.isoformat(timespec='seconds')} to {when.until.isoformat(timespec='seconds')}"


def _unknown(found: Unknown | None) -> str:
    if found is None:
        return "-"
    return f"unknown ({found.chars} characters, fingerprint {word(found.fingerprint)})"


def _error(error: ErrorFacts | None) -> str:
    if error is None:
        return "none"
    stage = f", moderation stage {error.moderation_stage}" if error.moderation_stage else ""
    where = ", inside the stream" if error.in_stream else ""
    return (
        f"type {error.type or _unknown(error.unknown_type)}, code {error.code or _unknown(error.unknown_code)}, "
        f"param {word(error.param)}, message {word(error.message_id)} ({error.message_chars} characters, "
        f"fingerprint {word(error.message_fingerprint)}){stage}{where}"
    )


def _request(packet: EscalationPacket) -> Iterator[str]:
    asked = packet.request
    yield "## Request"
    yield ""
    rows = [
        ("streaming", f"{'yes' if asked.stream else 'no'}, partial images {figure(asked.partial_images)}"),
        ("quality, size", f"{word(asked.quality)}, {size_word(asked.size)}{_high(asked.high_resolution)}"),
        ("format, compression", f"{word(asked.output_format)}, {figure(asked.output_compression)}"),
        ("background, moderation", f"{word(asked.background)}, {word(asked.moderation)}"),
        ("images", figure(asked.n)),
        ("reference images", f"{asked.reference_images} ({asked.reference_bytes} bytes){_mask(asked.mask)}"),
        ("prompt", f"{asked.prompt_length} characters, complexity {word(asked.prompt_complexity)}; text not included"),
    ]
    yield from _table(("what", "value"), rows)
    yield ""


def _mask(mask: bool) -> str:
    return ", and a mask" if mask else ""


def _high(high: bool | None) -> str:
    return " (high resolution)" if high else ""


def _clocks(packet: EscalationPacket) -> Iterator[str]:
    yield "## Clocks"
    yield ""
    rows = []
    for metric in METRICS:
        value = getattr(packet.clocks, metric.name, None)
        if value is not None:
            span = "as reported" if metric.start == "reported" else f"{metric.start} to {metric.end}"
            rows.append((metric.title, seconds(value), span))
    yield from _table(("clock", "value", "from, to"), rows)
    yield ""
    yield (
        f"Retries: ours {packet.retries.ours} ({word(packet.retries.our_reason)}), "
        f"the gateway's {figure(packet.retries.gateway)}, its fallbacks {figure(packet.retries.fallbacks)}."
    )
    if packet.time_scale != 1.0:
        yield f"Times are those of the measured world; the simulation ran {packet.time_scale:g} times as fast."
    yield ""


def _attempts(packet: EscalationPacket) -> Iterator[str]:
    yield "## Attempts"
    yield ""
    for attempt in packet.attempts:
        yield f"{attempt.number}. {_attempt(attempt)}"
    if not packet.attempts:
        yield "None recorded."
    yield ""


def _attempt(attempt: AttemptFacts) -> str:
    parts = [
        f"{attempt.ended}, HTTP {figure(attempt.http_status)} ({word(attempt.http_version)}), "
        f"server {word(attempt.server)}, "
        f"{seconds(attempt.marks.started_at_ms)} to {seconds(attempt.marks.ended_at_ms)}",
        f"bytes up {attempt.bytes_up}, down {attempt.bytes_down}",
        f"longest silence {seconds(attempt.longest_silence_ms)}",
    ]
    if attempt.our_cap is not None:
        parts.append(f"our own {attempt.our_cap} cap of {figure(attempt.our_cap_s, ' s')} fired")
    if attempt.failure:
        parts.append("raised " + " < ".join(attempt.failure))
    if attempt.error is not None:
        parts.append(f"error {_error(attempt.error)}")
    for window in attempt.rate_limits:
        parts.append(
            f"{window.bucket}: {figure(window.remaining)} of {figure(window.limit)} left, "
            f"reset in {seconds(window.reset_ms)}"
        )
    for log in attempt.logs:
        parts.append(log_words(log))
    if attempt.cache_hit:
        parts.append("answered from a cache")
    if attempt.retry_after_ms is not None:
        parts.append(f"retry after {seconds(attempt.retry_after_ms)}")
    return "; ".join(parts)


def _chain(packet: EscalationPacket) -> Iterator[str]:
    ours = packet.local_chain
    yield "## Our side"
    yield ""
    yield (
        f"Caps in seconds: connect {figure(ours.connect_cap_s)}, first byte {figure(ours.first_byte_cap_s)}, "
        f"idle {figure(ours.idle_cap_s)}, total {figure(ours.total_cap_s)}; "
        f"retries allowed {ours.retries_allowed}."
    )
    yield f"Runtime: {ours.platform}, {ours.cpus} CPUs, Python {word(ours.python)}, openai {word(ours.openai_sdk)}."
    yield ""
    if ours.layers:
        rows = (
            (str(one.position), word(one.product), one.layer_class, one.cap_kind, figure(one.cap_s), word(one.setting))
            for one in ours.layers
        )
        yield from _table(("layer", "product", "class", "kind of cap", "cap [s]", "setting"), rows)
        yield ""


def _compared(packet: EscalationPacket) -> Iterator[str]:
    found = packet.comparison
    yield "## Compared with the most direct route"
    yield ""
    if found is None:
        yield "Not measured in this run."
    else:
        sides = ((packet.route.label, found.on_this), (f"{found.direct.label}, most direct", found.on_direct))
        rows = (
            (label, str(one.jobs), str(one.refused), str(one.with_image), seconds(one.median_final_image_ms))
            for label, one in sides
        )
        yield from _table(("route", "jobs", "refused", "with image", "median final image"), rows)
        yield ""
        yield (
            "Refused jobs (4xx, 408 excepted) are left out. A job without an image counts as slower than every other; "
            "no median means that most never got there."
        )
    yield ""


def _rest(packet: EscalationPacket) -> Iterator[str]:
    answer = packet.answer
    yield "## What came back"
    yield ""
    yield (
        f"Answer: {answer.images} images, {answer.image_bytes} bytes, "
        f"{word(answer.format)} {size_word(answer.size)}; "
        f"said to be {word(answer.resolved_quality)} {size_word(answer.resolved_size)}, "
        f"tokens in {figure(answer.input_tokens)}, out {figure(answer.output_tokens)}."
    )
    yield ""
    yield "packet.json has every mark."
    removed = ", ".join(f"{one.kind.replace('_', ' ')} {one.count}" for one in packet.dropped) or "none"
    yield f"Left out because they fit no closed field: {removed}. Written by {packet.tool} {packet.tool_version}."
