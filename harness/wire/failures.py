"""How an exchange ended: what our own connections raise, and the name of the end from what was raised and traced."""

from __future__ import annotations

import errno

from harness.events import Ended
from harness.wire.trace import Trace


class ConnectionFailed(Exception):
    """The exchange over this connection came to no end; `__cause__` says why where somebody else knows."""


class CapFired(ConnectionFailed):
    """A cap of ours fired; the trace names it."""


class PeerClosed(ConnectionFailed):
    """The other side closed before its answer was whole."""


class PeerNonsense(ConnectionFailed):
    """What the other side sent is not HTTP."""


class ReadFailed(ConnectionFailed):
    """The connection broke while the answer was awaited or read."""


def exception_chain(error: BaseException | None) -> tuple[str, ...]:
    """Class names from the outermost exception to its root cause, then the errno's name where there is one.

    Only names: messages may hold addresses or secrets.
    """
    names: list[str] = []
    seen: set[int] = set()
    last_errno: int | None = None
    while error is not None and id(error) not in seen and len(names) < 12:
        seen.add(id(error))
        names.append(type(error).__name__)
        if isinstance(error, OSError) and error.errno is not None:
            last_errno = error.errno
        error = error.__cause__ or error.__context__
    if last_errno is not None:
        names.append(errno.errorcode.get(last_errno, f"errno_{last_errno}"))
    return tuple(dict.fromkeys(names))


def how_it_ended(trace: Trace, failure: tuple[str, ...], *, cancelled: bool) -> Ended:
    """Name the end. A cap of ours is told first: we know for certain that it fired."""
    if trace.over_limit:
        return "over_limit"
    if trace.cap_fired is not None:
        return "local_cap"
    if cancelled:
        return "cancelled"
    if trace.body_end_ns is not None:
        return "complete"
    if trace.request_sent_ns is None and trace.first_byte_ns is None and trace.bytes_up == 0:
        return "connect_failed"
    if trace.not_http:
        return "protocol_error"
    # httpx calls a peer that closes too early a protocol error as well; only bytes that make no sense are one.
    library = trace.receive_path == "library" and "RemoteProtocolError" in failure
    if library and trace.http_status is None and trace.bytes_down > 0:
        return "protocol_error"
    return "remote_closed"
