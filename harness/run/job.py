"""One job: its attempts, their pauses, its event."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import HarnessError
from harness.events import Attempt, JobEvent
from harness.kept import image_name
from harness.plan import Job
from harness.routes.base import Answer, Call, ExchangeFailed, Route, Target
from harness.run.attempt import Exchange, make_attempt
from harness.run.images import Decoded, decode_image
from harness.run.lag import LagMeter
from harness.run.linkbook import Kept, LinkBook
from harness.run.record import JobFacts, make_event
from harness.run.references import References
from harness.run.retry import RetryPolicy
from harness.salt import prompt_hash
from harness.wire.caps import Caps
from harness.wire.clock import WorldClock
from harness.wire.failures import exception_chain
from harness.wire.scrub import Scrubber
from harness.wire.trace import Leg, Trace

IMAGES_NOT_KEPT = "images_not_kept"
MayRetry = Callable[[Attempt], Awaitable[bool]]


@dataclass(frozen=True)
class Lane:
    """A route of the scenario, ready to be used."""

    kind: str
    owner: str
    target: Target
    route: Route


@dataclass(frozen=True)
class Setting:
    """What all jobs of a run share."""

    run_id: str
    model: str
    lanes: Mapping[str, Lane]
    clock: WorldClock
    caps: Caps  # in seconds of this machine
    retry: RetryPolicy
    salt: bytes
    record_prompts: bool
    lag: LagMeter
    images_dir: Path | None = None
    link_check_s: tuple[float, ...] = ()
    references: References = field(default_factory=References)
    answered: Callable[[], None] = lambda: None  # told when an exchange is over, before its answer is looked at
    # A few at a time: each holds a decoded picture, and more of them than cores are not done any sooner.
    interpreting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    def facts(self, job: Job, in_flight: int) -> JobFacts:
        """What is known of `job` as it goes out now."""
        lane = self.lanes[job.cell.route]
        now = datetime.now().astimezone()
        return JobFacts(
            run_id=self.run_id,
            job=job,
            model=self.model,
            endpoint=lane.route.endpoint(edits=job.cell.edits),
            route_kind=lane.kind,
            route_owner=lane.owner,
            started_at=now.isoformat(timespec="milliseconds"),
            timezone=now.tzname() or "",
            prompt_hash=prompt_hash(job.prompt.text, self.salt),
            prompt_text=job.prompt.text if self.record_prompts else None,
            in_flight=in_flight,
            reference_bytes=self.references.bytes_of(job.cell),
        )

    def client_request_id(self, job: Job, number: int) -> str:
        """The id that we send, by which the other side's log can be joined.

        Opaque on purpose: it reaches every hop, and a scenario's name is nobody else's business. The first half is
        the job's key, the same in every run of the scenario: shape, route, block, and with the file's bytes the prompt.
        The second half is the run's.
        """
        return f"harness-{_hex(job.job_id)}{_hex(self.run_id)}-{number}"


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


async def run_job(
    setting: Setting,
    job: Job,
    in_flight: int,
    *,
    scheduled_ns: int | None = None,
    may_retry: MayRetry | None = None,
) -> JobEvent:
    """Send one job, with its retries, and say what became of it. Never raises for what a provider does.

    A cancellation is recorded like any other end: the event comes back with outcome "cancelled". `may_retry` is asked
    before each retry, which is a send like any other: money may be short. `scheduled_ns` is when the job was due.
    """
    lane = setting.lanes[job.cell.route]
    facts = setting.facts(job, in_flight)
    scrubber = Scrubber(prompt=job.prompt.text, secrets=lane.target.secrets())
    dice = random.Random(f"{setting.run_id}/{job.job_id}")
    exchanges: list[Exchange] = []
    attempts: list[Attempt] = []
    reason: str | None = None
    zero_ns: int | None = None
    while True:
        exchange = await _attempt(setting, lane, job, len(attempts) + 1, scrubber)
        # The job begins when its first attempt is handed to the transport: what the SDK needs to build it is ours.
        zero_ns = zero_ns or exchange.trace.started_ns or WorldClock.now_ns()
        attempt = make_attempt(exchange, zero_ns, setting.clock, scrubber)
        exchanges.append(exchange)
        attempts.append(attempt)
        if exchange.cancelled:
            break
        pause_s = setting.retry.pause_s(attempt, now=datetime.now(UTC), dice=dice)
        if pause_s is None or (may_retry is not None and not await may_retry(attempt)):
            break
        reason = setting.retry.reason(attempt)
        try:
            await asyncio.sleep(setting.clock.here_s(pause_s))
        except asyncio.CancelledError:
            break
    ended_ns = exchanges[-1].trace.ended_ns or zero_ns
    notes: list[str] = []
    # What was paid for is told whatever becomes of the rest: an image or a link that finds no place is a note.
    if setting.images_dir is not None:
        try:
            await to_its_end(_keep, setting.images_dir, job.job_id, exchanges[-1].images)
        except OSError:
            notes.append(IMAGES_NOT_KEPT)
    if setting.link_check_s:
        try:
            await to_its_end(_remember_links, setting, lane, job, exchanges[-1])
        except HarnessError:
            notes.append("links_not_kept")
    return make_event(
        facts,
        exchanges,
        attempts,
        clock=setting.clock,
        host_lag_ns=setting.lag.worst_ns(zero_ns, ended_ns),
        retry_reason=reason,
        notes=(*notes, *setting.lag.notes(zero_ns, ended_ns)),
        scheduled_at_ms=None if scheduled_ns is None else setting.clock.ms(zero_ns, scheduled_ns),
    )


async def to_its_end(function: Callable[..., None], *args: object) -> None:
    """In a worker thread. A cancellation comes too late for the job, which is over, and must not cost its event."""
    going = asyncio.ensure_future(asyncio.to_thread(function, *args))
    while not going.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([going])
    going.result()


async def _attempt(setting: Setting, lane: Lane, job: Job, number: int, scrubber: Scrubber) -> Exchange:
    pictures, mask = setting.references.of(job.cell)
    call = Call(
        fields={"model": setting.model, "prompt": job.prompt.text, **_request(job)},
        stream=job.cell.stream,
        client_request_id=setting.client_request_id(job, number),
        caps=setting.caps,
        references=pictures,
        mask=mask,
        edit_form=job.cell.edit_form or "multipart",
    )
    trace = Trace.of(setting.caps, expendable=lane.route.expendable)
    failure: tuple[str, ...] = ()
    cancelled = False
    try:
        async with asyncio.timeout(setting.caps.total_s):
            await lane.route.exchange(call, trace)
    except TimeoutError as error:
        trace.cap_fired = trace.cap_fired or "total"
        failure = exception_chain(error)
    except ExchangeFailed as error:
        failure = exception_chain(error.__cause__)
    except asyncio.CancelledError as error:
        cancelled = True
        failure = exception_chain(error)
    trace.finish()
    setting.answered()
    link_sha256: dict[int, str] = {}
    answer, images = Answer(), tuple[Decoded, ...]()
    if not cancelled:
        keep = setting.images_dir is not None
        try:
            async with setting.interpreting:
                answer, images = await asyncio.to_thread(_interpret, lane.route, trace, scrubber, job, keep=keep)
        except asyncio.CancelledError:  # its marks are kept; what it brought was not looked at any more
            cancelled = True
    if setting.link_check_s:
        link_sha256 = {leg.link: _sha256(leg) for leg in trace.legs if leg.kind == "download"}
    for one in trace.all_traces():
        one.body.release()
    return Exchange(number, call.client_request_id, trace, failure, cancelled, answer, images, link_sha256)


def _sha256(leg: Leg) -> str:
    return hashlib.sha256(leg.trace.body.whole()).hexdigest()


def _request(job: Job) -> dict[str, object]:
    fields = job.cell.request()
    fields.pop("stream", None)
    return fields


def _interpret(
    route: Route, trace: Trace, scrubber: Scrubber, job: Job, *, keep: bool
) -> tuple[Answer, tuple[Decoded, ...]]:
    """Parse and decode, in a worker thread: nothing of it may delay the loop that reads. Marks stay, bytes go."""
    answer = route.read(trace, scrubber)
    images = []
    for payload in answer.finals:
        decoded = decode_image(
            payload.encoded,
            asked_format=job.cell.output_format,
            asked_size=job.cell.size,
            base64=payload.base64,
        )
        images.append(decoded if keep else replace(decoded, data=b""))
    stripped = tuple(replace(payload, encoded=b"") for payload in answer.finals)
    return replace(answer, finals=stripped), tuple(images)


def _remember_links(setting: Setting, lane: Lane, job: Job, exchange: Exchange) -> None:
    now_s = time.time()
    LinkBook(setting.run_id).add(
        [
            Kept(
                run_id=setting.run_id,
                job_id=job.job_id,
                route=job.cell.route,
                link=index,
                url=url,
                fetched_at_s=now_s,
                sha256=exchange.link_sha256.get(index),
                due_s=setting.link_check_s,
                time_scale=setting.clock.time_scale,
                ca_file=lane.target.ca_file,
            )
            for index, url in enumerate(exchange.answer.links)
            if url.startswith("http")
        ]
    )


def _keep(folder: Path, job_id: str, images: tuple[Decoded, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        if image.data and image.check.format:
            path = folder / image_name(job_id, index, image.check.format)
            try:
                path.write_bytes(image.data)
            except OSError:
                path.unlink(missing_ok=True)  # half a picture is none
                raise
