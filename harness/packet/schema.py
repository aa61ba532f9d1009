"""`EscalationPacket`: wall 1. Everything that may leave this machine about a slow or failed job, and nothing else can.

A sanitizer has to find every secret; a closed schema has nowhere to put one. There is no free-text field: a string is
a word of a closed list, a version, a model of a known family, a fingerprint, or an id anchored to its header. A test
walks the JSON Schema and fails when a field breaks that rule.

Figures keep the names and units of `harness.metrics` and `harness.events`; what did not happen is null.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from harness.diagnosis.model import DecisionKind, Grade, VerdictName
from harness.events import Ended, Outcome
from harness.packet.closed import Bytes, Closed, Count, Limit, ModelName, Ms, Pixels, Seconds, Status, Version
from harness.packet.facts import AttemptFacts, Clocks, ErrorFacts
from harness.packet.ids import AnchoredId
from harness.packet.layers import LayerClass, Product, Setting
from harness.packet.vocabulary import (
    Background,
    Complexity,
    Endpoint,
    ImageFormat,
    Moderation,
    OwnerKind,
    Phase,
    Platform,
    PromptBucket,
    Quality,
    Recipient,
    RetryReason,
    RouteKind,
    ShrinkParam,
    ShrinkState,
    TimeoutKind,
)

SCHEMA_VERSION = 1

DropKind = Literal["name", "id", "number", "time", "error_word", "header", "text", "note", "list_entry"]


class When(Closed):
    """When the job began, with the offset of its place, and whether it is the only one of its kind."""

    started_at: AwareDatetime | None
    utc_offset_minutes: int | None = Field(ge=-840, le=840)
    pattern: Literal["one_off", "repeated"]
    jobs: Count  # jobs on this route with the same verdict and the same layer
    of_jobs: Count  # jobs on this route
    since: AwareDatetime | None
    until: AwareDatetime | None


class Route(Closed):
    """A route under a neutral label: the name its user gave it may hold a host or a customer."""

    number: int = Field(ge=1, le=999)
    kind: RouteKind
    owner: OwnerKind
    product: Product | None = None

    @property
    def label(self) -> str:
        """``route-2 (owner: gateway)``"""
        return f"route-{self.number} (owner: {self.owner})"


class Size(Closed):
    """A size in pixels."""

    width: Pixels
    height: Pixels


class RequestShape(Closed):
    """What was asked for. Of the prompt only its length class and how complex it is."""

    endpoint: Endpoint
    model: ModelName
    stream: bool
    partial_images: int | None = Field(ge=0, le=10)
    quality: Quality | None
    size: Size | Literal["auto", "other"] | None
    high_resolution: bool | None  # more pixels than 2560x1440; null when the size is not stated
    output_format: ImageFormat | None
    output_compression: int | None = Field(ge=0, le=100)
    background: Background | None
    moderation: Moderation | None
    n: int = Field(ge=1, le=100)
    reference_images: int = Field(ge=0, le=100)
    reference_bytes: Bytes
    mask: bool = False
    prompt_length: PromptBucket
    prompt_complexity: Complexity | None


class TimeoutLayer(Closed):
    """The layer that gave up, and on what evidence that is said."""

    grade: Grade
    layer_class: LayerClass
    product: Product | None
    position_in_chain: int | None = Field(ge=1, le=99)  # 1 is nearest to the client
    setting: Setting | None
    cap_s: Seconds | None
    cap_kind: TimeoutKind | None
    backend_finished: bool | None
    ours: bool  # one of the harness's own declared caps


class Retries(Closed):
    """Repeats, ours and the gateway's apart."""

    ours: Count
    our_reason: RetryReason | None
    gateway: Count | None
    fallbacks: Count | None = None  # the gateway's, to another model or account


class Queue(Closed):
    """Who waited for whom: on our side before the request left, on theirs before the work began."""

    in_flight: Count  # our jobs under way when this one began, itself included
    concurrency: Count
    sent_late_ms: Ms | None  # how much later than planned it was sent
    pool_wait_ms: Ms | None  # for a connection of our own pool
    server_queue_ms: Ms | None  # as the other side says
    task_waited_ms: Ms | None  # from a task's submission to the first poll that said it was running
    polls: Count
    rate_limited_attempts: Count  # of this job
    rate_limited_jobs: Count  # on this route, this job among them


