"""The way matters: two workers in namespaces of their own, one of them behind a long link to API and scheduler.

The links are those of `tests/wire/test_link.py`: what netem does, without a module that a kernel may not have.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.clusters import cluster, lines
from tests.conftest import ROOT
from tests.wire.test_link import Carrier, run, tun, why_not

FAR_MS = 60  # from the hub to the far worker; the way back is short
SCALE = 20
HUB = "10.77.0.1"

SCENARIO = """
name: places
why: One region's first byte is not another's.
prompts: [A red apple on a white table]
routes: {api: {base_url: "BASE", owner: openai, direct: true}}
defaults: {quality: low, size: 1024x1024, output_format: jpeg, stream: true}
repeats: 6
load: {concurrency: 2}
budget: {jobs: 12}
"""

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@contextlib.contextmanager
def places() -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """A hub's namespace, and by region the namespace and address of a place that reaches it."""
    hub, links = f"hh{os.getpid()}", {"near": (1, 0.0), "far": (2, float(FAR_MS))}
    found = {region: (f"h{number}{os.getpid()}", f"10.77.{number}.2") for region, (number, _) in links.items()}
    files: list[int] = []
    carriers: list[Carrier] = []
    names = [hub, *(name for name, _ in found.values())]
    try:
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")
        run("ip", "netns", "exec", hub, "ip", "address", "add", f"{HUB}/32", "dev", "lo")
        for region, (number, delay_ms) in links.items():
            name, address = found[region]
            ends = ((f"c{number}{os.getpid()}", name, address), (f"s{number}{os.getpid()}", hub, f"10.77.{number}.1"))
            pair = [tun(device) for device, _, _ in ends]
            files += pair
            for device, inside, own in ends:
                run("ip", "link", "set", device, "netns", inside)
                run("ip", "netns", "exec", inside, "ip", "address", "add", f"{own}/30", "dev", device)
                run("ip", "netns", "exec", inside, "ip", "link", "set", device, "up")
            run("ip", "netns", "exec", name, "ip", "route", "add", HUB, "via", f"10.77.{number}.1")
            carriers.append(Carrier(pair[0], pair[1], delay_ms, 0.0))
        for carrier in carriers:
            carrier.start()
        yield hub, found
    finally:
        for carrier in carriers:
            carrier.stop.set()
            if carrier.is_alive():
                carrier.join()
        for file in files:
            os.close(file)
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


@contextlib.contextmanager
def api(hub: str) -> Iterator[str]:
    """The embedded API on the hub's address."""
    command = ["ip", "netns", "exec", hub, sys.executable, "-m", "harness.simulator", "--world", "-"]
    command += ["--host", HUB, "--until-stdin-closes"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps({"seed": 4, "time_scale": SCALE}) + "\n")
        process.stdin.flush()
        yield json.loads(process.stdout.readline())["entries"]["direct"]
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def test_a_far_workers_first_byte_is_later_by_its_way_and_its_clock_less_certain(tmp_path: Path) -> None:
    with places() as (hub, found), api(hub) as base_url:
        inside = ["ip", "netns", "exec", hub]
        with cluster(tmp_path / "cluster", inside=inside, host=HUB) as shared:
            for region, (name, address) in found.items():
                shared.add(region, region, inside=["ip", "netns", "exec", name], host=address, wait=False)
            for region in found:
                shared.wait_for(region)
            scenario, out = tmp_path / "places.yaml", tmp_path / "run"
            scenario.write_text(SCENARIO.replace("BASE", base_url))
            command = [*inside, sys.executable, "-m", "harness", "run", str(scenario), "--out", str(out), "--quiet"]
            command += ["--dask", shared.address, "--time-scale", str(SCALE)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
            assert done.returncode == 0, done.stderr
    events = lines(out / "events.jsonl")
    by_region = {region: [one for one in events if one["region"] == region] for region in found}
    assert {region: len(jobs) for region, jobs in by_region.items()} == {"near": 6, "far": 6}
    first_byte = {region: statistics.median(one["first_byte_ms"] for one in jobs) for region, jobs in by_region.items()}
    # The long way once at least: the answer's. In the time of the measured world, like every clock.
    assert first_byte["far"] - first_byte["near"] >= 0.7 * FAR_MS * SCALE
    # All clocks are this machine's, so the true offset is 0; the far worker's is known to half of its round trip.
    assert all(abs(one["clock_offset_ms"]) <= one["clock_offset_error_ms"] for one in events)
    assert min(one["clock_offset_error_ms"] for one in by_region["far"]) >= FAR_MS / 2 - 1
