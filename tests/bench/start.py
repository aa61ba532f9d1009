"""`python -m tests.bench.start`: how long `harness --help` takes, beside an interpreter that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15


def main() -> int:
    commands = {"python -c pass": ["-c", "pass"], "harness --help": ["-m", "harness", "--help"]}
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, arguments in commands.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            found[name].append((time.perf_counter() - began) * 1000)
    nothing, help_ms = (statistics.median(values) for values in found.values())
    print(f"python -c pass {nothing:.0f} ms, harness --help {help_ms:.0f} ms (goal ≤ {2 * nothing + 60:.0f} ms)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