class Answer(Closed):
    """What came back, as far as it came."""

    images: Count
    image_bytes: Bytes
    format: ImageFormat | None
    size: Size | None
    resolved_size: Size | Literal["auto", "other"] | None
    resolved_quality: Quality | None
    input_tokens: Limit | None
    output_tokens: Limit | None


class ChainLayer(Closed):
    """One declared layer between client and model."""

    position: int = Field(ge=1, le=99)
    layer_class: LayerClass
    product: Product | None
    cap_kind: TimeoutKind
    cap_s: Seconds | None
    setting: Setting | None


class LocalChain(Closed):
    """Our side: its caps, its load and its versions."""

    connect_cap_s: Seconds | None
    first_byte_cap_s: Seconds | None
    idle_cap_s: Seconds | None
    total_cap_s: Seconds | None
    layers: tuple[ChainLayer, ...] = Field(max_length=20)
    retries_allowed: Count
    platform: Platform
    cpus: Count
    python: Version | None
    openai_sdk: Version | None


class Side(Closed):
    """One route's half of a comparison. A job without an image counts as slower than every other."""

    jobs: Count  # without those that were refused at once
    refused: Count  # 4xx other than 408: their times say nothing about speed
    with_image: Count
    median_final_image_ms: Ms | None  # null: most jobs never got there


class Comparison(Closed):
    """The same request shape on the most direct route of the same run."""

    direct: Route
    on_direct: Side
    on_this: Side


class Reproduction(Closed):
    """The smallest request that was seen to show the same, by sending ever simpler ones (`harness shrink`)."""

    state: ShrinkState
    request: RequestShape | None  # null: not even the job's own shape showed it again
    needed: tuple[ShrinkParam, ...] = Field(max_length=9)  # what could not be made simpler all the way
    not_needed: tuple[ShrinkParam, ...] = Field(max_length=9)
    own_prompt: bool  # it takes the job's own prompt, which is not in here
    shown: Count  # sends of the smallest that showed it
    of_sends: Count  # of those that said something
    repeats: int = Field(ge=1, le=99)
    shapes_tried: Count
    sends: Count
    same_route: bool  # the sends went over the route that the job went


class DecisionAsked(Closed):
    """What is asked, and of whom. The words are templates (`harness.packet.words`)."""

    kind: DecisionKind
    asked_of: Recipient
    of_the_run: bool  # the run's own decision; else a look-up asked for this one job
    product: Product | None
    setting: Setting | None
    from_s: Seconds | None
    to_s: Seconds | None


class Dropped(Closed):
    """How many values had no place in this schema, by kind. They are not here and not elsewhere in the bundle."""

    kind: DropKind
    count: Count


class EscalationPacket(Closed):
    """Enough to reproduce the route and find the exchange in somebody's logs; nothing that is secret."""

    schema_version: Literal[1]
    tool: Literal["image-latency-harness"]
    tool_version: Version
    simulated: bool
    time_scale: float = Field(gt=0, le=1_000_000)
    verdict: VerdictName
    run_headline: VerdictName
    conclusive: bool
    when: When
    route: Route
    request: RequestShape
    outcome: Outcome
    phase_reached: Phase | None
    ended: Ended
    http_status: Status | None
    clocks: Clocks
    timeout: TimeoutLayer | None
    retries: Retries
    error: ErrorFacts | None
    attempts: tuple[AttemptFacts, ...] = Field(max_length=32)
    answer: Answer
    local_chain: LocalChain
    comparison: Comparison | None
    reproduction: Reproduction | None = None
    queue: Queue
    decision: DecisionAsked
    dropped: tuple[Dropped, ...] = Field(max_length=9)

    @property
    def repro_request(self) -> RequestShape:
        """What the reproduction sends: the smallest shape that was found, else the job's own."""
        found = self.reproduction
        return found.request if found is not None and found.request is not None else self.request

    def ids(self) -> tuple[AnchoredId, ...]:
        """Every id of every attempt, in order, each once."""
        return tuple(dict.fromkeys(one for attempt in self.attempts for one in attempt.ids))
