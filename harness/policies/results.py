"""What a policy came to: figures with intervals, a struct a policy."""

from __future__ import annotations

import msgspec

from harness.estimate import Estimate


class PolicyResult(msgspec.Struct, frozen=True, kw_only=True):
    """One policy over all replications.

    `value` of a figure is that of the world as it was measured; `low` and `high` enclose 95 % of the replications, in
    each of which the measured data were drawn anew. Quantiles are over all jobs, those that failed or gave up among
    them as never done: a null quantile with `beyond` null means that so many jobs never got there. What is counted
    (`sent` … `refused`) is a job's mean. `end_shares` says how jobs ended; `beyond_share` which share of generations
    took a time beyond what was measured.
    """

    policy: str
    why: str | None
    jobs: int  # simulated, over all replications
    replications: int
    success_share: Estimate
    final_p50_s: Estimate  # until the final image
    final_p95_s: Estimate
    seen_p50_s: Estimate  # until the user sees anything: a preview, or the image
    seen_p95_s: Estimate
    usd_per_image: Estimate  # all that was billed, by images delivered
    usd_per_job: Estimate
    sent: Estimate  # requests
    duplicates: Estimate  # images generated beyond the first of a job (of a stage)
    orphans: Estimate  # images generated while nobody waited for them any more
    refused: Estimate  # requests answered 429
    end_shares: dict[str, float]
    beyond_share: float


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """Policies side by side."""

    schema_version: int = 1
    source: str  # what times were drawn from
    load: str
    limits: str
    seed: int
    policies: tuple[PolicyResult, ...]
    assumed: tuple[str, ...]
    jobs_per_s: float | None = None  # how fast it was simulated
