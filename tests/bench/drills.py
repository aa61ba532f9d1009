"""`python -m tests.bench.drills`: policies drilled live on the embedded API, and simulated from a plain run of it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.drills.agreeing import OUTAGE_S, Agreement, agreements


def harness(*args: object, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """The real command line."""
    command = [sys.executable, "-m", "harness", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=timeout, env={**os.environ, **env}, check=False
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1500, help="in the plain run, and of each policy")
    parser.add_argument("--scale", type=int, default=60, help="how many times faster the world runs")
    parser.add_argument("--seed", type=int, default=17)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for broken in (False, True):
            place = Path(folder) / ("broken" if broken else "whole")
            place.mkdir()
            found = agreements(
                place, harness, jobs=options.jobs, broken=broken, scale=options.scale, seed=options.seed, timeout_s=3600
            )  # type: ignore[arg-type]
            under = f", the edge down for {OUTAGE_S} s of them" if broken else ""
            print(
                f"{options.jobs} jobs of each policy{under}, drilled on the embedded API, against a simulation from a "
                "plain run of as many. Goal: within 10 %.\n"
            )
            _table(found)
    return 0


def _table(found: list[Agreement]) -> None:
    print("| policy | figure | drilled | simulated | error |\n|---|---|---|---|---|")
    for one in found:
        mark = " ✓" if abs(one.error) < 0.1 else ""
        print(f"| {one.policy} | {one.figure} | {one.live:.4f} | {one.simulated:.4f} | {one.error:+.1%}{mark} |")
    print()


if __name__ == "__main__":
    sys.exit(main())
