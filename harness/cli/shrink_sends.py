"""What `harness shrink` needs of both halves: a job of the run as a shape, a shape as a job, an end as a sighting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.conditions import LAYERS_FILE, RunConditions
from harness.diagnosis.case import ANSWERED
from harness.diagnosis.catalog import load_catalog
from harness.diagnosis.judge import judge
from harness.diagnosis.model import JobVerdict
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.frame import frame_of
from harness.packet.inputs import RunInputs
from harness.packet.prompts import synthetic
from harness.packet.vocabulary import COMPLEXITY_ALIASES, prompt_bucket
from harness.plan import Job
from harness.prices import estimate
from harness.salt import load_salt, prompt_hash
from harness.scenario import Scenario
from harness.scenario.cells import make_cell
from harness.scenario.models import Prompt
from harness.shrinking.model import Shape, Sighting

CONTEXT = 200  # jobs of the run beside which a send is judged: what piles up at a cap shows among many only
_CLOCKS = ("pool_wait_ms", "connect_ms", "upload_ms", "download_ms", "render_ms")
_COMPLEXITY = {"high": "complex", "medium": "medium", "low": "simple", "other": None}


def shape_of(event: JobEvent, prompt: Prompt | None) -> Shape:
    """What the job asked for. Without its own prompt, a synthetic one of its class stands for it from the start."""
    classed = COMPLEXITY_ALIASES.get(event.prompt_complexity or "", "other")
    return Shape(
        quality=event.quality,
        size=event.size,
        output_format=event.output_format,
        output_compression=event.output_compression,
        n=event.n,
        stream=event.stream,
        partial_images=event.partial_images,
        background=event.background,
        moderation=event.moderation,
        reference_images=event.reference_images,
        mask=event.mask,
        edit_form=event.edit_form if event.edit_form != "multipart" else None,
        prompt="own" if prompt is not None else classed,
        prompt_length=prompt_bucket(event.prompt_chars),
    )


def own_prompt(event: JobEvent, scenario: Scenario) -> Prompt | None:
    """The job's own prompt among the scenario's, found by its salted hash; None when it is not there."""
    salt = load_salt()
    return next((one for one in scenario.prompts if prompt_hash(one.text, salt) == event.prompt_hash), None)


def sighting_of(event: JobEvent, verdict: JobVerdict) -> Sighting:
    """How a job ended, as far as it bears on its verdict."""
    error = event.attempts[-1].error if event.attempts else None
    return Sighting(
        verdict=verdict.verdict,
        outcome=event.outcome,
        layer=verdict.layer,
        product=verdict.product,
        cap_s=verdict.cap_s,
        http_status=event.http_status,
        error_code=event.error_code,
        error_param=error.param if error is not None else None,
        clock=leading_clock(event),
        total_ms=last_attempt_ms(event),
    )


def last_attempt_ms(event: JobEvent) -> float | None:
    """How long the attempt took that decided the job. A job of one attempt took as long as itself."""
    if len(event.attempts) < 2:
        return event.total_ms
    marks = event.attempts[-1].marks
    return marks.ended_at_ms - marks.started_at_ms


def leading_clock(event: JobEvent) -> str | None:
    """The clock that holds most of an answered job's time. What no leg accounts for is the wait for the model."""
    whole = last_attempt_ms(event)
    if event.outcome not in ANSWERED or whole is None:
        return None
    spent = {name: getattr(event, name) or 0.0 for name in _CLOCKS}
    return max({**spent, "wait_ms": whole - sum(spent.values())}.items(), key=lambda one: one[1])[0]


@dataclass(frozen=True)
class Sender:
    """Makes jobs of shapes, and sightings of what came back."""

    run_dir: Path
    scenario: Scenario
    route: str
    prompt: Prompt | None
    inputs: RunInputs

    def conditions(self) -> RunConditions:
        """The run's, with the routes and caps that the sends meet."""
        return msgspec.structs.replace(
            self.inputs.conditions,
            routes=self.scenario.route_conditions(),
            caps=self.scenario.timeouts.caps(),
            retries=0,
        )

    def price(self, shape: Shape) -> float | None:
        """What one send costs at most, in USD."""
        chars = len(self._prompt(shape).text)
        return estimate(
            self.scenario.model, shape.quality, shape.size, shape.n, shape.partial_images, chars, shape.stream,
            shape.reference_images,
        ).upper_usd  # fmt: skip

    def job(self, shape: Shape, number: int) -> Job:
        """The `number`-th send, as a job."""
        fields = {**msgspec.structs.asdict(shape), "route": self.route}
        return Job(
            job_id=f"shrink-{number:04d}",
            cell=make_cell(fields),
            block=1,
            position=number,
            prompt_index=0,
            prompt=self._prompt(shape),
            estimate_usd=self.price(shape),
        )

    def _prompt(self, shape: Shape) -> Prompt:
        if shape.prompt == "own":
            if self.prompt is None:
                raise UsageProblem("the job's own prompt is not in this scenario any more; give the one it was sent by")
            return self.prompt
        text = synthetic(shape.prompt_length, shape.prompt)  # type: ignore[arg-type]
        return Prompt.model_validate({"text": text or "A", "complexity": _COMPLEXITY[shape.prompt]})

    def judged(self, event: JobEvent) -> Sighting:
        """The verdict of a send, judged beside the run's jobs on the same route, by the same rules."""
        beside = [one for one in self.inputs.events if one.route == self.route][-CONTEXT:]
        own = self.run_dir / LAYERS_FILE
        files: Sequence[Path] = [Path(name) for name in self.scenario.layers] or ([own] if own.exists() else [])
        _, verdicts = judge(frame_of([*beside, event]), self.conditions(), catalog=load_catalog(tuple(files)))
        return sighting_of(event, verdicts[-1])
