"""What the client calls on a worker, as coroutines on Dask's own loop there. Plain data in and out.

They are calls (`Client.run`), not tasks: Dask runs a task again when its worker is lost, or its result, and a job that
may be billed must never be run again by anybody but the client. A call is made once and its failure is the client's.
Nothing here raises: what Dask prints of a call that failed would hold its arguments.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from harness.cluster.station import Done, Station
from harness.errors import HarnessError

_STATIONS: dict[str, Station] = {}  # of this process, by token

Reply = dict[str, Any]


async def open_station(parcel: bytes) -> Reply:
    """Get ready for a run. Gives a token, and what this machine is; or a `problem`."""
    try:
        for token in [token for token, one in _STATIONS.items() if not one.alive]:
            del _STATIONS[token]
        station = Station(parcel)
        host = await station.open()
        _STATIONS[station.token] = station
        return {"token": station.token, "host": msgspec.to_builtins(host)}
    except HarnessError as error:
        return {"problem": str(error)}
    except Exception as error:  # noqa: BLE001 - an answer in any case
        return {"problem": f"{type(error).__name__}: {error}"}


async def tell_time(token: str) -> Reply:
    """This machine's wall clock, in ns since 1970; and a sign of the client's life."""
    station = _of(token)
    if station is None:
        return {"gone": True}
    return {"now_ns": time.time_ns()}


async def offer(token: str, lease: str, job_id: str, region: str | None) -> Reply:
    """Reserve a job for this worker, which is not sent yet; tells the time."""
    station = _of(token)
    if station is None:
        return {"gone": True}
    now_ns = time.time_ns()
    return {"now_ns": now_ns} if station.offer(lease, job_id, region) else {"gone": True}


async def send(token: str, lease: str, in_flight: int, due_at_ns: int | None) -> Reply:
    """Send an offered job and wait for its end or its question, however long that takes."""
    station = _of(token)
    if station is None:
        return _plain(Done(refused="no such station"))
    try:
        return _plain(await station.send(lease, in_flight, due_at_ns))
    except Exception as error:  # noqa: BLE001 - an answer in any case
        return {"problem": f"{type(error).__name__}: {error}"}


async def answer(token: str, lease: str, yes: bool) -> Reply:
    """Whether the job that asked may be sent again; waits as `send` does."""
    station = _of(token)
    if station is None:
        return {"problem": "no such station"}
    try:
        return _plain(await station.answer(lease, yes=yes))
    except Exception as error:  # noqa: BLE001 - an answer in any case
        return {"problem": f"{type(error).__name__}: {error}"}


async def drop(token: str, lease: str) -> Reply:
    """Take an offer back, or cut the job that is under way."""
    station = _of(token)
    if station is not None:
        station.drop(lease)
    return {}


async def close_station(token: str) -> Reply:
    """End it. Gives the lines of its embedded API's own record."""
    station = _STATIONS.pop(token, None)
    if station is None or not station.alive:
        return {"backend": b""}
    try:
        return {"backend": await station.close()}
    except Exception as error:  # noqa: BLE001 - an answer in any case
        return {"backend": b"", "problem": f"{type(error).__name__}: {error}"}


def _of(token: str) -> Station | None:
    station = _STATIONS.get(token)
    if station is None or not station.alive:
        return None
    station.heard_at_s = time.monotonic()
    return station


def _plain(done: Done) -> Reply:
    return msgspec.to_builtins(done, builtin_types=(bytes,))  # type: ignore[no-any-return]
