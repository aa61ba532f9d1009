"""Fetch the links of a run again when they are due, and write what came into the run's own journal."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from harness.conditions import read_conditions
from harness.events import LinkCheck
from harness.routes.base import Target
from harness.routes.links import Downloads
from harness.run.journal import Journal
from harness.run.linkbook import Kept, LinkBook
from harness.wire import watch
from harness.wire.caps import Caps
from harness.wire.failures import how_it_ended
from harness.wire.trace import Trace

TOTAL_S = 120.0  # of this machine; a file that takes longer is not to be had
AT_A_TIME = 4


@dataclass(frozen=True)
class Checked:
    """What one call did."""

    done: tuple[LinkCheck, ...]
    left: int  # checks that are still to come
    next_in_s: float | None  # of this machine's time, until the next is due


def check_links(run_dir: Path, *, now_s: float | None = None) -> Checked:
    """Do every check of the run that is due now.

    A link that was missed (cron slept) is looked at once, for the latest age that has passed.

    Raises:
        UsageProblem: the directory holds no run, or another process writes there.
        HarnessError: the journal or the book cannot be written.
    """
    conditions = read_conditions(run_dir)
    book = LinkBook(conditions.run_id)
    now_s = time.time() if now_s is None else now_s
    kept = book.read()
    due = [(one, max(ages)) for one in kept if (ages := [age for age in one.due_s if age <= one.age_s(now_s)])]
    done: list[LinkCheck] = []
    if due:
        with Journal(run_dir) as journal:
            for check in watch.run(_fetch_all(due, now_s)):
                journal.note(check)
                done.append(check)
            passed = {(one.job_id, one.link): age for one, age in due}
            kept = [_later(one, passed.get((one.job_id, one.link))) for one in kept]
            book.replace([one for one in kept if one.due_s])
    waits = [(min(one.due_s) - one.age_s(now_s)) / one.time_scale for one in kept if one.due_s]
    return Checked(tuple(done), sum(len(one.due_s) for one in kept), min(waits, default=None))


def _later(one: Kept, passed_s: float | None) -> Kept:
    if passed_s is None:
        return one
    return msgspec.structs.replace(one, due_s=tuple(age for age in one.due_s if age > passed_s))


async def _fetch_all(due: Iterable[tuple[Kept, float]], now_s: float) -> list[LinkCheck]:
    import asyncio

    places = asyncio.Semaphore(AT_A_TIME)

    async def one(kept: Kept, age_s: float) -> LinkCheck:
        async with places:
            return await _fetch(kept, age_s, now_s)

    return list(await asyncio.gather(*(one(kept, age_s) for kept, age_s in due)))


async def _fetch(kept: Kept, due_s: float, now_s: float) -> LinkCheck:
    import asyncio

    downloads = Downloads(Target(kept.route, "", "", ca_file=kept.ca_file))
    trace = Trace(Caps(total_s=TOTAL_S))
    try:
        async with asyncio.timeout(TOTAL_S):
            await downloads.fetch([kept.url], trace)
    except TimeoutError:
        trace.legs[-1].trace.cap_fired = "total"
    finally:
        await downloads.aclose()
    if not trace.legs:  # nothing that can be asked for
        trace.leg("download").trace.begin()
        trace.finish()
    last = trace.legs[-1]
    whole = last.trace.body_end_ns is not None and last.trace.http_status == 200
    same = None if kept.sha256 is None or not whole else _sha256(last.trace) == kept.sha256
    took_ns = (last.trace.ended_ns or 0) - (trace.legs[0].trace.started_ns or 0)
    return LinkCheck(
        run_id=kept.run_id,
        job_id=kept.job_id,
        route=kept.route,
        link=kept.link,
        checked_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        due_s=due_s,
        age_s=round(kept.age_s(now_s), 1),
        alive=whole,
        same=same,
        http_status=last.trace.http_status,
        ended=how_it_ended(last.trace, last.failure, cancelled=False),
        bytes_down=last.trace.bytes_down,
        total_ms=round(took_ns / 1e6 * kept.time_scale, 3),
    )


def _sha256(trace: Trace) -> str:
    return hashlib.sha256(trace.body.whole()).hexdigest()
