"""What one attempt left behind, as far as it bears on who ended it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.diagnosis.elapsed import elapsed_ms, late_ms, shown
from harness.frame import parsed

# Columns of `harness.frame` that it is made of.
NEEDED = (
    "route", "outcome", "ended", "cap", "cap_ms", "failure", "http_status", "reply_request_id", "client_request_id",
    "other_ids", "body_kind", "body_head", "reply_headers", "error_type", "error_code", "error_message", "time_scale",
    "host_lag_ms", "longest_silence_ms", "bytes_down", "mark_started_at_ms", "mark_request_sent_at_ms",
    "mark_first_byte_at_ms", "mark_last_byte_at_ms", "mark_ended_at_ms", "log_words", "notes",
)  # fmt: skip

KINDS = ("total", "first_byte", "idle", "connect", "request_read")


@dataclass(frozen=True)
class Evidence:
    """One attempt. `elapsed` is how long each kind of cap had run when it ended, in ms; absent where it had not."""

    route: str
    outcome: str
    ended: str
    own_cap: str | None
    own_cap_s: float | None
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body_kind: str | None = None
    body_head: str = ""
    error_text: str = ""  # type, code and message of a JSON error
    failure: str = ""  # the exception chain, joined
    api_request_id: bool = False  # the answer carries the API's own request id
    bytes_down: int = 0
    ids: tuple[str, ...] = ()
    silent_ms: float | None = None  # between the last byte and the end of an answer that broke off
    elapsed: Mapping[str, float] = field(default_factory=dict)
    late_ms: float = 0.0  # how late we may have seen the end
    log_words: tuple[Mapping[str, Any], ...] = ()  # `harness.events.LogWord`, outermost first
    ended_at_ms: float | None = None
    notes: str = ""

    @property
    def may_be_short(self) -> bool:
        """Whether an answer that ended in order may lack its end. A JSON text that can be read, or a page, does not."""
        if self.body_kind == "json":
            return "json_invalid" in self.notes or "json_incomplete" in self.notes
        return self.body_kind not in ("html", "text")

    def clock(self, kind: str) -> float | None:
        """How long a cap of this kind had run, in ms; null where that is not known, or where it cannot have fired.

        A success had its first byte in time, and a cut with bytes right before it was not one of silence.
        """
        success = self.status is not None and 200 <= self.status < 300
        if success and kind in ("first_byte", "connect"):
            return None
        if success and kind == "idle" and self.silent_ms is not None:
            return self.silent_ms
        return self.elapsed.get(kind)

    @property
    def answered(self) -> bool:
        """Some reply came, be it a short one."""
        return self.status is not None

    def how_it_looked(self) -> str:
        """The end in half a sentence, with nothing in it that somebody else wrote."""
        after = shown(self.elapsed.get("total"))
        if not self.answered:
            return f"no response; {self.ended.replace('_', ' ')} after {after}"
        server = self.headers.get("server")
        # Only the product's name: a server header may hold anything.
        named = "" if server is None else f", server {server.split('/')[0][:20]}"
        return f"HTTP {self.status}{named}, {self.body_kind or 'no'} body, after {after}"


def evidence_of(job: Mapping[str, Any]) -> Evidence:
    """From the columns `NEEDED` of one row, plain values with None for nothing."""
    ids = (job["client_request_id"], job["reply_request_id"], *(parsed(job["other_ids"]) or {}).values())
    error = " ".join(str(job[name]) for name in ("error_type", "error_code", "error_message") if job[name] is not None)
    elapsed = {kind: value for kind in KINDS if (value := elapsed_ms(job, kind)) is not None}
    return Evidence(
        route=str(job["route"]),
        outcome=str(job["outcome"]),
        ended=str(job["ended"]),
        own_cap=job["cap"] if job["ended"] == "local_cap" else None,
        own_cap_s=None if job["cap_ms"] is None else job["cap_ms"] / 1000,
        status=None if job["http_status"] is None else int(job["http_status"]),
        headers=parsed(job["reply_headers"]) or {},
        body_kind=job["body_kind"],
        body_head=job["body_head"] or "",
        error_text=error,
        failure=job["failure"] or "",
        api_request_id=job["reply_request_id"] is not None,
        bytes_down=int(job["bytes_down"] or 0),
        ids=tuple(dict.fromkeys(one for one in ids if one)),
        silent_ms=_silent_ms(job),
        elapsed=elapsed,
        late_ms=late_ms(job),
        ended_at_ms=job["mark_ended_at_ms"],
        log_words=tuple(parsed(job["log_words"]) or ()),
        notes=job["notes"] or "",
    )


def _silent_ms(job: Mapping[str, Any]) -> float | None:
    last, end = job["mark_last_byte_at_ms"], job["mark_ended_at_ms"]
    if job["outcome"] != "cut" or job["ended"] == "complete" or last is None or end is None:
        return None
    return float(end - last)
