"""A host that slept and a wall clock that was set, told apart by three clocks; read from clocks that a test moves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from harness.run.hostwatch import Clocks, HostWatch, read_clocks
from harness.run.lag import LagMeter
from harness.wire.clock import WorldClock

S = 1_000_000_000


@dataclass
class Host:
    """A host whose clocks go as they are told."""

    monotonic: int = 100 * S
    boot: int = 100 * S
    wall: int = 1_800_000_000 * S
    put_aside: int = 0  # how much later than the others the wall clock is read, once

    def read(self) -> Clocks:
        late, self.put_aside = self.put_aside, 0
        return Clocks(self.monotonic, self.boot, self.wall + late)

    def runs(self, ns: int) -> None:
        self.monotonic, self.boot, self.wall = self.monotonic + ns, self.boot + ns, self.wall + ns

    def sleeps(self, ns: int) -> None:
        self.boot, self.wall = self.boot + ns, self.wall + ns


def test_a_sleep_is_a_sleep_and_no_step_of_the_wall_clock() -> None:
    host = Host()
    watch = HostWatch(host.read)
    began = host.monotonic
    host.runs(S)
    host.sleeps(3600 * S)
    host.runs(S)
    watch.look()
    assert watch.notes(began, host.monotonic) == ("host_slept",)


def test_a_wall_clock_that_is_set_back_or_forward_is_no_sleep() -> None:
    for step in (-3600 * S, S // 10, 3600 * S):
        host = Host()
        watch = HostWatch(host.read)
        host.runs(S)
        host.wall += step
        watch.look()
        assert watch.notes(0, host.monotonic) == ("wall_clock_stepped",)


def test_jobs_that_were_over_before_or_began_afterwards_are_not_marked() -> None:
    host = Host()
    watch = HostWatch(host.read)
    host.runs(10 * S)
    watch.look()
    before = (host.monotonic - 9 * S, host.monotonic - S)
    host.sleeps(60 * S)
    host.wall += 5 * S
    host.runs(S)
    watch.look()
    after = (host.monotonic + S, host.monotonic + 2 * S)
    across = (host.monotonic - 5 * S, host.monotonic + S)
    assert watch.notes(*before) == watch.notes(*after) == ()
    assert watch.notes(*across) == ("host_slept", "wall_clock_stepped")


def test_a_process_that_is_put_aside_between_two_readings_sees_no_step() -> None:
    host = Host()
    watch = HostWatch(host.read)
    host.runs(S)
    host.put_aside = S
    watch.look()
    assert watch.notes(0, 1 << 62) == ()


def test_the_ticker_of_a_run_looks_by_itself() -> None:
    host = Host()

    async def go() -> tuple[str, ...]:
        async with LagMeter(HostWatch(host.read)) as lag:
            host.sleeps(60 * S)
            for _ in range(3000):
                await asyncio.sleep(0.01)
                if noted := lag._host.notes(0, 1 << 62):
                    return noted
            return ()

    assert asyncio.run(go()) == ("host_slept",)


def test_the_clocks_of_this_machine_are_read() -> None:
    clocks = read_clocks()
    assert abs(clocks.monotonic_ns - WorldClock.now_ns()) < 60 * S
    assert clocks.boot_ns >= clocks.monotonic_ns - S
    watch = HostWatch()
    watch.look()
    assert watch.notes(0, 1 << 62) == ()
