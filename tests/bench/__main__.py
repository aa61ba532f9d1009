"""`make bench`: everything that is measured and never asserted; ``--write`` puts it into docs/benchmark.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = """# Benchmark

Printed by `make bench`; nothing here is asserted by a test. How the truth is known: [clocks.md](clocks.md).
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of a few situations")
    parser.add_argument("--write", type=Path, help="write it into this file as well")
    options = parser.parse_args()
    parts = {
        "Clocks": ["tests.bench.clocks", *(["--quick"] if options.quick else [])],
        "Embedded API": ["tests.bench.embedded_api"],
        "Reading": ["tests.bench.reading", *(["--events", "100000", "--rounds", "1"] if options.quick else [])],
        "Caps in a crowd": ["tests.bench.caps"],
        "Comparisons": ["tests.bench.comparisons", *(["--trials", "50"] if options.quick else [])],
        "Blind ratings": ["tests.bench.ratings", *(["--trials", "50"] if options.quick else [])],
        "Stopping early": ["tests.bench.stopping", *(["--trials", "50"] if options.quick else [])],
        "Watching": ["tests.bench.watching", *(["--trials", "50"] if options.quick else [])],
        "Policies": ["tests.bench.policies", *(["--jobs", "200"] if options.quick else [])],
        "Drill and simulation": ["tests.bench.drills", *(["--jobs", "150"] if options.quick else [])],
        "Sanitizer": ["tests.bench.sanitizing", *(["--megabytes", "1"] if options.quick else [])],
        "Kills": ["tests.bench.kills", *(["--kills", "10"] if options.quick else [])],
        "Endurance": ["tests.bench.soak", *(["--hours", "1", "--only", "soak"] if options.quick else [])],
        "Start": ["tests.bench.start"],
    }
    pages = [HEAD]
    for title, command in parts.items():
        print(f"\n## {title}\n", flush=True)
        text = ""
        with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
            for line in running.stdout or ():
                print(line, end="", flush=True)
                text += line
        if running.returncode:
            return running.returncode
        pages.append(f"\n## {title}\n\n{text}")
    if options.write:
        options.write.write_text("".join(pages), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
