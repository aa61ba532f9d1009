"""The other side's own record of our jobs: what turns "it gave up" into "it gave up and the image was made".

One JSON object a line. Fields that are read (others are ignored):

* ``client_request_id`` or ``request_id``: the id by which a job is found; ours is the X-Client-Request-Id that we sent
* ``finished``: true when the image was made
* ``finished_after_client_left``: true when it was made after the caller had gone, where the record knows that
* ``upstream_calls``: how often the work was done for this one job, where a gateway in between may repeat it
* ``latency_s``: how long the work took, in seconds of the measured world, where it is known

The embedded API writes this form; anything that a backend logs can be brought into it with one line of jq.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import UsageProblem
from harness.journal_lines import BadLine


class BackendRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One job as the backend saw it."""

    client_request_id: str | None = None
    request_id: str | None = None
    finished: bool | None = None
    finished_after_client_left: bool | None = None
    latency_s: float | None = None
    upstream_calls: int | None = None


@dataclass(frozen=True)
class BackendLog:
    """Records by every id that they carry."""

    by_id: dict[str, BackendRecord]
    records: int
    bad: tuple[BadLine, ...]

    @property
    def counts_calls(self) -> bool:
        """Whether any record counts more than one call for a job."""
        return any((one.upstream_calls or 1) > 1 for one in self.by_id.values())

    def find(self, ids: tuple[str, ...]) -> BackendRecord | None:
        """The record that carries one of these ids."""
        return next((self.by_id[one] for one in ids if one in self.by_id), None)


def read_backend_log(path: Path) -> BackendLog:
    """Read a backend's records. Lines that are not such records are set aside with their number.

    Raises:
        UsageProblem: the file cannot be read.
    """
    decoder = msgspec.json.Decoder(BackendRecord)
    by_id: dict[str, BackendRecord] = {}
    bad: list[BadLine] = []
    count = 0
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror})") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = decoder.decode(line)
        except msgspec.MsgspecError as error:
            bad.append(BadLine(line=number, reason=str(error)))
            continue
        count += 1
        for one in (record.client_request_id, record.request_id):
            before = by_id.get(one) if one else None
            # A job may be on several lines, begun or tried again. What was made once was made.
            if one and not (before is not None and before.finished and not record.finished):
                by_id[one] = record
    return BackendLog(by_id, count, tuple(bad))
