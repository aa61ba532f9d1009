"""Wall 1 at work: from a run directory to a closed packet. Values are read out and narrowed; nothing is copied over.

So nothing has to be redacted: what the schema has no word, number or anchored id for does not come along, and is
counted by kind.
"""

from __future__ import annotations

from pathlib import Path

import harness
from harness.conditions import RouteConditions, RunConditions
from harness.events import JobEvent
from harness.packet.asking import decision, timeout_layer
from harness.packet.attempts import all_attempts, job_error
from harness.packet.choose import choose
from harness.packet.compare import compare, when
from harness.packet.facts import Clocks
from harness.packet.inputs import RunInputs, read_inputs
from harness.packet.layers import CLASS_OF, layer_class_of, product_of, setting_of
from harness.packet.narrow import Narrower
from harness.packet.schema import (
    SCHEMA_VERSION,
    Answer,
    ChainLayer,
    EscalationPacket,
    LocalChain,
    Queue,
    RequestShape,
    Retries,
    Route,
    Size,
)
from harness.packet.shrunk import HIGH_RESOLUTION_PIXELS, reproduction
from harness.packet.vocabulary import (
    CAP_KIND_ALIASES,
    COMPLEXITY_ALIASES,
    FORMAT_ALIASES,
    OWNER_ALIASES,
    RETRY_ALIASES,
    ROUTE_KIND_ALIASES,
    Background,
    Moderation,
    Phase,
    Quality,
    endpoint_of,
    exact,
    platform_of,
    prompt_bucket,
)

_QUALITIES, _BACKGROUNDS, _MODERATIONS, _PHASES = exact(Quality), exact(Background), exact(Moderation), exact(Phase)
_MOST_LAYERS = 20


def extract(run_dir: Path, job_id: str | None = None) -> EscalationPacket:
    """The packet of one job of a run: the one asked for, else the most telling one (`harness.packet.choose`).

    Raises:
        UsageProblem: the directory is not a diagnosed run, or holds no such job.
    """
    inputs = read_inputs(run_dir)
    return extract_from(inputs, choose(inputs, job_id))


def extract_from(inputs: RunInputs, job: JobEvent) -> EscalationPacket:
    """The packet of `job`, a member of `inputs.events`."""
    narrow = Narrower()
    routes = _routes(inputs, narrow)
    route = routes[job.route]
    declared = next((one for one in inputs.conditions.routes if one.name == job.route), None)
    verdict = inputs.verdicts.get(job.job_id)
    timeout = timeout_layer(job, verdict, declared, narrow)
    narrow.drop("note", len(job.notes))
    narrow.drop("text", bool(job.prompt_text))
    request = _request(job, narrow)
    facts = {
        "schema_version": SCHEMA_VERSION,
        "tool": "image-latency-harness",
        "tool_version": harness.__version__,
        "simulated": inputs.conditions.simulated,
        "time_scale": narrow.ms(job.time_scale, 1e-3, 1_000_000) or 1.0,
        "verdict": verdict.verdict if verdict is not None else "undetermined",
        "run_headline": inputs.diagnosis.headline,
        "conclusive": inputs.diagnosis.conclusive,
        "when": when(job, inputs, narrow),
        "route": route,
        "request": request,
        "outcome": job.outcome,
        "phase_reached": narrow.word(job.phase, _PHASES, "other"),
        "ended": job.ended,
        "http_status": narrow.whole(job.http_status, 100, 999),
        "clocks": Clocks.model_validate({name: narrow.ms(getattr(job, name)) for name in Clocks.model_fields}),
        "timeout": timeout,
        "retries": Retries.model_validate(
            {
                "ours": narrow.count(job.retry_count),
                "our_reason": narrow.word(job.retry_reason, RETRY_ALIASES, "other"),
                "gateway": narrow.whole(job.gateway_retries),
                "fallbacks": narrow.whole(job.gateway_fallbacks),
            }
        ),
        "error": job_error(job, narrow),
        "attempts": all_attempts(job, narrow),
        "answer": _answer(job, narrow),
        "local_chain": _local_chain(declared, inputs.conditions, narrow),
        "comparison": compare(job, inputs, routes, narrow),
        "reproduction": reproduction(inputs.shrunk, job.job_id, job.route, request, narrow),
        "queue": _queue(job, inputs, narrow),
        "decision": decision(job, inputs, route, timeout, narrow),
    }
    return EscalationPacket.model_validate({**facts, "dropped": narrow.dropped()})


def _routes(inputs: RunInputs, narrow: Narrower) -> dict[str, Route]:
    """A neutral label for every route: declared ones in their order, then those that only events name."""
    said = {route.name: (route.kind, route.owner) for route in inputs.conditions.routes}
    for event in inputs.events:
        said.setdefault(event.route, (event.route_kind, event.route_owner))
    routes: dict[str, Route] = {}
    for number, (name, (kind, owner)) in enumerate(said.items(), start=1):
        product = product_of(owner)
        gateway = CLASS_OF.get(product or "") == "gateway"
        facts = {
            "number": min(number, 999),
            "kind": narrow.word(kind, ROUTE_KIND_ALIASES, "gateway" if CLASS_OF.get(kind) == "gateway" else "other"),
            "owner": "gateway" if gateway else narrow.word(owner, OWNER_ALIASES, "other") or "other",
            "product": product if gateway else None,
        }
        routes[name] = Route.model_validate({**facts, "kind": facts["kind"] or "other"})
    return routes


