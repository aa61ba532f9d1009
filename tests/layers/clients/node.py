"""Node: undici's fetch, axios and the official client, each with its own timeout."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.conftest import ROOT
from tests.layers.client import Calls, Client, Told
from tests.layers.process import Missing, find
from tests.layers.server import Cap, both

HOME = ROOT / ".node"  # .ci/run puts it there
CALLER = Path(__file__).with_name("caller.mjs")


def _program(library: str) -> str:
    if not (HOME / "node_modules" / library).is_dir():
        raise Missing(f"there is no {library} for Node; .ci/run says how to put it in place")
    return find("node")


def _version(library: str) -> str:
    package = json.loads((HOME / "node_modules" / library / "package.json").read_text(encoding="utf-8"))
    return str(package["version"])


def _client(name: str, product: str, library: str, caps: Sequence[Cap]) -> Client:
    def call(folder: Path, calls: Calls) -> Sequence[Told]:  # noqa: ARG001
        command = [_program(library), str(CALLER), str(HOME), json.dumps({name: calls.plan()}), calls.key]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return msgspec.convert(json.loads(done.stdout)[name], list[Told])

    return Client(name, product, lambda: _program(library), lambda: _version(library), call, caps)


CLIENTS = (
    _client(
        "undici",
        "node_fetch",
        "undici",
        (Cap("first_byte", 2.0, "Agent({headersTimeout})"), Cap("idle", 2.0, "Agent({bodyTimeout})")),
    ),
    _client("axios", "axios", "axios", both(("first_byte", "idle"), "timeout (ms)")),
    _client("openai-node", "openai_node", "openai", (Cap("first_byte", 2.0, "timeout (ms)"),)),
)
