"""How a job goes out: from this machine, or handed to another (`harness.cluster`)."""

from __future__ import annotations

from typing import Protocol

from harness.events import JobEvent
from harness.plan import Job
from harness.run.job import MayRetry, Setting, run_job


class Sender(Protocol):
    """What the runner sends jobs by. `ready` comes before the journal's line and sends nothing; `send` after it."""

    async def ready(self, job: Job) -> str | None:
        """Wait until the job can go out. Gives why it cannot; then it was not sent, and others may still be."""

    async def send(self, job: Job, in_flight: int, *, scheduled_ns: int | None, may_retry: MayRetry) -> JobEvent:
        """Send it, and say what became of it; arguments are those of `run_job`."""

    def drain(self) -> None:
        """No further job is wanted: what waits in `ready` waits no longer."""


class Here:
    """From this machine."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    async def ready(self, job: Job) -> str | None:  # noqa: ARG002
        """At once."""
        return None

    async def send(self, job: Job, in_flight: int, *, scheduled_ns: int | None, may_retry: MayRetry) -> JobEvent:
        """`run_job`."""
        return await run_job(self._setting, job, in_flight, scheduled_ns=scheduled_ns, may_retry=may_retry)

    def drain(self) -> None:
        """Nothing ever waits here."""
