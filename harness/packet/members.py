"""The members of a bundle as bytes, from a packet. A pure function: the same packet, the same bytes."""

from __future__ import annotations

import hashlib
import json

from harness.packet.markdown import markdown
from harness.packet.repro import python_script, shell_script
from harness.packet.schema import EscalationPacket
from harness.packet.waterfall import waterfall

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
CONTENT = ("packet.json", "packet.md", "repro.py", "repro.sh", "waterfall.svg")
NAMES = (SUMS, MANIFEST, *CONTENT)


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def content(packet: EscalationPacket) -> dict[str, bytes]:
    """The five files that say something."""
    texts = {
        "packet.json": packet.model_dump_json(indent=2) + "\n",
        "packet.md": markdown(packet),
        "repro.py": python_script(packet),
        "repro.sh": shell_script(packet),
        "waterfall.svg": waterfall(packet),
    }
    return {name: text.encode("ascii", "backslashreplace") for name, text in texts.items()}


def manifest(packet: EscalationPacket, files: dict[str, bytes]) -> bytes:
    """Versions, size and digest of every file, and how many values were left out, by kind."""
    body = {
        "schema_version": packet.schema_version,
        "tool": packet.tool,
        "tool_version": packet.tool_version,
        "files": [{"name": name, "bytes": len(data), "sha256": digest(data)} for name, data in sorted(files.items())],
        "left_out": {one.kind: one.count for one in packet.dropped},
    }
    return (json.dumps(body, indent=2) + "\n").encode("ascii")


def members(packet: EscalationPacket) -> dict[str, bytes]:
    """Every member by name, in the order of the archive: `NAMES`, sorted."""
    files = content(packet)
    files[MANIFEST] = manifest(packet, files)
    sums = "".join(f"{digest(data)}  {name}\n" for name, data in sorted(files.items()))
    files[SUMS] = sums.encode("ascii")
    return dict(sorted(files.items()))


def opaque_tokens(packet: EscalationPacket, files: dict[str, bytes]) -> frozenset[str]:
    """The only opaque tokens that belong into this bundle: its anchored ids, fingerprints and digests."""
    errors = [packet.error, *(attempt.error for attempt in packet.attempts)]
    prints = {e.message_fingerprint for e in errors if e is not None and e.message_fingerprint is not None}
    ids = {one.value for one in packet.ids()}
    return frozenset({*ids, *prints, *(digest(data) for name, data in files.items() if name != SUMS)})
