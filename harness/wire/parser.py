"""HTTP/1.1 answers from bytes: llhttp does the framing, this keeps what it says and bounds what it may cost."""

from __future__ import annotations

import httptools

from harness.wire.stamp import Stamp
from harness.wire.trace import Trace

MAX_HEAD_BYTES = 256 * 1024  # status line and headers, all interim answers included
MAX_OVERHEAD_BYTES = 16 * 1024 * 1024  # chunk sizes, extensions and trailers beside the body


class NotHttp(Exception):
    """What came is not an HTTP/1.1 answer, or contradicts itself."""


class AnswerParser:
    """Feeds one answer into a trace. `complete` says that it is whole, `keep_alive` that the connection may go on."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._parser = httptools.HttpResponseParser(self)
        self._fed_bytes = 0
        self._headers: list[tuple[str, str]] = []
        self._header_bytes = 0
        self._pieces: list[bytes] = []
        self._interim = False
        self._sized = False
        self._status = 0
        self._version = ""
        self.headers_complete = False
        self.complete = False
        self.keep_alive = False
        self.surplus = False  # bytes behind the end of the answer
        self._carried: Stamp | None = None

    def feed(self, data: memoryview | bytes, began: Stamp, arrived: Stamp) -> None:
        """Take bytes whose first arrived at `began` and whose last at `arrived`.

        Raises:
            NotHttp: they make no sense.
            BodyTooLarge: more than we are willing to hold.
        """
        trace = self._trace
        awaited = self.headers_complete and self.boundary
        self._fed_bytes += len(data)
        headers_before = self.headers_complete
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise NotHttp("the other side switches protocols") from error
        except httptools.HttpParserError as error:
            if not self.complete:
                self._flush(began, arrived)
                raise NotHttp(str(error)) from error
            self.surplus = True
        if self.headers_complete and not headers_before:
            trace.headers_ns = arrived.ns
            trace.http_status, trace.http_version = self._status, self._version
            trace.headers = self._headers
        if self._flush(began, arrived):
            self._carried = None
        elif awaited and bytes(data).strip(b"\r\n"):
            # The size of a chunk came alone: the event that it announces began with it.
            self._carried = self._carried or began
        self._bound()

    def _flush(self, began: Stamp, arrived: Stamp) -> bool:
        if not self._pieces:
            return False
        whole = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._trace.body.add(whole, self._carried or began, arrived)
        return True

    def _bound(self) -> None:
        if not self.headers_complete and self._fed_bytes > MAX_HEAD_BYTES:
            raise NotHttp(f"more than {MAX_HEAD_BYTES} bytes and no end of the headers")
        if self._fed_bytes - self._trace.body.size > MAX_HEAD_BYTES + MAX_OVERHEAD_BYTES:
            raise NotHttp("more framing than an answer can need")

    @property
    def boundary(self) -> bool:
        """The next byte may begin something whose first byte is a mark: the answer, its body, or an event in it."""
        if self._fed_bytes == 0:
            return True
        waiting = self.headers_complete and not self.complete and self._carried is None
        return waiting and self._trace.body.at_boundary

    def ended_by_close(self) -> bool:
        """The other side closed; whether that is the declared end of this answer."""
        if self.headers_complete and not self._sized:
            self.complete = True
        return self.complete

    # What llhttp tells, by the names that httptools looks for.

    def on_message_begin(self) -> None:
        if self.complete:
            self.surplus = True
        self._interim = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEAD_BYTES:
            raise NotHttp(f"more than {MAX_HEAD_BYTES} bytes of headers")
        if not self.headers_complete:  # trailers come later, and nothing of ours reads them
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            self._headers = []
            return
        if self.headers_complete:
            return
        self.headers_complete = True
        # Now: what lies behind this answer in the same bytes may be another one.
        self._status, self._version = status, f"HTTP/{self._parser.get_http_version()}"
        self.keep_alive = self._parser.should_keep_alive()
        told = dict(self._headers)
        # A coding other than chunks goes on until the other side closes, whatever length is stated (the same).
        coded = told.get("transfer-encoding", "").lower()
        chunked = coded.rpartition(",")[2].strip() == "chunked"
        self._sized = chunked or (not coded and "content-length" in told) or status in (204, 304)

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        if not self._interim:
            self.complete = True
