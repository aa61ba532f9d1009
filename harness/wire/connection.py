"""One connection of ours: a bare socket, TLS on it where asked for, and one exchange at a time.

The reading callback does nothing but read, stamp and hand on; nobody parses a body while bytes may be arriving.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterable, Callable

from harness.events import CapName
from harness.wire.body import BodyTooLarge
from harness.wire.clock import WorldClock
from harness.wire.failures import CapFired, ConnectionFailed, PeerClosed, PeerNonsense, ReadFailed
from harness.wire.parser import AnswerParser, NotHttp
from harness.wire.receive import BUFFER_BYTES, Receiver, everything, link_of, up_to_blank_line
from harness.wire.stamp import KernelClock, Stamp
from harness.wire.tls import TlsSession, refuses_us
from harness.wire.trace import Trace
from harness.wire.watch import BYTES_PER_TURN, watch_of

SEND_BYTES = 256 * 1024

# What a read holds, and the rest of a record from the reads before it.
_plaintext = memoryview(bytearray(BUFFER_BYTES + 64 * 1024))


class Connection:
    """A connected socket. `begin` an exchange, `send` its request, await `headers` and `finished`."""

    def __init__(self, sock: socket.socket, clock: KernelClock) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._watch = watch_of(self._loop)
        self._receiver = Receiver(sock, clock, self._watch)
        self._tls: TlsSession | None = None
        self._single = True
        self._trace: Trace | None = None
        self._parser: AnswerParser | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sent = False
        self._replying: asyncio.Task[None] | None = None
        self._last_sent_ns: int | None = None
        self._ended: Callable[[], None] = _nothing
        self._room: asyncio.Future[None] | None = None
        self.headers: asyncio.Future[None] = self._loop.create_future()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self.closed = False

    # Connecting

    async def secure(self, context: ssl.SSLContext, server_name: str, trace: Trace) -> None:
        """Make the TLS handshake.

        Raises:
            ConnectionFailed: it failed; the cause says how.
        """
        session = self._tls = TlsSession(context, server_name)
        arrived: Stamp | None = None
        try:
            while not session.handshake():
                await self._send_all(session.to_send())
                await self._readable()
                try:
                    view, arrived = self._receiver.read(everything)
                except BlockingIOError:
                    continue
                if not view:
                    raise ConnectionResetError("the other side closed during the TLS handshake")
                session.put(view, arrived)
                session.decipher(view, _plaintext)  # puts it in: nothing comes out before the session stands
            await self._send_all(session.to_send())
        except OSError as error:  # ssl.SSLError is one
            with contextlib.suppress(OSError):
                self._sock.send(session.to_send())  # the alert that says why
            raise ConnectionFailed("TLS") from error
        trace.tls_done_ns = WorldClock.now_ns()
        trace.tls_arrived_ns = arrived.ns if arrived is not None else trace.tls_done_ns

    async def _readable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_reader(self._sock, _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(self._sock)

    async def _send_all(self, data: bytes | memoryview, went: Callable[[float], None] | None = None) -> None:
        """`went` is told which share of `data` the kernel has taken so far: a cut upload stops in the middle."""
        left = memoryview(data)
        while left and not self.finished.done():
            try:
                taken = self._sock.send(left)
            except BlockingIOError:
                taken = 0
            left = left[taken:]
            if went is not None:
                went(1 - len(left) / len(data))
            if not taken:
                await self._writable()

    async def _writable(self) -> None:
        """Until the socket takes more, or the exchange is over: an early answer ends an upload that nobody reads."""
        ready = self._room = self._loop.create_future()
        self._loop.add_writer(self._sock, _settle, ready)
        try:
            await ready
        finally:
            self._room = None
            if not self.closed:
                self._loop.remove_writer(self._sock)

    # One exchange

    def begin(self, trace: Trace, ended: Callable[[], None]) -> None:
        """From now on what arrives belongs to `trace`; `ended` is called as soon as the exchange is over."""
        self._ended = ended
        self._trace, self._parser = trace, AnswerParser(trace)
        self._single, self._sent = True, False
        self._receiver.waited_ns = 0
        self.headers, self.finished = self._loop.create_future(), self._loop.create_future()
        # Whoever awaits the one may never come to the other.
        for future in (self.headers, self.finished):
            future.add_done_callback(_looked_at)
        self._loop.add_reader(self._sock, self._on_readable)

    async def send(self, head: bytes, body: AsyncIterable[bytes], *, chunked: bool) -> None:
        """Send the request. An answer that comes before its end (a refusal of the upload) stops it."""
        trace = self._trace
        assert trace is not None
        try:
            pending = head
            async for part in body:
                if not part:
                    continue
                framed = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
                # The head goes out with the first part of the body: one segment for a small request.
                await self._send_counted(pending + framed if len(framed) < SEND_BYTES else pending, trace)
                if len(framed) >= SEND_BYTES:
                    await self._send_counted(framed, trace)
                pending = b""
                if self.finished.done():
                    return
            await self._send_counted(pending + (b"0\r\n\r\n" if chunked else b""), trace)
            if self.finished.done():
                return
            self._sent = True
            # When its last byte went down, and not when this task has its turn again: the loop may be late.
            trace.request_sent_ns = self._last_sent_ns
        except OSError:
            # Closed while we were sending: an answer may lie there all the same. Reading says what became of it.
            self._sent = False
        self._arm()

    async def _send_counted(self, data: bytes, trace: Trace) -> None:
        view = memoryview(data)
        for start in range(0, len(view), SEND_BYTES):
            part = view[start : start + SEND_BYTES]
            before, size = trace.bytes_up, len(part)

            def went(share: float, before: int = before, size: int = size) -> None:
                trace.bytes_up = before + round(share * size)

            await self._send_all(self._tls.encrypt(part) if self._tls is not None else part, went)
            if self.finished.done():
                return
            self._last_sent_ns = WorldClock.now_ns()

    def _on_readable(self) -> None:
        self._drain(BYTES_PER_TURN if self._watch is None else self._watch.allowance)

    def _drain(self, allowance: int) -> None:
        """Read what is there: a first byte in any case, payload as far as the allowance goes."""
        try:
            while self._single or allowance > 0:
                view, stamp = self._receiver.first() if self._single else self._receiver.read(self._limit)
                if not view:
                    self._peer_closed()
                    return
                allowance -= len(view)
                if self._watch is not None:
                    self._watch.allowance -= len(view)
                self._take(view, stamp)
                if self.finished.done() or self._receiver.emptied:
                    return
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(ReadFailed("the connection broke"), error)

    def _limit(self, waiting: bytearray, count: int) -> int:
        if self._tls is None:
            return up_to_blank_line(waiting, count)
        return self._tls.limit(waiting, count, single=self._parser is not None and self._parser.boundary)

    def _take(self, view: memoryview, stamp: Stamp) -> None:
        trace, parser = self._trace, self._parser
        assert trace is not None
        assert parser is not None
        silent = trace.first_byte is None
        try:
            if self._tls is None:
                trace.received(len(view), stamp)
                parser.feed(view, stamp, stamp)
                self._single = parser.boundary
            else:
                self._decipher(view, stamp, trace, parser)
        except NotHttp as error:
            trace.not_http = True
            self._fail(PeerNonsense(str(error)), error)
            return
        except BodyTooLarge as error:
            trace.over_limit = True
            self._fail(ReadFailed("the answer is larger than the harness holds"), error)
            return
        except ssl.SSLError as error:
            if refuses_us(error):
                trace.refused()
            self._fail(ReadFailed("TLS"), error)
            return
        if parser.headers_complete and not self.headers.done():
            self.headers.set_result(None)
        if parser.complete and not self.finished.done():
            self._complete()
        elif self._tls is not None and self._tls.closed:
            self._peer_closed()
        elif silent:
            self._arm()  # the cap on silence before the first byte gives way to the one between bytes

    def _decipher(self, view: memoryview, stamp: Stamp, trace: Trace, parser: AnswerParser) -> None:
        assert self._tls is not None
        began = self._tls.put(view, stamp)
        count = self._tls.decipher(view, _plaintext)
        if count:
            trace.received(0, began)
            trace.received(count, stamp)
            parser.feed(_plaintext[:count], began, stamp)
        # TLS 1.2 may ask for a new handshake before it answers. While we send, the next record takes this with it.
        if self._sent and (reply := self._tls.to_send()):
            self._replying = self._loop.create_task(self._reply(reply))
        # Inside a record nothing can begin; at a record's end it can, if it can in the answer.
        self._single = parser.boundary and not self._tls.inside_record

    async def _reply(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # reading says what became of it
            await self._send_all(data)

    def _complete(self) -> None:
        trace, parser = self._trace, self._parser
        assert trace is not None
        assert parser is not None
        trace.body_end_ns = trace.last_byte_ns
        self._leave(trace)
        if not (parser.keep_alive and self._sent) or parser.surplus:
            self.close()
        self.finished.set_result(None)
        self._ended()

    def _peer_closed(self) -> None:
        parser = self._parser
        if parser is not None and parser.ended_by_close():
            if not self.headers.done():
                self.headers.set_result(None)
            self._complete()
            return
        self._fail(PeerClosed("the other side closed before the answer was whole"), None)

    def _fail(self, failure: ConnectionFailed, cause: Exception | None) -> None:
        failure.__cause__ = cause
        if self._trace is not None:
            self._leave(self._trace)
        self.close()
        for future in (self.headers, self.finished):
            if not future.done():
                future.set_exception(failure)
        self._ended()

    def _leave(self, trace: Trace) -> None:
        """The exchange is over: what the kernel knows of it goes into the trace, and nothing more is read for it."""
        if self._room is not None:
            _settle(self._room)
        trace.stamp_source = self._receiver.source
        trace.waited_ns = self._receiver.waited_ns
        if not self.closed:
            link = link_of(self._sock)
            trace.rtt_ns, trace.retransmits = link.rtt_ns, link.retransmits
            self._loop.remove_reader(self._sock)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Our own caps

    def _arm(self) -> None:
        trace = self._trace
        assert trace is not None
        bound = trace.read_cap()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if bound is None or self.finished.done():
            return
        self._timer = self._loop.call_later(bound[1] + 0.0005, self._cap_due, bound[0])

    def _cap_due(self, name: CapName) -> None:
        trace = self._trace
        if trace is None or self.finished.done():
            return
        self._drain(BYTES_PER_TURN)  # what the kernel has was here in time; only our loop was late
        bound = trace.read_cap()
        if self.finished.done() or bound is None:
            return
        if bound[0] != name or bound[1] > 0:
            self._arm()
            return
        trace.cap_fired = name
        self._fail(CapFired(f"our own {name} cap"), None)

    # Between exchanges

    def usable(self) -> bool:
        """Nothing has come since the last answer, and the other side has not closed."""
        if self.closed:
            return False
        try:
            view, stamp = self._receiver.read(everything)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self._tls is None or not view:
            return False
        try:
            self._tls.put(view, stamp)
            return not self._tls.decipher(view, _plaintext) and not self._tls.closed  # a session ticket is no answer
        except ssl.SSLError:
            return False

    def abort(self, trace: Trace) -> None:
        """Whoever waited for the exchange of `trace` has gone: end it. A later one over this connection goes on."""
        if self._trace is not trace:
            return
        if not self.finished.done():
            self._leave(trace)
        self.close()
        self.headers.cancel()
        self.finished.cancel()
        self._ended()

    def close(self) -> None:
        """Close the socket."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()


def _nothing() -> None:
    return None


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _looked_at(future: asyncio.Future[None]) -> None:
    """Keep asyncio from reporting a failure that the other of the two futures has brought to its reader."""
    if not future.cancelled():
        future.exception()
