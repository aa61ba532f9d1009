"""Every server-side layer in every situation, in one run of the harness itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import httpx
import yaml

from harness.simulator.process import Running, spawn
from tests.conftest import ROOT
from tests.layers import backend
from tests.layers.observation import Observation, Recording, lean
from tests.layers.process import dead_port
from tests.layers.server import Front, Server, Upstreams
from tests.layers.situations import FAULT_HEADER, SITUATIONS, Situation

KEY = "sk-sim-" + "layers"
OURS_S = 60  # our own cap: nothing here needs as long, and it is no layer's
AT_ONCE = 32
MOST_LOG_LINES = 40
SHAPE = {"quality": "low", "size": "1024x1024"}


def world(layers: Mapping[str, Any] | None = None, faults: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The embedded API in real time."""
    return {"seed": 5, "time_scale": 1, "layers": dict(layers or {}), "faults": list(faults)}


def settle(sim: Running) -> None:
    """Let the work that nobody waits for any more be done at once, so that its record says how it ended."""
    httpx.post(sim.entries["direct"].removesuffix("/v1") + "/sim/clock", json={"advance_s": 60}, timeout=5)
    time.sleep(0.5)


def prepare(sim: Running) -> None:
    """Have the API's pictures drawn now: on a busy machine that takes seconds, and a break would come at a cap."""
    body = {"model": "gpt-image-2", "prompt": "warm-up", "n": 3, **SHAPE}
    headers = {"authorization": f"Bearer {KEY}"}
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(
            httpx.post, f"{sim.entries['direct']}/images/generations", json=body, headers=headers, timeout=60
        )
        while not asked.done():
            settle(sim)
        asked.result().raise_for_status()


def observe(servers: Sequence[Server], folder: Path) -> list[Recording]:
    """Start all of them in front of one API, and send one job through each in each situation."""
    log = folder / "truth.jsonl"
    gateways = [server for server in servers if server.is_gateway]
    entries: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    for name, situation in ((entry(server, one), one) for server in gateways for one in SITUATIONS.values()):
        entries[name] = {}
        if fault := situation.plain_fault or situation.fault:
            faults.append({"fault": fault, "entry": name})
    with ExitStack() as stack:
        dead = stack.enter_context(dead_port())
        sim = stack.enter_context(spawn(world(entries, faults), log=log))
        prepare(sim)
        fronts = _started(servers, sim, dead, folder, stack)
        events = run(servers, fronts, folder)
        settle(sim)
        logs = {name: tail(front.log, folder) for name, front in fronts.items()}
    truth = backend.records(log)
    return [_recording(server, events, truth, logs[server.name]) for server in servers]


def _started(servers: Sequence[Server], sim: Running, dead: int, folder: Path, stack: ExitStack) -> dict[str, Front]:
    """All of them at once: some take ten seconds."""

    def enter(server: Server) -> tuple[AbstractContextManager[Front], Front]:
        home = folder / server.name
        home.mkdir()
        own = {one.name: sim.entries.get(entry(server, one), "") for one in SITUATIONS.values()}
        context = server.start(home, Upstreams(port_of(sim.entries["direct"]), dead, own))
        return context, context.__enter__()

    fronts = {}
    with ThreadPoolExecutor(len(servers)) as pool:
        for server, starting in [(server, pool.submit(enter, server)) for server in servers]:
            context, fronts[server.name] = starting.result()
            stack.push(context)
    return fronts


def port_of(address: str) -> int:
    """The port of a base URL."""
    return httpx.URL(address).port or 80


def entry(server: Server, situation: Situation) -> str:
    """Route of one layer in one situation, and the API's own port for it where ids do not get through."""
    return f"{server.name}-{situation.name}"


def run(servers: Sequence[Server], fronts: Mapping[str, Front], folder: Path) -> dict[str, dict[str, Any]]:
    """Route → event. One process of the harness for each model; all but gateways have the same."""
    by_model: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    keys = {"LAYERS_KEY": KEY}
    for server in servers:
        front = fronts[server.name]
        variable = "LAYERS_KEY" if front.key is None else f"LAYERS_KEY_{server.name.upper().replace('-', '_')}"
        if front.key is not None:
            keys[variable] = front.key
        for situation in SITUATIONS.values():
            routes, include = by_model.setdefault(front.models.get(situation.name, "gpt-image-2"), ({}, []))
            name = entry(server, situation)
            sent = {FAULT_HEADER: situation.fault} if situation.fault and not server.is_gateway else {}
            routes[name] = {
                "base_url": f"{front.live if situation.listens else front.dead}/v1",
                "owner": "gateway",
                "kind": "compatible" if server.is_gateway else "images",
                "api_key_env": variable,
                "headers": sent,
                "chain": server.chain(),
                **server.route,
            }
            include.append({"route": name, **({} if server.is_gateway else situation.fields)})
    events: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(len(by_model)) as pool:
        runs = [
            pool.submit(_run, model, routes, include, folder / f"run-{model}", keys)
            for model, (routes, include) in by_model.items()
        ]
        for one in runs:
            events.update({event["route"]: event for event in one.result()})
    return events


def _run(
    model: str, routes: Mapping[str, Any], include: Sequence[Mapping[str, Any]], out: Path, keys: Mapping[str, str]
) -> list[dict[str, Any]]:
    scenario = {
        "name": "layers",
        "why": "Which layer gave up, behind the real ones.",
        "model": model,
        "prompts": ["A red apple on a white table"],
        "defaults": SHAPE,
        "routes": dict(routes),
        "matrix": {"include": list(include)},
        "timeouts": {"total": OURS_S},
        "load": {"concurrency": AT_ONCE},
        "budget": {"jobs": len(include)},
    }
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "-", "--out", str(out), "--quiet", "--yes"],
        input=yaml.safe_dump(scenario),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **keys},
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]


def _recording(
    server: Server, events: Mapping[str, dict[str, Any]], truth: Sequence[Mapping[str, Any]], log: Sequence[str]
) -> Recording:
    observations = []
    for situation in SITUATIONS.values():
        event = events[entry(server, situation)]
        ours = event["attempts"][-1]["client_request_id"]
        if server.is_gateway:
            calls = [one for one in truth if one["entry"] == entry(server, situation)]
        else:
            calls = [one for one in truth if one["client_request_id"] == ours]
        seen = lean({**event, "job_id": entry(server, situation)})
        observations.append(Observation(situation.name, seen, backend.as_logged(calls, ours), backend.told(calls)))
    return Recording(server.name, server.product, "server", server.version(), server.chain(), observations, log)


def tail(log: Path | None, folder: Path) -> list[str]:
    """The last lines of a layer's log, without the names of our folders."""
    if log is None or not log.exists():
        return []
    text = log.read_text(encoding="utf-8", errors="replace").replace(str(folder), "").replace(str(ROOT), "")
    return [line[:400] for line in text.splitlines() if line.strip()][-MOST_LOG_LINES:]
