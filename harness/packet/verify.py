"""``verify FILE``: for whoever receives a packet. Needs nothing but the file.

It shows that the packet is whole and unchanged and that it says the same thing everywhere; it cannot show who wrote it,
for it is not signed.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

import harness
from harness.errors import UsageProblem
from harness.packet.archive import MAX_ARCHIVE_BYTES, pack, unpack
from harness.packet.leakscan import refuse, scan
from harness.packet.members import MANIFEST, NAMES, SUMS, content, digest, manifest, opaque_tokens
from harness.packet.public import public_text
from harness.packet.schema import EscalationPacket


@dataclass(frozen=True)
class VerifyResult:
    """What was verified. `rendered_again` is false when another version of the tool wrote the file."""

    path: Path
    members: tuple[str, ...]
    total_bytes: int
    schema_version: int
    tool_version: str
    rendered_again: bool

    def __str__(self) -> str:
        again = "" if self.rendered_again else "; written by another version, so its texts were not rendered again"
        return (
            f"{self.path}: whole and unchanged, {len(self.members)} members, {self.total_bytes} bytes, "
            f"schema {self.schema_version}, tool {self.tool_version}{again}"
        )


def verify_packet(path: Path) -> VerifyResult:
    """Check a bundle: names, sizes, digests, schema, that its texts follow from packet.json, and its shapes.

    Raises:
        UsageProblem: not there, not ours, or changed; says which member.
        LeakRefused: it holds something that must never be in a packet.
    """
    try:
        if path.stat().st_size > MAX_ARCHIVE_BYTES:
            raise UsageProblem(f"{path}: larger than {MAX_ARCHIVE_BYTES} bytes: not a packet of ours")
        data = path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror})") from None
    try:
        packet, files, again = check_archive(data)
    except UsageProblem as problem:
        raise UsageProblem(f"{path}: {problem}") from None
    allowed = opaque_tokens(packet, files)
    refuse(scan(files, allowed=allowed, public=public_text(), names=NAMES))
    return VerifyResult(path, tuple(files), len(data), packet.schema_version, packet.tool_version, again)


def problem_place(error: ValidationError) -> str:
    """Where a packet breaks its schema, by the schema's own names: a foreign field's name is not repeated."""
    path = error.errors(include_input=False, include_url=False, include_context=False)[0]["loc"]
    known = json.dumps(EscalationPacket.model_json_schema())
    return ".".join(str(part) if f'"{part}"' in known or isinstance(part, int) else "?" for part in path[:6])


def check_archive(data: bytes) -> tuple[EscalationPacket, dict[str, bytes], bool]:
    """The packet and members of an archive whose parts all agree, and whether its texts were rendered again.

    Raises:
        UsageProblem: they do not.
    """
    files = unpack(data, NAMES)
    try:
        packet = EscalationPacket.model_validate_json(files["packet.json"])
    except ValidationError as error:
        raise UsageProblem(
            f"packet.json does not fit the schema ({error.error_count()} problems, the first at {problem_place(error)})"
        ) from None
    said = {name: body for name, body in files.items() if name not in (MANIFEST, SUMS)}
    sums = "".join(f"{digest(body)}  {name}\n" for name, body in sorted({**said, MANIFEST: files[MANIFEST]}.items()))
    if not hmac.compare_digest(files[SUMS], sums.encode("ascii")):
        lines = files[SUMS].decode("ascii", "replace").splitlines()
        changed = [n for n in (*said, MANIFEST) if f"{digest(files[n])}  {n}" not in lines] or [SUMS]
        raise UsageProblem(f"{', '.join(changed)}: does not match {SUMS}; the packet was changed after it was written")
    if files[MANIFEST] != manifest(packet, said):
        raise UsageProblem(f"{MANIFEST} does not match the files; the packet was changed after it was written")
    if pack(files, packet.when.started_at) != data:
        raise UsageProblem("bytes outside the members; the packet was changed after it was written")
    again = packet.tool_version == harness.__version__
    if again:
        for name, body in content(packet).items():
            if files[name] != body:
                raise UsageProblem(
                    f"{name} does not follow from packet.json; the packet was changed after it was written"
                )
    return packet, files, again
