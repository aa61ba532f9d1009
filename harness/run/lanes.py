"""What jobs go out by: routes made ready, with their keys, caps and pictures; the embedded API where asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UsageProblem
from harness.routes import make_route
from harness.routes.base import Target
from harness.run.images import prepare_codecs
from harness.run.job import Lane, Setting
from harness.run.lag import LagMeter
from harness.run.references import References
from harness.run.retry import RetryPolicy
from harness.run.scale import check_address
from harness.salt import load_salt
from harness.scenario import RouteSpec, Scenario
from harness.scenario.cells import Cell
from harness.simulator.process import SimulatorFailed, spawn
from harness.wire.caps import Caps
from harness.wire.clock import WorldClock

# What the embedded API accepts as a key. It opens nothing.
SIMULATOR_KEY = "sk-sim-harness"


@contextmanager
def embedded(scenario: Scenario, *, log: Path | None) -> Iterator[Mapping[str, str]]:
    """The embedded API's addresses by entry, for as long as the context is open; none when no route asks for it."""
    if not any(route.simulated for route in scenario.routes.values()):
        yield {}
        return
    try:
        with spawn(scenario.simulator or {}, log=log) as running:
            yield running.entries
    except SimulatorFailed as error:
        raise UsageProblem(f"{scenario.source}: simulator: {error}") from None


def make_setting(
    scenario: Scenario,
    env: Mapping[str, str],
    run_id: str,
    clock: WorldClock,
    entries: Mapping[str, str],
    lag: LagMeter,
    images_dir: Path | None,
    salt: bytes | None = None,  # of prompt hashes: the user's own by default
) -> Setting:
    lanes = {}
    for name, spec in scenario.routes.items():
        target = _target(scenario, spec, env, entries, clock)
        lanes[name] = Lane(spec.kind, spec.owner, target, make_route(spec.kind, target))
    asked, retry = scenario.timeouts, scenario.retry
    caps = {
        f"{name}_s": None if (value := getattr(asked, name)) is None else clock.here_s(value)
        for name in ("connect", "first_byte", "idle", "total")
    }
    return Setting(
        run_id=run_id,
        model=scenario.model,
        lanes=lanes,
        clock=clock,
        caps=Caps(**caps),
        retry=RetryPolicy(retry.max_retries, retry.statuses, retry.base_s, retry.max_s, retry.honour_retry_after),
        salt=load_salt() if salt is None else salt,
        record_prompts=scenario.record_prompts,
        lag=lag,
        images_dir=images_dir,
        link_check_s=tuple(sorted(scenario.link_check)),
        references=References(scenario.references, scenario.mask_file),
    )


def _target(
    scenario: Scenario, spec: RouteSpec, env: Mapping[str, str], entries: Mapping[str, str], clock: WorldClock
) -> Target:
    if spec.simulated:
        base_url, key = entries[spec.simulator_layer or "direct"], SIMULATOR_KEY
    else:
        base_url, key = spec.base_url, env[spec.api_key_env] if spec.api_key_env else SIMULATOR_KEY
        check_address(scenario.source, spec.name, base_url, clock.time_scale)
    return Target(
        spec.name,
        base_url,
        key,
        spec.resolved_headers(env),
        spec.ca_file,
        keepalive_s=scenario.connections.keepalive,
        max_connections=scenario.connections.max,
        options=spec.options,
        time_scale=clock.time_scale,
    )


async def warm_up(setting: Setting, cells: Iterable[Cell]) -> None:
    """The first call of a process costs up to a second of imports and model building: it is never a sample."""
    for lane in setting.lanes.values():
        await lane.route.warm_up()
    await asyncio.to_thread(prepare_codecs)
    # Pictures for edits are read, or drawn, before anything is timed.
    await asyncio.to_thread(setting.references.prepare, cells)


async def close_lanes(setting: Setting) -> None:
    for lane in setting.lanes.values():
        await lane.route.aclose()
