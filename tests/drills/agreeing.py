"""Drill and simulation side by side: the same policies live on the embedded API, and in virtual time from a plain run.

One request in seventeen takes 50 s longer than the others, and one in twenty is refused with a 503: what there is to
retry, to hedge and to fall back from lies far from 60 s on either side, so that a busy machine moves nothing across it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.drills.model import RESULT_FILE, DrillResult
from harness.policies.build import build_world
from harness.policies.read import read_policies
from harness.policies.simulate import simulate
from tests.conftest import Harness

SALT = bytes(range(32))  # prompt hashes decide what the embedded API draws: always the same here

SCENARIO = """
name: agreeing
why: Do a drill and a simulation agree?
prompts: [A red apple on a white table]
routes:
  edge: {{base_url: "simulator://edge", owner: client_infrastructure}}
  backup: {{base_url: "simulator://backup", owner: gateway}}
simulator:
  seed: {seed}
  time_scale: {scale}
  profile: tuning-article
  layers: {{edge: {{}}, backup: {{}}}}
  faults: [{{fault: "503", share: 0.05}}, {{fault: "delay;s=50", share: 0.06}}]
defaults: {{route: edge, quality: medium, size: 1024x1024, output_format: jpeg, output_compression: 20}}
repeats: {jobs}
load: {{concurrency: 12}}
budget: {{usd: 5000}}
"""

RATE = 24 / 60  # jobs a second
POLICIES = """
load: {rate: 24/1m, arrivals: poisson}
routes: {edge: {}, backup: {same_as: edge}}
policies:
  - {name: naive, timeout: 60s, retry: {max: 1, on: [timeout, error], pause: 0s}}
  - {name: bounded, retry: {max: 2, on: [5xx], base: 4s}}
  - {name: fallback, fallback: {route: backup, on: [error], after: 60s}}
  - {name: hedge, hedge: {after: 50s, max: 1}}
"""

# An outage begins with the job after the first third; in both worlds at the same second, for arrivals are constant.
OUTAGE_S = 80
BROKEN = """
load: {{rate: 24/1m, arrivals: constant}}
routes: {{edge: {{down: {{after: {after}s, lasts: {lasts}s}}}}, backup: {{same_as: edge}}}}
policies:
  - {{name: nothing}}
  - {{name: naive, retry: {{max: 2, on: [error], pause: 0s}}}}
  - {{name: bounded, retry: {{max: 4, on: [error], base: 8s, cap: 60s}}}}
  - {{name: fallback, fallback: {{route: backup, on: [error]}}}}
"""


@dataclass(frozen=True)
class Agreement:
    """One figure of one policy both ways."""

    policy: str
    figure: str
    live: float
    simulated: float

    @property
    def error(self) -> float:
        """Of the simulation, relative to what was drilled."""
        return self.simulated / self.live - 1


def agreements(
    folder: Path,
    harness: Harness,
    *,
    jobs: int,
    broken: bool = False,
    scale: int = 80,
    seed: int = 5,
    timeout_s: float = 120,
) -> list[Agreement]:
    """Success share and cost a job of each policy. `jobs` in the plain run, and in the drill of each policy.

    `broken`: whether the edge goes down for `OUTAGE_S` under a third of the jobs, in the drill and in the simulation.
    """
    scenario, policies = folder / "agreeing.yaml", folder / "policies.yaml"
    scenario.write_text(SCENARIO.format(jobs=jobs, scale=scale, seed=seed))
    after_s = math.ceil(jobs / 3) / RATE
    policies.write_text(BROKEN.format(after=after_s, lasts=OUTAGE_S) if broken else POLICIES)
    env = _salted(folder)
    run, drill = folder / "run", folder / "drill"
    told = harness("run", scenario, "--out", run, "--quiet", env=env, timeout=timeout_s)
    assert told.returncode == 0, told.stderr
    breaking = ["--outage", f"{OUTAGE_S}s"] if broken else ["--no-break"]
    told = harness(
        "drill", scenario, "--policies", policies, *breaking, "--out", drill, "--quiet", env=env, timeout=timeout_s
    )
    assert told.returncode == 0, told.stderr
    return _compared(policies, run, msgspec.json.decode((drill / RESULT_FILE).read_bytes(), type=DrillResult))


def _compared(policies: Path, run: Path, live: DrillResult) -> list[Agreement]:
    file = read_policies(policies)
    world = build_world(file, run_dir=run)
    found = []
    for policy, drilled in zip(file.policies, live.policies, strict=True):
        told: Any = simulate(policy, world, file.load.model_copy(update={"jobs": drilled.jobs}), 1, replications=10)
        assert drilled.billed is not None
        assert drilled.billed.usd is not None
        assert drilled.success.share is not None
        found += [
            Agreement(policy.name, "success share", drilled.success.share, told.success_share.value),
            Agreement(policy.name, "USD a job", drilled.billed.usd / drilled.jobs, told.usd_per_job.value),
        ]
    return found


def _salted(folder: Path) -> Mapping[str, str]:
    state = folder / "state"
    (state / "harness").mkdir(parents=True)
    (state / "harness" / "salt").write_bytes(SALT)
    return {"XDG_STATE_HOME": str(state)}
