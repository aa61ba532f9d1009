"""Money and job limits: pure. What is in flight counts as spent until its real cost is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.events import JobEvent


@dataclass
class Budget:
    """Reserve before sending, settle afterwards. `usd` and `jobs` of None mean no limit of that kind."""

    usd: float | None = None
    jobs: int | None = None
    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    sent_jobs: int = 0

    def refuses(self, estimate_usd: float | None) -> str | None:
        """Why one more job of this estimate must not go out; None when it may."""
        if self.jobs is not None and self.sent_jobs >= self.jobs:
            return f"budget of {self.jobs} jobs reached"
        if self.usd is not None:
            committed = self.spent_usd + self.reserved_usd
            # A job whose price is not known cannot be let through a money limit.
            if estimate_usd is None:
                return "the price of the next job is not known, and a USD budget is set"
            if committed + estimate_usd > self.usd + 1e-9:
                return f"budget of {self.usd:.2f} USD reached ({committed:.3f} USD spent or in flight)"
        return None

    def may_ease(self) -> bool:
        """Whether what is in flight, once over, may make room: its cost may turn out lower than its estimate."""
        return self.reserved_usd > 0 and (self.jobs is None or self.sent_jobs < self.jobs)

    def refuses_retry(self, estimate_usd: float | None) -> bool:
        """Whether another attempt of a job under way must not go out. It is no further job, but it may be billed."""
        return replace(self, jobs=None).refuses(estimate_usd) is not None

    def reserve_retry(self, estimate_usd: float | None) -> None:
        """Another attempt of a job under way goes out."""
        self.reserved_usd += estimate_usd or 0.0

    def reserve(self, estimate_usd: float | None) -> None:
        """A job goes out."""
        self.sent_jobs += 1
        self.reserved_usd += estimate_usd or 0.0

    def release(self, estimate_usd: float | None) -> None:
        """A job for which money was reserved does not go out after all."""
        self.sent_jobs -= 1
        self.reserved_usd -= estimate_usd or 0.0

    def settle(self, estimate_usd: float | None, cost_usd: float | None) -> None:
        """A job ended. Where its cost is unknown, the estimate stands: better too careful than too rich."""
        self.reserved_usd -= estimate_usd or 0.0
        self.spent_usd += (estimate_usd or 0.0) if cost_usd is None else cost_usd

    def recall(self, events: Iterable[JobEvent]) -> None:
        """Count what an earlier part of this run has sent and spent."""
        for event in events:
            self.sent_jobs += 1
            self.spent_usd += event.cost_usd or 0.0
