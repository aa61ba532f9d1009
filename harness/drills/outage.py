"""The outage of one policy's drill: broken at its moment, mended after its time, and mended whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from harness.drills.model import Outage, Phase
from harness.drills.switching import Switch, SwitchFailed
from harness.wire.clock import WorldClock


class Breakage:
    """Breaks the primary once, and mends it. `phase` tells how it is at any moment."""

    def __init__(
        self, switch: Switch | None, route: str, lasts_s: float, now_s: Callable[[], float], clock: WorldClock
    ) -> None:
        """`lasts_s` in seconds of the measured world. Without a switch nothing is ever broken."""
        self.phase: Phase = "before"
        self.failure: SwitchFailed | None = None
        self._switch = switch
        self._route = route
        self._lasts_s = clock.here_s(lasts_s)
        self._now_s = now_s
        self._broken_s: float | None = None
        self._mended_s: float | None = None
        self._dropped: int | None = None
        self._enough = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Break it now. Returns at once: users do not wait for a switch."""
        if self._switch is not None and self._task is None:
            self._task = asyncio.create_task(self._run(self._switch))

    async def end(self) -> None:
        """Mend it, if it is not mended yet, and wait for that. Says in `failure` what did not work."""
        self._enough.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    def record(self) -> Outage | None:
        """What was done, and when; null where nothing was to be broken."""
        if self._switch is None:
            return None
        return Outage(
            route=self._route,
            how=self._switch.how,
            broken_s=self._broken_s,
            mended_s=self._mended_s,
            dropped=self._dropped,
        )

    async def _run(self, switch: Switch) -> None:
        try:
            self._dropped = await switch.break_it()
            self._broken_s = round(self._now_s(), 3)
            self.phase = "broken"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), self._lasts_s)
        except SwitchFailed as error:
            self.failure = error  # what it did is not known, so it is mended all the same
        try:
            await switch.mend()
        except SwitchFailed as error:
            before = "" if self.failure is None else f"{self.failure}; and then "
            self.failure = SwitchFailed(f"{before}{error}. {self._route} may still be broken: mend it by hand.")
            return
        if self.phase == "broken":
            self._mended_s = round(self._now_s(), 3)
            self.phase = "after"
