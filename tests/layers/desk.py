"""Every client that measures itself, in every situation, straight at the embedded API."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from harness.simulator.process import spawn
from tests.layers import backend
from tests.layers.client import Calls, Client, Told, as_event
from tests.layers.observation import Observation, Recording, lean
from tests.layers.process import dead_port
from tests.layers.rig import KEY, prepare, settle, world
from tests.layers.situations import SITUATIONS


def observe(clients: Sequence[Client], folder: Path) -> list[Recording]:
    """All of them at once, each with one call in each situation."""
    log = folder / "truth-clients.jsonl"
    with dead_port() as dead, spawn(world(), log=log) as sim, ThreadPoolExecutor(len(clients)) as pool:
        prepare(sim)
        live = sim.entries["direct"]

        def call(client: Client) -> Sequence[Told]:
            home = folder / client.name
            home.mkdir()
            ids = {name: f"{client.name}-{secrets.token_hex(6)}" for name in SITUATIONS}
            return client.call(home, Calls(live, f"http://127.0.0.1:{dead}/v1", KEY, ids))

        told = list(pool.map(call, clients))
        settle(sim)
    truth = backend.records(log)
    return [_recording(client, said, truth) for client, said in zip(clients, told, strict=True)]


def _recording(client: Client, told: Sequence[Told], truth: Sequence[Mapping[str, Any]]) -> Recording:
    observations = []
    for one in told:
        calls = [record for record in truth if record["client_request_id"] == one.client_request_id]
        event = lean(msgspec.json.decode(msgspec.json.encode(as_event(client, one))))
        logged = backend.as_logged(calls, one.client_request_id)
        observations.append(Observation(one.situation, event, logged, backend.told(calls)))
    return Recording(client.name, client.product, "client", client.version(), client.chain(), observations)