def _request(job: JobEvent, narrow: Narrower) -> RequestShape:
    size = narrow.size(job.size)
    facts = {
        "endpoint": narrow.counted(endpoint_of(job.endpoint)),
        "model": narrow.model(job.model),
        "stream": job.stream,
        "partial_images": narrow.whole(job.partial_images, 0, 10),
        "quality": narrow.word(job.quality, _QUALITIES, "other"),
        "size": size,
        "high_resolution": size.width * size.height > HIGH_RESOLUTION_PIXELS if isinstance(size, Size) else None,
        "output_format": narrow.word(job.output_format, FORMAT_ALIASES, "other"),
        "output_compression": narrow.whole(job.output_compression, 0, 100),
        "background": narrow.word(job.background, _BACKGROUNDS, "other"),
        "moderation": narrow.word(job.moderation, _MODERATIONS, "other"),
        "n": narrow.whole(job.n, 1, 100) or 1,
        "reference_images": narrow.count(job.reference_images, 100),
        "reference_bytes": narrow.count(job.reference_bytes, 2**40),
        "mask": job.mask,
        "prompt_length": prompt_bucket(job.prompt_chars),
        "prompt_complexity": narrow.word(job.prompt_complexity, COMPLEXITY_ALIASES, "other"),
    }
    return RequestShape.model_validate(facts)


def _answer(job: JobEvent, narrow: Narrower) -> Answer:
    first = job.images[0] if job.images else None
    size = None
    if first is not None:
        width, height = narrow.whole(first.width, 1, 100_000), narrow.whole(first.height, 1, 100_000)
        size = Size(width=width, height=height) if width and height else None
    usage = job.usage
    facts = {
        "images": narrow.count(len(job.images)),
        "image_bytes": narrow.count(sum(image.image_bytes for image in job.images), 2**40),
        "format": narrow.word(first.format if first is not None else None, FORMAT_ALIASES, "other"),
        "size": size,
        "resolved_size": narrow.size(job.resolved_size),
        "resolved_quality": narrow.word(job.resolved_quality, _QUALITIES, "other"),
        "input_tokens": narrow.whole(usage.input_tokens, 0, 10**12) if usage is not None else None,
        "output_tokens": narrow.whole(usage.output_tokens, 0, 10**12) if usage is not None else None,
    }
    return Answer.model_validate(facts)


def _queue(job: JobEvent, inputs: RunInputs, narrow: Narrower) -> Queue:
    """Where the job waited before anybody worked on it, and whether its route was refused for its rate."""
    sent = job.attempts[0].marks.started_at_ms if job.attempts else 0.0
    last = job.attempts[-1].marks if job.attempts else None
    waited = None
    if last is not None and last.running_at_ms is not None and last.submitted_at_ms is not None:
        waited = last.running_at_ms - last.submitted_at_ms
    limited = [event for event in inputs.events if event.route == job.route and _rate_limited(event)]
    return Queue(
        in_flight=narrow.count(job.in_flight),
        concurrency=narrow.count(inputs.conditions.concurrency),
        sent_late_ms=None if job.scheduled_at_ms is None else narrow.ms(sent - job.scheduled_at_ms),
        pool_wait_ms=narrow.ms(job.pool_wait_ms),
        server_queue_ms=narrow.ms(job.queue_ms),
        task_waited_ms=narrow.ms(waited),
        polls=narrow.count(sum(attempt.polls for attempt in job.attempts)),
        rate_limited_attempts=narrow.count(sum(attempt.http_status == 429 for attempt in job.attempts)),
        rate_limited_jobs=narrow.count(len(limited)),
    )


def _rate_limited(event: JobEvent) -> bool:
    return event.http_status == 429 or any(attempt.http_status == 429 for attempt in event.attempts)


def _local_chain(declared: RouteConditions | None, conditions: RunConditions, narrow: Narrower) -> LocalChain:
    caps, host = conditions.caps, conditions.host
    chain = declared.chain if declared is not None else ()
    narrow.drop("list_entry", len(chain) - _MOST_LAYERS)
    layers: list[ChainLayer] = []
    for position, one in enumerate(chain[:_MOST_LAYERS], start=1):
        product = narrow.counted(product_of(one.product or one.layer))
        layers.append(
            ChainLayer(
                position=position,
                layer_class=layer_class_of(one.layer, product),
                product=product,
                cap_kind=CAP_KIND_ALIASES[one.kind],
                cap_s=narrow.seconds(one.cap_s),
                setting=narrow.counted(setting_of(one.setting)),
            )
        )
    return LocalChain(
        connect_cap_s=narrow.seconds(caps.connect_s),
        first_byte_cap_s=narrow.seconds(caps.first_byte_s),
        idle_cap_s=narrow.seconds(caps.idle_s),
        total_cap_s=narrow.seconds(caps.total_s),
        layers=tuple(layers),
        retries_allowed=narrow.count(conditions.retries),
        # Of logs that others wrote nothing is known of the machine: that is no value that was left out.
        platform=narrow.counted(platform_of(host.platform)) if host.platform else "other",
        cpus=narrow.count(host.cpus),
        python=narrow.version(host.python) if host.python else None,
        openai_sdk=narrow.version(host.openai_sdk) if host.openai_sdk else None,
    )
