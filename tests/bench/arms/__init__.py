"""The arms: each measures the same jobs in its own way, in a process of its own.

`python -m tests.bench.arms.<name>` reads a `Spec` as JSON on stdin and prints what it saw as JSON: for every job the
moment of the first response byte and of each event's first byte and end, by CLOCK_MONOTONIC, in ns.
"""
