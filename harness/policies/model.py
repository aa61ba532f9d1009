"""A policy file as data: frozen, closed, every field described. `harness.policies.read.read_policies` reads one.

Few ideas. A **policy** is what a client does about a wait, put together from steps that stack: give an attempt up
(`timeout`), send again (`retry`), send a second copy meanwhile (`hedge`), go elsewhere (`fallback`), ask in another way
(`stream`, `async`), not ask (`cache`), ask for less first (`two_stage`), have one layer wait longer (`caps`), and stop
caring (`deadline`). Beside the policies stands what they all share: the load, the provider's limits, and what is
assumed about routes. Times are seconds of the measured world.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from harness.conditions import CapKind
from harness.scenario.fields import (
    Count,
    Duration,
    Line,
    OutputFormat,
    Partials,
    Quality,
    Size,
    Slug,
    Tuple,
    read_duration,
)
from harness.scenario.loads import Rate
from harness.scenario.uses import Share
from harness.scenario.words import Mistake, listing, show

End = Literal[
    "timeout",  # our own client gave the attempt up; upstream it goes on
    "cut",  # a layer's cap, or the other side, ended the exchange before the answer was whole
    "429",  # refused for being too many
    "5xx",  # another error of the other side
    "4xx",  # another refusal; the same request will meet it again
    "moderation",  # the prompt was refused; the same prompt will be again
    "bad",  # an answer without the image that was asked for
    "connect",  # no connection came about, so nothing was sent
]
ENDS: tuple[End, ...] = get_args(End)
PERMANENT: frozenset[End] = frozenset({"4xx", "moderation"})  # never worth the same request again
_ERROR: tuple[End, ...] = ("cut", "429", "5xx", "bad", "connect")  # what `error` stands for


def _read_end(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if text not in (*ENDS, "error"):
        raise Mistake(f"{show(value)} is no way for an attempt to end", f"write {listing((*ENDS, 'error'))}")
    return text


def _transient(ends: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [end for end in ends if end in PERMANENT]
    if wrong:
        raise Mistake(
            f"{listing(wrong)} is refused again however often it is sent", "leave it out, or name it in fallback.on"
        )
    return ends


def _of_an_outage(end: str) -> str:
    wanted = ("cut", "429", "5xx", "4xx", "bad", "connect")
    if end not in wanted:
        raise Mistake(f"{show(end)} is no end that an outage makes", f"write {listing(wanted)}")
    return end


Pause = Annotated[
    float,
    BeforeValidator(read_duration),
    Field(ge=0, le=86_400),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}),
]
EndWord = Annotated[str, BeforeValidator(_read_end), WithJsonSchema({"enum": [429, *ENDS, "error"]})]
Name = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$")]


def ends(words: tuple[str, ...]) -> frozenset[End]:
    """What a list of `on` words stands for; `error` is every end of the other side's that may pass."""
    return frozenset(end for word in words for end in (_ERROR if word == "error" else ENDS) if word in ("error", end))


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class Load(_Model):
    """The demand that users make: how often a job begins, or how many are always under way."""

    rate: Rate | None = Field(None, description="Jobs begun by time (6/1m); left out, `concurrency` says.")
    arrivals: Literal["poisson", "constant"] = Field("poisson", description="How a rate's arrivals lie.")
    concurrency: int | None = Field(None, ge=1, le=10_000, description="Users who send their next job when one ends.")
    jobs: int = Field(500, ge=1, le=1_000_000, description="Jobs of one replication.")


class Limits(_Model):
    """The provider's limits on one route's account. Each route has an account of its own."""

    images_per_minute: int | None = Field(None, ge=0, description="In any 60 s; each of n images counts.")
    requests_per_minute: int | None = Field(None, ge=0, description="Requests in any 60 s.")
    concurrent: int | None = Field(None, ge=1, description="Generations under way; orphans among them.")
    when_full: Literal["refuse", "queue"] = Field("refuse", description="429, or wait in line (for `concurrent`).")
    refused_count: bool = Field(True, description="Whether refused requests count against the limits per minute.")
    orphans_hold: bool = Field(True, description="Whether a generation that nobody waits for still holds its place.")


class Layer(_Model):
    """A layer on the way with its cap."""

    layer: Slug = Field(description="What it is called; a policy's `caps` names it.")
    kind: CapKind = Field("total", description="What the cap counts: total, idle, first_byte or connect.")
    cap: Duration = Field(description="The cap.")


class Shape(_Model):
    """Which of the measured or published cells is meant."""

    quality: Quality | None = Field(None, description="low, medium or high.")
    size: Size | None = Field(None, description="WIDTHxHEIGHT.")
    n: Count | None = Field(None, description="Images in one request.")
    output_format: OutputFormat | None = Field(None, description="png, jpeg or webp.")


class Outage(_Model):
    """A route that is down for a while: what `harness drill` does to one, in virtual time."""

    after: Pause = Field(description="When it begins, since the first job did.")
    lasts: Duration = Field(description="How long it lasts.")
    end: Annotated[EndWord, AfterValidator(_of_an_outage)] = Field(
        "5xx", description="How a request that is sent meanwhile ends: cut, 429, 5xx, 4xx, bad or connect."
    )
    answers_after: Duration = Field(1.0, description="And after how long; long and `cut`: a route that hangs.")
    cuts: bool = Field(True, description="Whether what is under way is cut when it begins; upstream it goes on.")


