"""Asking the system's resolver, in threads that nobody waits for: a resolver that hangs must not outlive its cap.

getaddrinfo cannot be called off. Whoever gives up leaves its thread alone; it ends when the resolver does (by default
after ten seconds and more), and the process does not wait for it. How many there are is bounded, those that were left
alone included: behind a dead resolver, a job waits for its turn as it would for the answer, under the same cap.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import NamedTuple
from weakref import WeakKeyDictionary

from harness.wire.clock import WorldClock

MOST_THREADS = 64

_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class Found(NamedTuple):
    """A family and what `connect` takes, in the resolver's order and each once; when they were known."""

    addresses: list[tuple[int, tuple[str | bytes | int, ...]]]
    done_ns: int


async def look_up(host: str, port: int) -> Found:
    """Addresses of a name.

    Raises:
        OSError: it has none, or nobody knows; `socket.gaierror` says which.
    """
    loop = asyncio.get_running_loop()
    if loop not in _places:
        _places[loop] = asyncio.Semaphore(MOST_THREADS)
    places = _places[loop]
    await places.acquire()
    answer: asyncio.Future[Found] = loop.create_future()

    def tell(found: Found | OSError) -> None:
        places.release()
        if answer.done():
            return  # nobody waits any more
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: Found | OSError
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses: list[tuple[int, tuple[str | bytes | int, ...]]] = [
                (int(family), tuple(address)) for family, _, _, _, address in rows
            ]
            # In the thread: a callback on the loop would be late by whatever else the loop is doing.
            found = Found(list(dict.fromkeys(addresses)), WorldClock.now_ns())
        except UnicodeError as error:  # a label that is no name at all
            found = socket.gaierror(socket.EAI_NONAME, str(error))
        except OSError as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop is gone
            loop.call_soon_threadsafe(tell, found)

    try:
        threading.Thread(target=ask, name="harness-lookup", daemon=True).start()
    except RuntimeError as error:  # the system gives us no more threads
        places.release()
        raise OSError("no thread to look the name up in") from error
    return await answer
