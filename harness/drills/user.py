"""One job of one user under a policy: cache, stages, and what the user saw of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from harness.drills.course import Course, Send
from harness.drills.legs import Asked, Came, Sender
from harness.drills.model import NOT_SENT, Phase, UserJob
from harness.drills.stage import Stage
from harness.plan import Job
from harness.policies.model import Policy
from harness.prices import estimate
from harness.scenario.cells import FIELDS, Cell, make_cell


@dataclass
class Shared:
    """What all jobs of one policy share."""

    policy: Policy
    primary: str
    model: str
    sender: Sender
    phase: Callable[[], Phase]  # whether the primary is whole, broken or mended by now
    begun: int = 0
    retries: int = 0
    cache: set[str] = field(default_factory=set)

    def may_retry(self) -> bool:
        """Whether the policy's retry budget has room for one more; takes it if so."""
        share = None if self.policy.retry is None else self.policy.retry.budget_share
        if share is not None and self.retries + 1 > max(1.0, share * self.begun):
            return False
        self.retries += 1
        return True


class User:
    """Carries out one job, once."""

    def __init__(self, shared: Shared, number: int, job: Job) -> None:
        self._shared = shared
        self._number = number
        self._job = job
        self._came: list[Came] = []
        self._sent = 0
        self._arrived_s = 0.0
        self._phase: Phase = "before"

    async def run(self) -> UserJob:
        """From the user's asking to the image, or until it is lost. Never raises for what a provider does.

        A cancellation stops the job: legs under way are given up and recorded.
        """
        shared, job = self._shared, self._job
        self._arrived_s, self._phase = shared.sender.now_s(), shared.phase()
        shared.begun += 1
        key = request_key(shared.model, job)
        if shared.policy.cache is not None and key in shared.cache:
            now_s = shared.sender.now_s()
            return self._over(now_s, outcome="image", cached=True, image_s=now_s, seen_s=now_s)
        dice = random.Random(f"{job.job_id}/{shared.policy.name}/{self._number}")
        try:
            return await self._stages(key, dice)
        except asyncio.CancelledError:
            return self._over(shared.sender.now_s(), outcome="stopped")

    async def _stages(self, key: str, dice: random.Random) -> UserJob:
        shared, shapes = self._shared, shapes_of(self._shared.policy, self._job.cell)
        keep = 1.0 if shared.policy.two_stage is None else shared.policy.two_stage.keep
        for number, cell in enumerate(shapes, start=1):
            won, why = await self._stage(number, cell, dice)
            if won is None:
                stopped = why == NOT_SENT
                return self._over(
                    shared.sender.now_s(),
                    outcome="stopped" if stopped else "lost",
                    why=None if stopped else why,
                    seen_s=self._preview_s(),
                )
            last = number == len(shapes)
            if last or dice.random() >= keep:
                break
        assert won is not None
        shared.cache.add(key)
        image_s = _image_at_s(won)
        return self._over(
            image_s,
            outcome="image",
            route=won.leg.route,
            kept_first=not last,
            image_s=image_s,
            seen_s=min(image_s, self._preview_s() or image_s),
        )

    async def _stage(self, number: int, cell: Cell, dice: random.Random) -> tuple[Came | None, str | None]:
        shared = self._shared
        priced = replace(self._job, cell=cell, estimate_usd=price_usd(shared.model, cell, len(self._job.prompt.text)))

        def begin(step: Send, answered: Callable[[], None]) -> asyncio.Task[Came]:
            asked = Asked(
                user=self._number,
                leg=self._sent,
                stage=number,
                role=step.role,
                job=replace(priced, cell=make_cell(_fields(cell) | {"route": step.route})),
                timeout_s=step.timeout_s,
            )
            self._sent += 1
            return asyncio.create_task(shared.sender.send(asked, answered))

        course = Course(shared.policy, shared.primary, dice, shared.may_retry)
        stage = Stage(course, begin, lambda: shared.sender.now_s() - self._arrived_s, shared.sender.clock)
        try:
            return await stage.run()
        finally:
            self._came += stage.came

    def _preview_s(self) -> float | None:
        """When there was first something to see that is not the final image: a preview, or an earlier stage's image."""
        previews = [
            came.leg.begun_s + came.event.first_partial_image_ms / 1000
            for came in self._came
            if came.event is not None and came.event.first_partial_image_ms is not None
        ]
        return min([*previews, *(_image_at_s(came) for came in self._came if came.leg.end == "image")], default=None)

    def _over(
        self, ended_s: float, *, image_s: float | None = None, seen_s: float | None = None, **rest: Any
    ) -> UserJob:
        def since(at_s: float | None) -> float | None:
            return None if at_s is None else round(max(at_s - self._arrived_s, 0.0), 3)

        return UserJob(
            policy=self._shared.policy.name,
            number=self._number,
            phase=self._phase,
            arrived_s=round(self._arrived_s, 3),
            ended_s=round(ended_s, 3),
            image_s=since(image_s),
            seen_s=since(seen_s),
            legs=tuple(sorted((came.leg for came in self._came), key=lambda leg: leg.job_id)),
            **rest,
        )


def shapes_of(policy: Policy, cell: Cell) -> list[Cell]:
    """The shapes that a job of this cell asks for, one after the other."""
    fields = _fields(cell)
    if policy.stream is not None:
        fields |= {"stream": True, "partial_images": policy.stream.partial_images}
    final = make_cell(fields)
    if policy.two_stage is None:
        return [final]
    return [make_cell(fields | policy.two_stage.first.model_dump(exclude_none=True)), final]


def price_usd(model: str, cell: Cell, prompt_chars: int) -> float | None:
    """The most that one request of this shape costs; null where it is not known."""
    return estimate(
        model, cell.quality, cell.size, cell.n, cell.partial_images, prompt_chars, cell.stream, cell.reference_images
    ).upper_usd


def request_key(model: str, job: Job) -> str:
    """What makes a request the same as another one: model, prompt and shape, whatever route it takes."""
    fields = {name: value for name, value in asdict(job.cell).items() if name not in ("id", "route")}
    return hashlib.sha256(json.dumps([model, job.prompt.text, fields], sort_keys=True).encode()).hexdigest()


def _fields(cell: Cell) -> dict[str, object]:
    return {name: getattr(cell, name) for name in FIELDS}


def _image_at_s(came: Came) -> float:
    """When the image of a leg was here, whichever way it came."""
    event = came.event
    at_ms = None if event is None else event.delivered_ms if event.delivered_ms is not None else event.final_image_ms
    return came.leg.ended_s if at_ms is None else came.leg.begun_s + at_ms / 1000
