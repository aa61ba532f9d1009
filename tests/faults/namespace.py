"""A network of our own: one namespace with nothing in it but what a test puts there, and a resolver that it writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

HERE, HERE6 = "10.99.0.1", "fd99::1"  # this machine, and no loopback address: proxies are asked for it
NOWHERE6 = "fd99:dead::1"  # what goes there is taken and never answered

SETUP = f"""
set -e
ip link set lo up
ip address add {HERE}/32 dev lo
ip -6 address add {HERE6}/128 dev lo nodad
ip tuntap add mode tun name hole
ip link set hole up
ip -6 address add fd99:dead::2/64 dev hole nodad
printf 'nameserver 127.0.0.1\\noptions timeout:{{patience_s}} attempts:1\\n' >{{folder}}/resolv.conf
mount --bind {{folder}}/resolv.conf /etc/resolv.conf
echo ready >{{folder}}/ready
exec {sys.executable} -m {{module}} {{folder}}
"""


def inside(module: str, folder: Path, *, patience_s: int = 2, **env: str) -> dict[str, Any]:
    """Run a module of the tests in such a network; what it prints as JSON. It gets the folder as its argument.

    Skips the test where no namespace can be made.
    """
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("no unshare or no ip here")
    script = SETUP.format(folder=folder, module=module, patience_s=patience_s)
    mine = [] if os.geteuid() == 0 else ["-r"]
    done = subprocess.run(
        ["unshare", *mine, "-mn", "sh", "-c", script],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if not (folder / "ready").exists():
        pytest.skip(f"no network of our own can be made here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told
