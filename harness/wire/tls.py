"""TLS over memory buffers, one record at a time, so that plaintext keeps the stamps of the ciphertext it came in.

A session ticket looks like data on the wire. Deciphering record by record, a record that gives no plaintext takes its
stamp away with it instead of lending it to the first byte of the answer.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from harness.wire.stamp import Stamp

_HEADER_BYTES = 5
_MAX_RECORD_BYTES = 16_384 + 2_048 + _HEADER_BYTES  # RFC 5246, 6.2.3; TLS 1.3 allows less
_CONTENT_TYPES = frozenset({20, 21, 22, 23, 24})
_READ_BYTES = 16_384 + 2_048


class Records:
    """Cuts a ciphertext stream at its record boundaries. Pure."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._began: Stamp | None = None

    def feed(self, data: memoryview, stamp: Stamp) -> Iterator[tuple[bytes | memoryview, Stamp]]:
        """Yield (a whole record, when its first byte arrived) for every record that `data` completes.

        What is no TLS at all is passed on as it is: it is OpenSSL that says what is wrong with it.
        """
        offset = 0
        if self._pending:
            missing = self._missing()
            while missing and offset < len(data):
                taken = data[offset : offset + missing]
                self._pending += taken
                offset += len(taken)
                missing = self._missing()
            if missing:
                return
            record, began = bytes(self._pending), self._began or stamp
            self._pending.clear()
            yield record, began
        while offset < len(data):
            size = _record_bytes(data[offset : offset + _HEADER_BYTES])
            if size is None or offset + size > len(data):
                if size is not None and size > _MAX_RECORD_BYTES:
                    yield data[offset:], stamp
                    return
                self._pending += data[offset:]
                self._began = stamp
                return
            yield data[offset : offset + size], stamp
            offset += size

    @property
    def inside(self) -> bool:
        """A record has begun and is not whole."""
        return bool(self._pending)

    def _missing(self) -> int:
        """Bytes until the pending record is whole, or until its header is."""
        size = _record_bytes(memoryview(self._pending)[:_HEADER_BYTES])
        if size is None:
            return _HEADER_BYTES - len(self._pending)
        return min(size, _MAX_RECORD_BYTES) - len(self._pending)


def _record_bytes(header: memoryview) -> int | None:
    """The length that a record's header declares, itself included; None while the header is not whole."""
    if header and header[0] not in _CONTENT_TYPES:
        return _MAX_RECORD_BYTES + 1
    if len(header) < _HEADER_BYTES:
        return None
    return _HEADER_BYTES + (header[3] << 8 | header[4])


class TlsSession:
    """One client session. Bytes go in and out; no socket in here."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._records = Records()
        self.established = False
        self.closed = False

    @property
    def inside_record(self) -> bool:
        """A record has begun and is not whole."""
        return self._records.inside

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

    def decrypt(self, data: memoryview, stamp: Stamp) -> Iterator[tuple[bytes, Stamp]]:
        """Yield (plaintext, when the first byte of its record arrived) for every record that holds some.

        Before the session is established records are only put in: call `handshake` after them.

        Raises:
            ssl.SSLError: the stream is broken or was tampered with.
        """
        for record, began in self._records.feed(data, stamp):
            self._incoming.write(record)
            while self.established and not self.closed:
                try:
                    plain = self._session.read(_READ_BYTES)
                except ssl.SSLWantReadError:
                    break
                except ssl.SSLZeroReturnError:
                    self.closed = True
                    break
                if not plain:
                    self.closed = True
                    break
                yield plain, began
                if not self._session.pending() and not self._incoming.pending:
                    break

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """Ciphertext for `data`, and whatever else waits to be sent."""
        self._session.write(data)
        return self._outgoing.read()

    def to_send(self) -> bytes:
        """Ciphertext of the session's own: handshake flights, alerts, key updates."""
        return self._outgoing.read()
