"""The official client for Node, unmodified, against the embedded API: another reader of the same wire."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from harness.simulator.process import spawn
from tests.conftest import ROOT

LIBRARY = ROOT / ".node" / "node_modules" / "openai" / "index.mjs"  # .ci/run puts it there
SCRIPT = ROOT / "tests" / "simulator" / "node_client.mjs"
WORLD = {"time_scale": 400, "seed": 2, "layers": {"azure": {"speaks": "azure"}}}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the client made of the answers."""
    if os.environ.get("CI") != "true" and not (LIBRARY.exists() and shutil.which("node")):
        pytest.skip("the client for Node is not installed; .ci/run says how")
    with spawn(WORLD) as sim:
        command = ["node", str(SCRIPT), LIBRARY.as_uri(), sim.entries["direct"], sim.entries["azure"]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def test_the_node_client_gets_images_and_counts_their_tokens(told: dict[str, Any]) -> None:
    assert told["plain"]["bytes"] > 10_000
    assert told["plain"]["usage"]["output_tokens"] == 196
    assert told["plain"]["id"].startswith("req_")
    assert told["edited"]["input_tokens_details"]["image_tokens"] == 1496
    assert told["azure"] == 1


def test_the_node_client_reads_both_streams_to_their_end(told: dict[str, Any]) -> None:
    assert told["stream"] == ["image_generation.partial_image", "image_generation.completed"]
    assert told["response"] == {"status": "completed", "kinds": ["image_generation_call"]}
    assert told["responses"][0] == "response.created"
    assert told["responses"][-2:] == ["response.output_item.done", "response.completed"]
    assert told["responses"].count("response.image_generation_call.partial_image") == 1


def test_the_node_client_knows_a_refusal_by_its_class(told: dict[str, Any]) -> None:
    assert told["refused"] == {"name": "BadRequestError", "status": 400, "code": "invalid_value", "param": "size"}