class Route(_Model):
    """What is assumed about a route, over what was measured or published."""

    same_as: Name | None = Field(None, description="Another route whose times and failures it has; its layers stay.")
    shape: Shape | None = Field(None, description="The shape asked for on this route, where it is another.")
    service: Duration | None = Field(None, description="Every generation takes exactly this.")
    slower: float = Field(1.0, gt=0, le=100, description="Times are multiplied by this.")
    fails: Share | None = Field(None, description="Share of requests that end in a 5xx instead of what was measured.")
    fails_after: Duration | None = Field(None, description="When such a failure is answered; else 1 s.")
    down: Outage | None = Field(None, description="It is down for a while.")
    layers: Tuple[Layer] | None = Field(None, description="Layers on the way, instead of those declared.")
    usd: float | None = Field(None, ge=0, le=1000, description="What one generation costs.")


class Retry(_Model):
    """Send the job again on the same route. Pauses are `pause`, or `base` doubling up to `cap`, half of it jitter."""

    max: int = Field(ge=0, le=100, description="Further attempts after the first.")
    on: Annotated[Tuple[EndWord], AfterValidator(_transient)] = Field(
        ("429", "5xx", "connect"), description="Ends after which it is sent again."
    )
    pause: Pause | None = Field(None, description="The same pause every time; 0s: at once.")
    base: Pause | None = Field(None, description="First pause; doubles each time. 1s if neither is given.")
    cap: Duration = Field(30.0, description="Longest pause of our own.")
    honour_retry_after: bool = Field(False, description="Wait as long as a 429 says.")
    budget_share: Share | None = Field(None, description="Retries are at most this share of the jobs begun so far.")

    @property
    def ends(self) -> frozenset[End]:
        """Ends after which it is sent again."""
        return ends(self.on) - PERMANENT

    def ceiling_s(self, number: int) -> float:
        """The longest pause of our own before retry `number`, from 1. Without `pause`, half of it is left to chance."""
        return (
            self.pause
            if self.pause is not None
            else min(self.cap, (1.0 if self.base is None else self.base) * 2.0 ** min(number - 1, 60))
        )


class Hedge(_Model):
    """Send another copy while the first is still under way; the first image wins, the others are dropped."""

    after: Duration = Field(description="How long without an image, since the last copy was sent.")
    max: int = Field(1, ge=1, le=5, description="Further copies.")
    route: Name | None = Field(None, description="Where the copies go; left out, the same route.")


class Fallback(_Model):
    """Give the first route up and go to another one."""

    route: Name = Field(description="Where to.")
    after: Duration | None = Field(None, description="How long without an image, since the job began.")
    on: Tuple[EndWord] = Field((), description="Ends after which it goes there, when no retry is left.")
    timeout: Duration | None = Field(None, description="Our own cap there; left out, the policy's.")

    @property
    def ends(self) -> frozenset[End]:
        """Ends after which the other route is taken."""
        return ends(self.on)


class Stream(_Model):
    """Ask for an event stream: idle caps do not fire while previews come, and the first one is what the user sees."""

    partial_images: Partials = Field(2, description="Previews asked for, 0 to 3; each costs about 100 output tokens.")
    keep_alive: Duration | None = Field(None, description="Comments between events, this far apart; left out, none.")


class Async(_Model):
    """Submit and poll: no exchange lasts as long as the generation, so no layer's cap cuts it."""

    poll: Duration = Field(2.0, description="Time between polls.")


class Cache(_Model):
    """An unchanged request is answered from a store: nothing is sent, nothing is billed."""

    share: Share | None = Field(None, description="Share of jobs that hit; left out, the run's repeated prompts.")
    takes: Pause = Field(0.1, description="How long a hit takes.")


class TwoStage(_Model):
    """Ask for a cheap image first. Moderation is met there; a share of jobs goes on to the final image."""

    first: Shape = Field(Shape(quality="low"), description="The shape asked for first.")
    keep: Share = Field(
        1.0, description="Share of first images that go on: 30% of previews are chosen; a test keeps 100%."
    )


class Policy(_Model):
    """What a client does about a wait. What is left out is not done."""

    name: Name = Field(description="What it is called in the table.")
    why: Line | None = Field(None, description="What is hoped of it, in one line.")
    route: Name | None = Field(None, description="Where jobs go; left out, the first route.")
    timeout: Duration | None = Field(None, description="Our own cap on one attempt.")
    deadline: Duration | None = Field(None, description="When the user walks away from the job; nothing is sent after.")
    retry: Retry | None = Field(None, description="Send again.")
    hedge: Hedge | None = Field(None, description="Send a second copy meanwhile.")
    fallback: Fallback | None = Field(None, description="Go to another route.")
    stream: Stream | None = Field(None, description="Ask for a stream with previews.")
    async_: Async | None = Field(None, alias="async", description="Submit and poll.")
    cache: Cache | None = Field(None, description="Answer unchanged requests from a store.")
    two_stage: TwoStage | None = Field(None, description="A cheap image first.")
    caps: Mapping[Slug, Duration | None] = Field({}, description="Caps of layers that are set anew; null: none.")


class PolicyFile(_Model):
    """Policies to compare, and what they share."""

    load: Load = Field(Load(concurrency=1), description="The demand.")
    shape: Shape = Field(Shape(), description="Which cell is meant.")
    limits: Limits = Field(Limits(), description="The provider's limits.")
    routes: Mapping[Name, Route] = Field({}, description="What is assumed about routes; the first is the one taken.")
    moderation: Share | None = Field(None, description="Share of prompts that moderation refuses, if not as measured.")
    policies: Annotated[Tuple[Policy], Field(min_length=1)] = Field(description="The policies, each with a name.")
