"""Looking names up in threads: answers and errors come back, and threads that hang are bounded and left alone."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from harness.wire import lookup
from harness.wire.lookup import look_up


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "harness-lookup"]


def test_a_resolver_that_hangs_holds_so_many_threads_and_no_more_and_they_end_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging, answered = threading.Event(), []

    def hangs(host: str, port: int, **_: Any) -> list[Any]:
        hanging.wait(30)
        answered.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(lookup, "MOST_THREADS", 5)
    monkeypatch.setattr(socket, "getaddrinfo", hangs)

    async def given_up(number: int) -> bool:
        try:
            async with asyncio.timeout(0.2):
                await look_up(f"h{number}", 80)
        except TimeoutError:
            return True
        return False

    async def go() -> None:
        assert all(await asyncio.gather(*(given_up(number) for number in range(40))))
        assert len(threads()) == 5
        assert all(one.daemon for one in threads())  # the end of the process does not wait for them
        hanging.set()
        found = await look_up("later", 81)
        assert found.addresses == [(socket.AF_INET, ("127.0.0.1", 81))]
        assert len(answered) == 6  # those who gave up while they waited for their turn are not looked up

    asyncio.run(go())
    for one in threads():
        one.join(10)
    assert threads() == []


def test_why_there_is_no_address_comes_back() -> None:
    for name in ("does-not-exist.invalid", "a" * 70 + ".invalid"):
        with pytest.raises(socket.gaierror):
            asyncio.run(look_up(name, 80))
