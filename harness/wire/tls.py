"""TLS over memory buffers, following record boundaries, so that plaintext keeps the stamps of its ciphertext.

A session ticket looks like data on the wire. Where a first byte is awaited, one record is taken at a time: one that
holds no plaintext takes its stamp away with it, instead of lending it to the answer behind it.
"""

from __future__ import annotations

import ssl
from typing import cast

from harness.wire.stamp import Stamp

_HEADER_BYTES = 5
_FULL_RECORD_BYTES = 16_384
_MAX_RECORD_BYTES = 16_384 + 2_048  # RFC 5246, 6.2.3; TLS 1.3 allows less
_SLICE_BYTES = 16_384 + 512
_REFUSALS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE", "DECRYPT_ERROR")
_CONTENT_TYPES = frozenset({20, 21, 22, 23, 24})


def refuses_us(error: ssl.SSLError) -> bool:
    """The other side's alert that it does not take us: no client certificate, or one that it does not believe.

    In TLS 1.3 it comes after our last flight of the handshake, and behind that we have sent the request already.
    """
    reason = error.reason or ""
    return "_ALERT_" in reason and any(word in reason for word in _REFUSALS)


class Records:
    """Where in a record a ciphertext stream stands. Pure."""

    def __init__(self) -> None:
        self._header = b""  # of a record whose header is not whole
        self._left = 0  # bytes to come of a record whose header is
        self._lost = False  # this is no TLS: let OpenSSL say what is wrong with it

    @property
    def inside(self) -> bool:
        """A record has begun and is not whole."""
        return bool(self._header) or self._left > 0

    def feed(self, data: memoryview) -> bool:
        """Go on by these bytes; whether a record begins in them."""
        begins = False
        at = 0
        while at < len(data) and not self._lost:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            begins = begins or not self._header
            step = _HEADER_BYTES - len(self._header)
            self._header += data[at : at + step]
            at += step
            if len(self._header) == _HEADER_BYTES:
                size = _record_bytes(self._header)
                self._lost, self._left, self._header = size is None, size or 0, b""
        return begins

    def limit(self, waiting: bytearray, count: int, *, single: bool) -> int:
        """How many waiting bytes to take at once: up to the end of the first record (`single`), or of a short one.

        A sender fills its records as long as it has something to send: a short one ends what was written together.
        """
        at, begun = self._left, self._header
        if at and single:
            return min(at, count)
        while at < count and not self._lost:
            header = begun + waiting[at : min(at + _HEADER_BYTES - len(begun), count)]
            size = _record_bytes(header) if len(header) == _HEADER_BYTES else None
            if size is None:
                return count
            at += _HEADER_BYTES - len(begun) + size
            begun = b""
            if single or size < _FULL_RECORD_BYTES:
                break
        return count if self._lost else min(at, count)


def _record_bytes(header: bytes | bytearray) -> int | None:
    """How many bytes follow a record's header; None when it is none of TLS."""
    size = header[3] << 8 | header[4]
    return size if header[0] in _CONTENT_TYPES and size <= _MAX_RECORD_BYTES else None


class TlsSession:
    """One client session. Bytes go in and out; no socket in here."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._records = Records()
        self._began: Stamp | None = None
        self.established = False
        self.closed = False

    @property
    def inside_record(self) -> bool:
        """A record has begun and is not whole."""
        return self._records.inside

    def limit(self, waiting: bytearray, count: int, *, single: bool) -> int:
        """See `Records.limit`."""
        return self._records.limit(waiting, count, single=single)

    def handshake(self) -> bool:
        """Go on with the handshake as far as the bytes at hand allow; whether it is done.

        Raises:
            ssl.SSLError: it failed; certificates that do not convince are `ssl.SSLCertVerificationError`.
        """
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    def put(self, data: memoryview, stamp: Stamp) -> Stamp:
        """Take note of ciphertext; when the first byte of the first record arrived of which it holds a part."""
        began = self._began if self._records.inside and self._began is not None else stamp
        if self._records.feed(data):
            self._began = stamp  # should it go on in the next read
        return began

    def decipher(self, data: memoryview, into: memoryview) -> int:
        """Put ciphertext in and what is whole of it, deciphered, into a buffer that is as large; how much that is.

        Raises:
            ssl.SSLError: the stream is broken or was tampered with.
        """
        filled = 0
        # In slices: OpenSSL's memory buffer is slow when much lies in it.
        for start in range(0, len(data), _SLICE_BYTES):
            self._incoming.write(data[start : start + _SLICE_BYTES])
            try:
                while self.established and not self.closed:
                    # A count, when there is a buffer to read into; the annotations know only the other form.
                    taken = cast("int", self._session.read(_SLICE_BYTES, into[filled : filled + _SLICE_BYTES]))
                    self.closed = not taken
                    filled += taken
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLZeroReturnError:
                self.closed = True
        return filled

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """Ciphertext for `data`, and whatever else waits to be sent."""
        self._session.write(data)
        return self._outgoing.read()

    def to_send(self) -> bytes:
        """Ciphertext of the session's own: handshake flights, alerts, key updates."""
        return self._outgoing.read()
