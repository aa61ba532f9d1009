"""What one job does next under a policy: pure. It is told the time and how its legs ended, and sends nothing itself.

Times are seconds of the measured world since the user asked. A leg is one request that goes out for the job; legs are
numbered from 0 in the order in which they are sent.

* The **timeout** is each leg's own, and not known here but to be handed on.
* A **copy** (`hedge`) goes out when the last leg that was sent is so old and there is no image yet.
* An end that leaves nothing under way leads to a **retry**, else to the **fallback**, else the job is lost. As long as
  another leg is under way, the job waits for that one.
* **Falling back** gives up all that is under way, and is the last resort: one leg there, no retry and no copy.
* At the **deadline** the user walks away.

`harness.policies.engine` does the same in virtual time; a test holds one against the other.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from harness.policies.model import Policy

Role = Literal["first", "retry", "hedge", "fallback"]
IMAGE = "image"  # how a leg ends that brought what was asked for


@dataclass(frozen=True)
class Send:
    """A leg goes out. `timeout_s` is our own cap on it; null: none of the policy's."""

    route: str
    role: Role
    timeout_s: float | None


@dataclass(frozen=True)
class Drop:
    """A leg that is under way is given up. What it asked for may be made all the same, and billed."""

    leg: int


@dataclass(frozen=True)
class Over:
    """The job is over: with the image of a leg, or lost, and why."""

    won: int | None
    why: str | None = None  # how the last leg ended, or "deadline"


Step = Send | Drop | Over


@dataclass
class Course:
    """One stage of one job. `may_retry` is asked before each retry (a budget that all jobs share)."""

    policy: Policy
    primary: str
    dice: random.Random
    may_retry: Callable[[], bool] = lambda: True
    over: Over | None = None
    _under_way: set[int] = field(default_factory=set)
    _legs: int = 0
    _retries: int = 0
    _hedges: int = 0
    _fallen: bool = False
    _began_s: float = 0.0  # this stage; the deadline counts from the user's asking
    _last_sent_s: float = 0.0
    _retry_at_s: float = math.inf

    def start(self, now_s: float) -> list[Step]:
        """The first leg."""
        self._began_s = now_s
        return [self._send(self.primary, "first", now_s)]

    def next_s(self) -> float:
        """When `pass_time` has something to do though no leg ends; infinite when it has not."""
        if self.over is not None:
            return math.inf
        return min(self._deadline_s(), self._fallback_s(), self._retry_at_s, self._hedge_s())

    def pass_time(self, now_s: float) -> list[Step]:
        """What is due by `now_s`."""
        steps: list[Step] = []
        while self.next_s() <= now_s:
            if self._deadline_s() <= now_s:
                steps += self._end(None, "deadline")
            elif self._fallback_s() <= now_s:
                steps += self._fall_back(now_s)
            elif self._retry_at_s <= now_s:
                self._retry_at_s = math.inf
                steps.append(self._send(self.primary, "retry", now_s))
            else:
                self._hedges += 1
                hedge = self.policy.hedge
                assert hedge is not None
                steps.append(self._send(hedge.route or self.primary, "hedge", now_s))
        return steps

    def ended(self, leg: int, how: str, now_s: float, asked_s: float | None = None) -> list[Step]:
        """A leg is over: `how` is IMAGE or one of the model's ends. `asked_s`: what its retry-after asks for."""
        self._under_way.discard(leg)
        if self.over is not None:
            return []
        if how == IMAGE:
            return self._end(leg, None)
        if self._under_way:
            return []
        pause_s = self._pause_s(how, asked_s)
        if pause_s is not None:
            self._retries += 1
            self._retry_at_s = now_s + pause_s
            return self.pass_time(now_s)
        fallback = self.policy.fallback
        if fallback is not None and not self._fallen and how in fallback.ends:
            return self._fall_back(now_s)
        return self._end(None, how)

    def _pause_s(self, how: str, asked_s: float | None) -> float | None:
        """How long until this leg's retry; null when there is none."""
        retry = self.policy.retry
        if retry is None or self._fallen or self._retries >= retry.max or how not in retry.ends or not self.may_retry():
            return None
        if retry.honour_retry_after and asked_s is not None:
            return asked_s
        ceiling_s = retry.ceiling_s(self._retries + 1)
        return ceiling_s if retry.pause is not None else ceiling_s * (0.5 + 0.5 * self.dice.random())

    def _fall_back(self, now_s: float) -> list[Step]:
        assert self.policy.fallback is not None
        self._fallen = True
        self._retry_at_s = math.inf
        return [*self._drop_all(), self._send(self.policy.fallback.route, "fallback", now_s)]

    def _send(self, route: str, role: Role, now_s: float) -> Send:
        self._under_way.add(self._legs)
        self._legs += 1
        self._last_sent_s = now_s
        fallback = self.policy.fallback
        other_s = fallback.timeout if fallback is not None and self._fallen else None
        return Send(route, role, other_s if other_s is not None else self.policy.timeout)

    def _end(self, won: int | None, why: str | None) -> list[Step]:
        dropped = self._drop_all()
        self.over = Over(won, why)
        return [*dropped, self.over]

    def _drop_all(self) -> list[Step]:
        dropped: list[Step] = [Drop(leg) for leg in sorted(self._under_way)]
        self._under_way.clear()
        return dropped

    def _deadline_s(self) -> float:
        return math.inf if self.policy.deadline is None else self.policy.deadline

    def _fallback_s(self) -> float:
        fallback = self.policy.fallback
        if fallback is None or fallback.after is None or self._fallen:
            return math.inf
        return self._began_s + fallback.after

    def _hedge_s(self) -> float:
        hedge = self.policy.hedge
        if hedge is None or self._fallen or not self._under_way or self._hedges >= hedge.max:
            return math.inf
        return self._last_sent_s + hedge.after
