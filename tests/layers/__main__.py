"""``python -m tests.layers --record [NAME…]`` observes and writes; ``--table`` prints the docs' table of it."""

from __future__ import annotations

import argparse
import sys

from tests.layers import observation
from tests.layers.observe import LAYERS, missing, observe_all
from tests.layers.table import table


def main() -> int:
    """Exit code 1 where something that was asked for is not on this machine."""
    parser = argparse.ArgumentParser(prog="python -m tests.layers", description=__doc__)
    parser.add_argument("--record", action="store_true", help="observe this machine's layers and write the recordings")
    parser.add_argument("--table", action="store_true", help="print the table from the recordings")
    parser.add_argument("names", nargs="*", help="only these layers")
    options = parser.parse_args()
    if options.record:
        lacking = [why for one in LAYERS if (not options.names or one.name in options.names) and (why := missing(one))]
        for why in lacking:
            print(why, file=sys.stderr)
        found = observe_all(lambda one: not options.names or one.name in options.names)
        observation.write(found)
        print(f"{len(found)} layers recorded", file=sys.stderr)
        if lacking:
            return 1
    if options.table:
        order = {one.name: at for at, one in enumerate(LAYERS)}
        print(table(sorted(observation.read(), key=lambda one: order[one.layer])), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
