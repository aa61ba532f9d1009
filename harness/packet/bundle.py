"""The bundle: build, scan, write, or show. Nothing is ever sent.

Order of things: extract (wall 1) → render → scan every member and the preview (wall 3) → pack → scan the archive's
bytes → temporary → read back, verify, scan again → rename. A hit anywhere leaves the disk as it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.events import JobEvent
from harness.packet.archive import pack
from harness.packet.atomic import write_whole
from harness.packet.canary import CANARY, poisoned
from harness.packet.choose import choose
from harness.packet.extract import extract_from
from harness.packet.inputs import RunInputs, read_inputs
from harness.packet.known import KnownValue, environment_values, machine_values, run_values
from harness.packet.leakscan import Hit, refuse, scan
from harness.packet.members import NAMES, digest, members, opaque_tokens
from harness.packet.public import public_text
from harness.packet.schema import EscalationPacket
from harness.packet.verify import check_archive, problem_place

DEFAULT_NAME = "packet.zip"
_CANARY = KnownValue("canary", CANARY)


def write_packet(run_dir: Path, out: Path | None = None, job_id: str | None = None) -> Path:
    """Write the packet of a diagnosed run and say where. ``packet.zip`` in the run directory unless `out` is given.

    Raises:
        UsageProblem: the run cannot be read, or holds no such job.
        LeakRefused: the scan found something; nothing was written, an older packet included is untouched.
        HarnessError: the file could not be written; nothing was left behind.
    """
    packet, files, known = _build(run_dir, job_id)
    target = out if out is not None else run_dir / DEFAULT_NAME

    def check(data: bytes) -> None:
        _, read_back, _ = check_archive(data)
        refuse(_scan(packet, read_back, known))

    write_whole(target, pack(files, packet.when.started_at), check)
    return target


def preview(run_dir: Path, job_id: str | None = None) -> str:
    """Exactly the bytes that would leave, member by member. Scanned like the bundle itself.

    Raises:
        UsageProblem, LeakRefused: as `write_packet`.
    """
    _, files, _ = _build(run_dir, job_id)
    return _shown(files)


def _shown(files: Mapping[str, bytes]) -> str:
    parts = [
        f"===== {name} ({len(data)} bytes, sha256 {digest(data)})\n{data.decode('ascii')}"
        for name, data in files.items()
    ]
    return "".join(parts)


def _build(run_dir: Path, job_id: str | None) -> tuple[EscalationPacket, dict[str, bytes], list[KnownValue]]:
    inputs = read_inputs(run_dir)
    job = choose(inputs, job_id)
    try:
        for twin, twin_job in poisoned(inputs, job):
            refuse(_canary_hits(twin, twin_job))
        packet = extract_from(inputs, job)
    except ValidationError as error:
        raise HarnessError(
            f"no packet was made: {problem_place(error)} does not fit the closed schema. Nothing was written; "
            "this is a fault of the harness, please report it with this line"
        ) from None
    files = members(packet)
    known = [
        _CANARY,
        *environment_values(os.environ),
        *machine_values(),
        *run_values(run_dir, inputs.conditions, inputs.events),
    ]
    refuse(_scan(packet, files, known))
    return packet, files, known


def _canary_hits(twin: RunInputs, job: JobEvent) -> list[Hit]:
    packet = extract_from(twin, job)
    files = members(packet)
    return scan(files, known=[_CANARY], allowed=opaque_tokens(packet, files), names=NAMES, sanitizer=False)


def _scan(packet: EscalationPacket, files: dict[str, bytes], known: Iterable[KnownValue]) -> list[Hit]:
    """Every member, and the preview, which is a member of its own here."""
    everything = {**files, "preview": _shown(files).encode("ascii")}
    allowed = opaque_tokens(packet, files) | {digest(data) for data in files.values()}
    return scan(everything, known=known, allowed=allowed, public=public_text(), names=(*NAMES, "preview"))
