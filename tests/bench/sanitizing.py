"""`python -m tests.bench.sanitizing`: speed, and what the sanitizer lets through and loses of its corpus."""

from __future__ import annotations

import argparse
import base64
import json
import random
import time
from collections.abc import Callable

from harness.packet.sanitize import sanitize
from tests.bench.machine import describe
from tests.sanitizer.measure import shares


def access(rng: random.Random) -> str:
    """A line of nginx."""
    return (
        f"203.0.113.{rng.randrange(256)} - - [20/Nov/2026:10:15:30 +0000] "
        f'"POST /v1/images/generations HTTP/1.1" 504 167 "-" "OpenAI/Python 1.99.9" {rng.random() * 60:.3f} '
        f"60.000 504 {rng.randbytes(16).hex()}"
    )


def entry(rng: random.Random) -> str:
    """A line of JSON."""
    body = {
        "ts": "2026-11-20T10:15:30.250Z", "level": "info", "request_id": "req_" + rng.randbytes(16).hex(),
        "model": "gpt-image-1", "prompt": f"a red fox {rng.randrange(1000)}", "total_ms": rng.random() * 1e5,
        "client_ip": f"10.0.{rng.randrange(256)}.7", "msg": "upstream timed out after 60 s, retrying",
    }  # fmt: skip
    return json.dumps(body)


def lines(one: Callable[[random.Random], str], size: int) -> str:
    """So many characters of lines."""
    rng = random.Random(1)
    out: list[str] = []
    total = 0
    while total < size:
        out.append(one(rng))
        total += len(out[-1]) + 1
    return "\n".join(out) + "\n"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=5.0)
    options = parser.parse_args()
    size = int(options.megabytes * 1e6)
    for line in describe():
        print(line)
    print()
    texts = {
        "access log": lambda: lines(access, size),
        "JSONL": lambda: lines(entry, size),
        "one line of JSON": lambda: json.dumps([json.loads(line) for line in lines(entry, size).splitlines()]),
        "base64": lambda: base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode(),
        "one letter": lambda: "a" * size,
        "password= again and again": lambda: "password=" * (size // 9),
        "escaped quotes": lambda: '\\"' * (size // 2),
    }
    for name, make in texts.items():
        text = make()
        begun = time.process_time()
        sanitize(text, salt=b"bench")
        took = time.process_time() - begun
        print(
            f"{name}: {len(text) / 1e6:.1f} MB, {took:.1f} s of one core, {len(text) / 1e6 / took:.2f} MB/s (goal 0.5)"
        )
    found = [shares(seed) for seed in (1, 2, 3)]
    survived, must = sum(len(one.survived) for one in found), sum(one.must for one in found)
    strange, exotic = sum(len(one.survived_exotic) for one in found), sum(one.exotic for one in found)
    lost, keep = sum(len(one.lost) for one in found), sum(one.keep for one in found)
    print(
        f"\nown corpus: {survived} of {must:,} must-never values survive (goal 0), {strange} of {exotic:,} exotic ones "
        f"(goal ≤ 1.5 %), {lost} of {keep:,} values to keep are lost, {100 * lost / keep:.2f} % (goal ≤ 3 %)"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
