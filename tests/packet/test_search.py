"""The archive's own bytes, searched by another hand: no known value of the run is there, in any encoding.

And the other way round: each encoding of each kind of value, planted behind wall 1, is found by wall 3.
"""

from __future__ import annotations

import base64
import gzip
import json
import socket
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from harness.conditions import read_conditions
from harness.errors import LeakRefused
from harness.journal_lines import read_events
from harness.packet import members, preview, write_packet
from harness.packet.known import KnownValue
from harness.packet.leakscan import scan

from .builder import PROMPT, conditions, write_run

SECRET = "wert-Ähre-90210-geheim"  # no shape of a secret: only that it is known gives it away
ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda value: value.encode("ascii", "backslashreplace").decode(),
    "upper case": lambda value: value.upper().encode("ascii", "backslashreplace").decode(),
    "json": lambda value: json.dumps(value)[1:-1],
    "json in json": lambda value: json.dumps(json.dumps(value))[3:-3],
    "every letter escaped": lambda value: "".join(f"\\u{ord(letter):04x}" for letter in value),
    "percent": lambda value: quote(value, safe=""),
    "percent of every byte": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "percent twice": lambda value: quote(quote(value, safe=""), safe=""),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 one byte in": lambda value: base64.b64encode(b"x" + value.encode()).decode(),
    "base64 two bytes in": lambda value: base64.b64encode(b"xy" + value.encode()).decode(),
    "base64url": lambda value: base64.urlsafe_b64encode(b"??>" + value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "hex in capitals": lambda value: value.encode().hex().upper(),
    "gzip in base64": lambda value: base64.b64encode(gzip.compress(value.encode(), mtime=0)).decode(),
    "gzip in hex": lambda value: gzip.compress(value.encode(), mtime=0).hex(),
    "zlib in base64": lambda value: base64.b64encode(zlib.compress(value.encode())).decode(),
}


def known_values(run_dir: Path) -> Iterator[str]:
    """What the run holds that nobody outside may see, gathered without the packet's own list of it."""
    under = read_conditions(run_dir)
    yield from (under.scenario, under.why, under.run_id, under.timezone)
    for route in under.routes:
        # The product's own name says nothing; the name that somebody gave does.
        yield from (name for name in (route.name, *(one.layer for one in route.chain)) if "falcon" in name)
    events, _ = read_events(run_dir / "events.jsonl")
    for event in events:
        yield from (event.prompt_text or PROMPT, event.prompt_hash, event.cell)
        for attempt in event.attempts:
            yield from (value for name, value in attempt.headers.items() if name == "via")
            yield (attempt.error.message if attempt.error is not None else None) or PROMPT
    yield from (str(run_dir), str(Path.home()), SECRET)
    if len(socket.gethostname()) > 4:
        yield socket.gethostname()


@pytest.mark.parametrize("job", ["j1", "j5", "j6", "j7"])
def test_no_known_value_is_in_the_archives_bytes_in_any_encoding(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    monkeypatch.setenv("RELAY_TOKEN", SECRET)
    target = write_packet(run_dir, job_id=job)
    with zipfile.ZipFile(target) as archive:
        inside = [archive.read(name) for name in archive.namelist()]
    haystack = b"\n".join([target.read_bytes(), *inside, preview(run_dir, job).encode()])
    folded = haystack.lower()
    values = {value for value in known_values(run_dir) if len(value) > 4}
    assert len(values) > 12
    for value in values:
        for name, encode in ENCODINGS.items():
            form = encode(value).encode()
            # Of base64 the first and last letters depend on what stands beside.
            form = form[4:-4] if "base64" in name and len(form) > 20 else form
            assert form not in haystack, (name, value)
            assert form.lower() not in folded or "base64" in name, (name, value)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_encoding_of_a_known_value_that_got_past_wall_one_is_refused(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("RELAY_TOKEN", SECRET)
    real = members.markdown
    form = ENCODINGS[encoding](SECRET)
    monkeypatch.setattr(members, "markdown", lambda packet: f"{real(packet)}\nbeside it ({form})\n")
    # By its shape, or because it is known: which rule is the first does not matter, and either alone would do.
    with pytest.raises(LeakRefused, match=r"in packet\.md") as caught:
        write_packet(run_dir)
    assert "known" in {hit.rule for hit in scan({"a": f"({form})".encode()}, known=[KnownValue("known", SECRET)])}
    assert form not in str(caught.value)
    assert not (run_dir / "packet.zip").exists()


@pytest.mark.parametrize("value", ["ingress-falcon", "Wozu das Ganze", "named-run-4711", PROMPT])
def test_a_route_a_layer_a_reason_and_a_prompt_are_known_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    run = write_run(tmp_path / "named-run-4711", under=msgspec.structs.replace(conditions(), why="Wozu das Ganze"))
    real = members.markdown
    monkeypatch.setattr(members, "markdown", lambda packet: f"{real(packet)}{value.upper()}\n")
    with pytest.raises(LeakRefused, match=r"(?:run-name|run-path|prompt) in packet\.md"):
        write_packet(run)
