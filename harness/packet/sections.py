"""Sections of ``packet.md``: queues, hops' logs, and the smallest reproduction. Fixed words, closed words, figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.packet.facts import LogFact
from harness.packet.schema import EscalationPacket, Reproduction, RequestShape
from harness.packet.vocabulary import GaveUp, ShrinkParam, ShrinkState
from harness.packet.words import figure, seconds, size_word, word

PARAMS: Mapping[ShrinkParam, str] = {
    "references": "reference images",
    "stream": "streaming",
    "format": "format and compression",
    "background": "background",
    "moderation": "moderation",
    "size": "size",
    "quality": "quality",
    "n": "number of images",
    "prompt": "prompt",
}
STATES: Mapping[ShrinkState, str] = {
    "smallest": "No parameter can be made any simpler without losing it; confirmed with fresh sends.",
    "unfinished": "The search was not finished: a smaller one may show it as well.",
    "not_reproduced": "Sent again, the job's own shape did not show it any more.",
}
GAVE_UP: Mapping[GaveUp, str] = {
    "self": "gave up on the hop behind it",
    "client": "was left by its caller",
    "upstream": "was closed or refused by the hop behind it",
    "nobody": "says that nobody gave up",
}
GROUNDS: Mapping[str, str] = {"own": "", "id": ", joined by id", "time": ", joined by time and shape"}


def queue_section(packet: EscalationPacket) -> Iterator[str]:
    """Where the job waited before anybody worked on it."""
    queue = packet.queue
    yield "## Queues"
    yield ""
    yield (
        f"Ours: {queue.in_flight} jobs under way at the start (concurrency {queue.concurrency}), sent "
        f"{seconds(queue.sent_late_ms)} after its time, waited {seconds(queue.pool_wait_ms)} for a connection."
    )
    yield (
        f"Theirs: queue as reported {seconds(queue.server_queue_ms)}, task waited {seconds(queue.task_waited_ms)}, "
        f"polls {queue.polls}; refused for the rate: {queue.rate_limited_attempts} attempts of this job, "
        f"{queue.rate_limited_jobs} jobs on this route."
    )
    yield ""


def log_words(log: LogFact) -> str:
    """What one hop's log says, in a clause."""
    said = "says nothing of who gave up" if log.gave_up is None else GAVE_UP[log.gave_up]
    reached = "" if log.connected is None else ", upstream reached" if log.connected else ", upstream not reached"
    status = f", status {log.http_status}" if log.http_status is not None else ""
    return (
        f"log of {log.writer} ({log.side}{GROUNDS[log.ground]}): {said} after {seconds(log.after_ms)}{status}{reached}"
    )


def reproduction_section(packet: EscalationPacket) -> Iterator[str]:
    """What repro.sh and repro.py send, and how that was found."""
    found = packet.reproduction
    yield "## Reproduction"
    yield ""
    if found is None:
        yield "repro.sh and repro.py send the job's own shape; whether a smaller one shows the same was not tried."
    else:
        yield from _found(found)
    if packet.repro_request.mask:
        yield "The scripts send the reference images without the mask."
    yield "Both take your own key and a synthetic prompt, send once, and print clocks and ids."
    yield ""


def _found(found: Reproduction) -> Iterator[str]:
    if found.request is not None:
        yield f"Smallest request that shows it: {_shape(found.request)}."
        yield f"It did in {found.shown} of {found.of_sends} sends. {STATES[found.state]}"
        needed = ", ".join(PARAMS[one] for one in found.needed) or "none, any shape shows it"
        yield f"Needed: {needed}. Not needed: {', '.join(PARAMS[one] for one in found.not_needed) or 'none'}."
        if found.own_prompt:
            yield "It takes the job's own prompt, which is not in here: with the synthetic one it may not show."
    else:
        yield STATES[found.state if found.state == "not_reproduced" else "unfinished"]
    route = "" if found.same_route else ", over another route than the job's"
    yield f"{found.shapes_tried} shapes, {found.sends} sends, up to {found.repeats} of each{route}."


def _shape(asked: RequestShape) -> str:
    parts = [f"{asked.endpoint}, quality {word(asked.quality)}, size {size_word(asked.size)}"]
    if asked.output_format is not None or asked.output_compression is not None:
        parts.append(f"format {word(asked.output_format)} {figure(asked.output_compression)}")
    if asked.stream:
        parts.append(f"streamed with {figure(asked.partial_images)} partial images")
    parts += [f"{name} {value}" for name in ("background", "moderation") if (value := getattr(asked, name)) is not None]
    if asked.n != 1:
        parts.append(f"{asked.n} images")
    if asked.reference_images:
        parts.append(f"{asked.reference_images} reference images{' and a mask' if asked.mask else ''}")
    parts.append(f"prompt of {asked.prompt_length} characters, complexity {word(asked.prompt_complexity)}")
    return ", ".join(parts)
