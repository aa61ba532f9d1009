"""A real LiteLLM proxy as a child process, in front of ports of the embedded API."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.conftest import ROOT

HOME = ROOT / ".venv-litellm"  # `make gateways` puts it there
UP_S = 90.0  # it takes nine where nothing else runs
REQUEST_LOG = Path(__file__).parent / "request_log.py"  # writes requests.jsonl into the proxy's folder
LIFE_S = 600  # however this process ends: the proxy does not outlive it for longer


@dataclass(frozen=True)
class Proxy:
    """A proxy that answers."""

    base_url: str
    key: str


def is_installed() -> bool:
    """Whether its environment is there, and whole."""
    return (HOME / ".ready").exists()


@contextmanager
def litellm(models: Mapping[str, Mapping[str, Any]], folder: Path) -> Iterator[Proxy]:
    """Run the proxy on loopback, on a port that is free, without a database, for as long as the context is open.

    Args:
        models: name that clients call → ``litellm_params``; what each of them needs is added.
        folder: where its configuration and its output are kept.
    """
    key = "sk-" + secrets.token_hex(16)  # the well-known one of its documentation is refused
    params = {"model": "openai/gpt-image-2", "api_key": "sk-sim-" + "behind-litellm"}
    listed = [{"model_name": name, "litellm_params": {**params, **given}} for name, given in models.items()]
    config = {
        "model_list": listed,
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        "litellm_settings": {"callbacks": [f"{REQUEST_LOG.stem}.writer"]},
    }
    shutil.copy(REQUEST_LOG, folder)  # it is looked for beside the configuration
    (folder / "litellm.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = _free_port()
    command = ["timeout", "--kill-after=5", str(LIFE_S), str(HOME / "bin" / "litellm")]
    command += ["--config", "litellm.yaml", "--host", "127.0.0.1", "--port", str(port)]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }
    said = folder / "litellm.log"
    with said.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/health/liveliness", said)
        yield Proxy(f"http://127.0.0.1:{port}/v1", key)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, said: Path) -> None:
    limit = time.monotonic() + UP_S
    while True:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        tail = said.read_text(encoding="utf-8", errors="replace")[-3000:]
        assert process.poll() is None, f"LiteLLM ended:\n{tail}"
        assert time.monotonic() < limit, f"LiteLLM does not answer:\n{tail}"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
