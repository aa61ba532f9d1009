"""The only place that knows Dask: a client to a scheduler, who is there, and one call to one worker."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from harness.cluster.calls import Reply
from harness.errors import UsageProblem

CONNECT_S = 15
_ADDRESS = re.compile(r"(tcp|tls)://\S+:\d{1,5}")


class WorkerLost(Exception):
    """A call to a worker came to no answer; whatever it was to do may have been done."""


@dataclass(frozen=True)
class Seen:
    """A worker as the scheduler lists it."""

    address: str
    name: str
    resources: dict[str, float]


class Scheduler:
    """A connection to a scheduler. Use as an async context manager.

    Raises:
        UsageProblem: `distributed` is not installed, the address is none, or nobody answers there.
    """

    def __init__(self, address: str) -> None:
        if not _ADDRESS.fullmatch(address):
            raise UsageProblem(f"--dask {address}: write the scheduler's address like tcp://scheduler:8786")
        self.address = address

    async def __aenter__(self) -> Self:
        try:
            from distributed import Client
        except ImportError:
            raise UsageProblem(
                "--dask needs dask.distributed, which is not installed: pip install -e '.[cluster]', here and "
                "where the workers run"
            ) from None
        # What it logs of lost connections is said in our own words.
        for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm.tcp"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            make: Any = Client  # untyped
            self._client = await make(
                self.address, asynchronous=True, timeout=CONNECT_S, set_as_default=False, name="harness-run"
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise UsageProblem(
                f"--dask {self.address}: no scheduler answers there ({type(error).__name__}); start one with "
                "`dask scheduler`, and with tls:// set Dask's own TLS files"
            ) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.close()

    async def workers(self) -> list[Seen]:
        """Who is there now, by address; nobody while the scheduler does not answer."""
        try:
            found = (await self._client.scheduler.identity(n_workers=-1))["workers"]
        except Exception:  # noqa: BLE001 - whatever it was, the next look may succeed
            return []
        return [
            Seen(address, str(one.get("name") or ""), dict(one.get("resources") or {}))
            for address, one in sorted(found.items())
        ]

    async def call(self, address: str, function: Callable[..., Awaitable[Reply]], *args: Any) -> Reply:
        """Call a function of `harness.cluster.calls` on one worker, once.

        Raises:
            UsageProblem: harness is not installed there.
            WorkerLost: for any other reason for which there is no answer.
        """
        try:
            reply: Reply = (await self._client.run(function, *args, workers=[address]))[address]
        except ImportError as error:
            raise UsageProblem(
                f"a worker cannot import {error.name or 'harness'}: pip install -e '.[cluster]' where it runs, in the "
                "same version"
            ) from None
        except Exception as error:
            raise WorkerLost(type(error).__name__) from error
        return reply
