"""The simulator's own record: what really happened, one JSON line a request, written when all of it is over.

Fields: client_request_id, request_id · entry (layer or "direct") · received_at (ISO, UTC) · status (what the backend
decided), status_sent (what left the entry; null when nothing did) · api ("images.generations", "images.edits",
"responses" or "task") · reference_images, reference_bytes (images that came with the request, and their size once
decoded), request_bytes (its whole body) · upstream_calls (how often the request was worked on behind this entry: more
than once behind a gateway that repeats it, 0 when an answer came from a cache) · quality, size, output_format, n,
stream · latency_s (planned for one call, world seconds) · fault · time_scale · CLOCK_MONOTONIC stamps in ns, null when
it did not happen: received_ns, request_body_ns, headers_sent_ns, first_body_byte_ns, made_ns, response_end_ns,
client_gone_ns, cap_fired_ns · events: [{kind, index, planned_ns, start_ns, end_ns, bytes}], when it was due, and as
handed to the socket · finished (the image was made), finished_after_client_left · billed_output_tokens · note. Never
the prompt, never the key.

Of a task (api "task") the record is of its submission and of all that came after: task_id · latency_s counts from the
submission to the result · queued_s (world seconds it really waited in the queue) · running_ns (it left the queue) ·
callback_ns (its end was told to the callback's address) · polls (questions about it) · result_fetches (answers with
its file: finished with none of them is an orphan) · cancelled. Status is what the API decided, though HTTP say 200.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec


@dataclass
class Truth:
    """One request."""

    client_request_id: str | None
    request_id: str
    entry: str
    received_at: str
    received_ns: int
    time_scale: float
    status: int | None = None
    status_sent: int | None = None
    api: str | None = None
    reference_images: int = 0
    reference_bytes: int = 0
    request_bytes: int = 0
    upstream_calls: int = 1
    quality: str | None = None
    size: str | None = None
    output_format: str | None = None
    n: int | None = None
    stream: bool | None = None
    latency_s: float | None = None
    fault: str | None = None
    request_body_ns: int | None = None
    headers_sent_ns: int | None = None
    first_body_byte_ns: int | None = None
    made_ns: int | None = None
    response_end_ns: int | None = None
    client_gone_ns: int | None = None
    cap_fired_ns: int | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False
    finished_after_client_left: bool = False
    billed_output_tokens: int = 0
    task_id: str | None = None
    queued_s: float | None = None
    running_ns: int | None = None
    callback_ns: int | None = None
    polls: int = 0
    result_fetches: int = 0
    cancelled: bool = False
    note: str | None = None

    def close(self) -> None:
        """Draw the conclusions from the stamps."""
        left = self.cap_fired_ns or self.client_gone_ns
        self.finished = self.made_ns is not None
        self.finished_after_client_left = self.made_ns is not None and left is not None and self.made_ns > left


class TruthLog:
    """Appends records to a file, if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("ab", buffering=0)

    def write(self, truth: Truth) -> None:
        """Write one record as one line."""
        truth.close()
        if self._file is not None:
            self._file.write(msgspec.json.encode(truth) + b"\n")

    def shut(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
