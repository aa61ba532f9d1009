"""The event loop with timers in microseconds is an event loop like any other."""

from __future__ import annotations

import asyncio
import socket
import time

from harness.simulator import loop


def test_the_loop_wakes_for_its_timers_its_sockets_and_other_threads() -> None:
    found: list[object] = []

    async def work() -> None:
        began = time.monotonic()
        await asyncio.sleep(0.0004)
        found.append(time.monotonic() - began >= 0.0004)
        found.append(await asyncio.to_thread(lambda: "thread"))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            asyncio.get_running_loop().call_later(0.001, theirs.send, b"socket")
            found.append(await asyncio.wait_for(asyncio.get_running_loop().sock_recv(ours, 10), 20))

    loop.run(work())
    assert found == [True, "thread", b"socket"]
