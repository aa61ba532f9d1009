"""`python -m tests.bench.fuzz_sanitizer N`: mutated inputs over the sanitizer, on all cores but none in particular.

No crash but its own refusal, nothing over a second, no word of the input in an error. Ends with 1 when one is found.
"""

# ruff: noqa: E501 - rows of data
from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, field

from harness.packet.sanitize import SanitizerRefused, sanitize
from tests.sanitizer.corpus import cases

SPICE = (
    '"', "'", "\\", "\\\\", "{", "}", "[", "]", ":", ",", "=", "&", "%", "%25", "%2", "\\u", "\\u00", "\\ud800", "\ud800", "\x00", "\n", "\r\n", "\t", "<", ">", "<key:", "<key:00000000>",
    "--", "-----BEGIN A-----", "data:", "://", "http://", "@", "/", "é", "猫", "\u200b", "\ufeff", "\x01", "\xff", "&#", "&amp;", "=3D", "prompt: |", 'prompt="""', "Bearer ", "Cookie: ",
    "Content-Disposition: form-data; name=\"a\"\r\n\r\n", "[" * 300, '{"a":' * 150, "a" * 3000, "A1" * 2000, "1" * 400, "9" * 5000, "e+", "\x7f", "𐍈", "::", "1.2.3.4", "\\x89",
)  # fmt: skip


@dataclass
class Found:
    """What went wrong, by kind and seed: never an input."""

    inputs: int = 0
    refused: int = 0
    crashed: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def mutated(texts: list[str], rng: random.Random) -> str:
    """A text of the corpus with one to six changes."""
    text = rng.choice(texts)
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(text))
        end = min(len(text), at + rng.choice((0, 1, 1, 5, 40)))
        kind = rng.random()
        if kind < 0.45:
            text = text[:at] + rng.choice(SPICE) + text[end:]
        elif kind < 0.6:
            text = text[:at] + text[end:]
        elif kind < 0.75:
            other = rng.choice(texts)
            cut = rng.randint(0, len(other))
            text = text[:at] + other[cut : cut + 200] + text[at:]
        elif kind < 0.85:
            text = text[:at] + text[at:end] * rng.randint(2, 30) + text[end:]
        else:
            text = (
                text[:at]
                + chr(rng.choice((rng.randint(1, 127), rng.randint(128, 0x2FF), rng.randint(1, 0xFFFF))))
                + text[end:]
            )
    return text[:20_000]


def fuzz(count: int, seed: int = 1) -> Found:
    """So many mutated inputs."""
    texts = [case.text for case in cases(seed)]
    rng = random.Random(seed)
    found = Found()
    for number in range(count):
        text = mutated(texts, rng)
        begun = time.process_time()
        try:
            sanitize(text, salt=b"fuzz")
        except SanitizerRefused as error:
            found.refused += 1
            shown = str(error)
            if "stopped" in shown or "changes each" in shown:
                found.crashed.append(f"{seed}/{number}: {shown[:120]}")
            if any(text[i : i + 24] in shown for i in range(0, max(len(text) - 24, 1), 7) if len(text) >= 24):
                found.told.append(f"{seed}/{number}")
        except Exception as error:  # noqa: BLE001 - what we look for
            found.crashed.append(f"{seed}/{number}: {type(error).__name__}")
        took = time.process_time() - begun
        found.slowest_s = max(found.slowest_s, took)
        if took > 1.0:
            found.slow.append(f"{seed}/{number}: {took:.1f} s, {len(text)} characters")
        found.inputs += 1
    return found


def main() -> int:
    """The command."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    done = fuzz(count, seed)
    print(
        f"{done.inputs:,} mutated inputs: {len(done.crashed)} crashes, {len(done.slow)} over a second (slowest "
        f"{done.slowest_s:.2f} s of CPU), {len(done.told)} errors that repeat input, {done.refused} refusals"
    )
    for line in (*done.crashed[:10], *done.slow[:10], *done.told[:10]):
        print("  ", line)
    return 1 if done.crashed or done.slow or done.told else 0


if __name__ == "__main__":
    sys.exit(main())
