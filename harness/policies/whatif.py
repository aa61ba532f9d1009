"""All policies of a file in one world."""

from __future__ import annotations

import time

from harness.policies.model import PolicyFile
from harness.policies.results import WhatIf
from harness.policies.simulate import REPLICATIONS, simulate
from harness.policies.text import limit_words, load_words
from harness.policies.world import World


def what_if(file: PolicyFile, world: World, *, seed: int = 0, replications: int = REPLICATIONS) -> WhatIf:
    """Simulate every policy of the file with the same seed."""
    began = time.perf_counter()
    results = tuple(simulate(policy, world, file.load, seed, replications=replications) for policy in file.policies)
    took_s = time.perf_counter() - began
    return WhatIf(
        source=world.source,
        load=load_words(file.load),
        limits=limit_words(file.limits),
        seed=seed,
        policies=results,
        assumed=world.assumed,
        jobs_per_s=sum(one.jobs for one in results) / took_s if took_s > 0 else None,
    )
