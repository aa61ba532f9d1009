"""Mutated logs over every reader: nothing but `UsageProblem`, nothing slow, nothing of the input in any message.

A case begins with a format's fixture. A word that stands nowhere else is put at random places among its bytes, then
bytes, fields, lines and numbers are changed, and the result is read as what it was, or as what it is sniffed to be. The
word must not come back in anything that is said: a setback, a warning or an error.
"""

from __future__ import annotations

import json
import random
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageProblem
from harness.ingest.formats import FORMATS, Format, sniff
from harness.ingest.generic import read_mapped
from harness.ingest.sightings import Batch, complete
from harness.ingest.source import open_source
from tests.ingest.forms import with_fixtures

MARKER = "zqxMARKERxqz"
SLOW_S = 1.0
AGAIN = 4
PER_FILE = 100  # mutated lines of a file: each of them counts as an input

_NASTY = (
    b"-", b"--", b'"', b"\\", b"\\x", b"'", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b"[[[[[[",
    b",", b"\t", b"\r", b"\x01", b"\x1f\x8b", b"PK\x03\x04", b"null", b"NaN", b"Infinity", b"-1", b"1e309", b"-0",
    b"99999999999999999999999", b"9" * 400, b"$.a", b"%s%n", b"';--", b'"":', b"\\u0000", b"\\ud800",
    b"\xf0\x9f\x98\x80",
    b"2026-13-45T99:99:99Z", b"31/Feb/2026:25:61:61 +9999", b"true", b"{}", b"[]", b'{"a":', b"(" * 60, b"a" * 5000,
)  # fmt: skip


_MAPPING = """
side: client
fields:
  started_at_s: {from: started, form: "%Y-%m-%d %H:%M:%S"}
  duration_ms: {from: took, unit: s}
  status: status
  client_request_id: id
  gave_up: {from: ended, words: {timeout: self, ok: nobody}}
"""
_ROWS = [(f"2026-11-21 11:4{n}:00", f"{n}.5", str(200 + n), f"id-of-job-{n}", "ok") for n in range(8)]
_KEYS = ("started", "took", "status", "id", "ended")
_CSV = "\n".join(",".join(row) for row in (_KEYS, *_ROWS))
_JSONL = "\n".join(json.dumps(dict(zip(_KEYS, row, strict=True))) for row in _ROWS)


@dataclass
class Tally:
    """What came of it. `faults`: (format, seed, what went wrong)."""

    inputs: int = 0
    refused: int = 0
    records: int = 0
    slowest_s: float = 0.0
    slowest: str = ""
    faults: list[tuple[str, int, str]] = field(default_factory=list)


def mutated(rng: random.Random, good: bytes, others: list[bytes]) -> tuple[bytes, int]:
    """A changed document, and how many changed inputs are in it: its lines."""
    if good.count(b"\n") < 2 or rng.random() < 0.15:
        return _changed(rng, good[: rng.choice((len(good), 4000))]), 1
    lines = good.splitlines()
    out = []
    for _ in range(PER_FILE):
        line = rng.choice(lines)
        roll = rng.random()
        if roll < 0.05:
            line += rng.choice(lines)  # a line end that was lost
        elif roll < 0.08:
            line = rng.choice(rng.choice(others).splitlines() or [b""])  # of another log
        out.append(_changed(rng, line))
    return rng.choice((b"\n", b"\n", b"\n", b"\r\n")).join(out), PER_FILE


def _changed(rng: random.Random, text: bytes) -> bytes:
    body = bytearray(text)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(body) + 1)
        until = min(len(body), at + rng.choice((1, 2, 5, 40)))
        match rng.randrange(7):
            case 0:
                body[at:until] = b""
            case 1:
                body[at:at] = rng.choice(_NASTY)
            case 2:
                body[at:until] = rng.choice(_NASTY)
            case 3:
                body[at:until] = bytes(rng.randrange(256) for _ in range(until - at))
            case 4:
                body[at:at] = bytes(body[at:until]) * rng.choice((1, 2, 20))
            case 5:
                del body[at:]
            case _:
                body[at:at] = str(rng.choice((0, -1, 1 << 63, 10**30, 1e-320, rng.random()))).encode()
    at = rng.randrange(len(body) + 1)
    body[at:at] = MARKER.encode()
    return bytes(body)


def subjects(scratch: Path) -> list[tuple[Format, bytes]]:
    """Every format that has a fixture, and files by a mapping, with what a file of theirs looks like."""
    given = {name: path.read_bytes() for name, path in with_fixtures().items()}
    mapping = scratch / "mapping.yaml"
    mapping.write_text(_MAPPING, encoding="utf-8")
    by_mapping = [
        (Format(f"mapped-{kind}", "", lambda _: False, lambda source: read_mapped(source, mapping)), text.encode())
        for kind, text in (("csv", _CSV), ("jsonl", _JSONL))
    ]
    return [*((one, given[one.name]) for one in FORMATS if one.name in given), *by_mapping]


def run(
    inputs: int, seed: int, scratch: Path, tally: Tally, *, until: float | None = None,
    over: Sequence[tuple[Format, bytes]] | None = None,
) -> Tally:  # fmt: skip
    """Read this many mutated inputs, each format in turn; stops early at `until` (monotonic seconds)."""
    forms = over or subjects(scratch)
    number = 0
    while tally.inputs < inputs and (until is None or time.monotonic() < until):
        form, good = forms[number % len(forms)]
        number += 1
        one_seed = seed * 1_000_003 + number
        rng = random.Random(one_seed)
        text, count = mutated(rng, good, [other for _, other in forms])
        tally.inputs += count
        as_named = form if rng.random() < 0.7 else None
        took = _one(as_named, form.name, one_seed, text, scratch, tally)
        for _ in range(AGAIN):  # the machine may have been busy: only what is slow each time is slow
            if took <= SLOW_S:
                break
            time.sleep(0.2)
            took = min(took, _one(as_named, form.name, one_seed, text, scratch, Tally()))
        if took > tally.slowest_s:
            tally.slowest_s, tally.slowest = took, f"{form.name} ({one_seed})"
    return tally


def _one(form: Format | None, name: str, seed: int, text: bytes, scratch: Path, tally: Tally) -> float:
    folder = scratch / "copies"
    folder.mkdir(exist_ok=True)
    path = scratch / "given.log"
    path.write_bytes(text)
    began = time.perf_counter()
    said: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            source = open_source(path, folder)
            chosen = form or sniff(source)
            if chosen is not None:
                batch = chosen.read(source)
                tally.records += len(batch.table)
                said += [bad.reason for bad in batch.bad]
                _misshapen(batch, tally, name, seed)
        said += [str(one.message) for one in warned]
    except UsageProblem as problem:
        tally.refused += 1
        said.append(str(problem))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        tally.faults.append((name, seed, f"{type(error).__name__}: {str(error)[:200]}"))
    took = time.perf_counter() - began
    for copy in folder.iterdir():
        copy.unlink()
    if any(MARKER in one for one in said):
        tally.faults.append((name, seed, "the input is in a message"))
    return took


def _misshapen(batch: Batch, tally: Tally, name: str, seed: int) -> None:
    """Whether the table has the columns that it should have, and no number that is none."""
    table = batch.table
    if list(table.columns) != list(complete({}, rows=0, side="proxy", writer="x").columns):
        tally.faults.append((name, seed, "other columns"))
    numbers = table.select_dtypes("number")
    if numbers.isin([float("inf"), float("-inf")]).any().any():
        tally.faults.append((name, seed, "an infinite number"))
