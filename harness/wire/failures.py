"""How an exchange ended: what our own connections raise, and the name of the end from what was raised and traced."""

from __future__ import annotations

import errno
import socket
import ssl

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
    """Class names from the outermost exception to its root cause, then the name of the last reason where there is one:
    an errno, the resolver's error, or why a certificate or a handshake was refused.

    Only names: messages may hold addresses or secrets.
    """
    names: list[str] = []
    seen: set[int] = set()
    reason: str | None = None
    while error is not None and id(error) not in seen and len(names) < 12:
        seen.add(id(error))
        names.append(type(error).__name__)
        reason = _reason(error) or reason
        error = error.__cause__ or error.__context__
    if reason is not None:
        names.append(reason)
    return tuple(dict.fromkeys(names))


# OpenSSL's names (x509_vfy.h, X509_V_ERR_…) of what most often is wrong.
_CERTIFICATE = {
    9: "CERT_NOT_YET_VALID",
    10: "CERT_HAS_EXPIRED",
    18: "DEPTH_ZERO_SELF_SIGNED_CERT",
    19: "SELF_SIGNED_CERT_IN_CHAIN",
    20: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    21: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    62: "HOSTNAME_MISMATCH",
    64: "IP_ADDRESS_MISMATCH",
}
_RESOLVER = {value: name for name, value in vars(socket).items() if name.startswith("EAI_")}


def _reason(error: BaseException) -> str | None:
    """The name of the number that an error of the system, the resolver or of TLS carries."""
    if type(error).__name__ == "ProxyError" and str(error)[:3].isdigit():
        return f"proxy_said_{str(error)[:3]}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, f"verify_{error.verify_code}")
    if isinstance(error, ssl.SSLError):
        return error.reason  # OpenSSL's own numbers look like errnos, and are none
    if not isinstance(error, OSError) or error.errno is None:
        return None
    if isinstance(error, socket.gaierror):
        return _RESOLVER.get(error.errno, f"resolver_{error.errno}")
    return errno.errorcode.get(error.errno, f"errno_{error.errno}")


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
