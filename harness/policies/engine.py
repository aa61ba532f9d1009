"""One replication: users, their jobs and what the policy does, as processes of a discrete-event simulation (simpy).

A job's process sleeps until the next moment at which its client has something to decide: an attempt ended, a copy or
the other route is due, a pause is over, the user walks away. What an attempt will do is drawn when it is sent.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from harness.policies.account import Account
from harness.policies.attempt import Attempt, Caps, Down, Draws, Sender
from harness.policies.model import End, Load, Policy
from harness.policies.world import RouteWorld, Source, World

Process = Generator[Any, Any, Any]
GAVE_UP = "deadline"
IMAGE = "image"


@dataclass
class Tally:
    """What one replication came to. `final_s` and `seen_s`: a value a job, infinite where nothing came."""

    final_s: list[float] = field(default_factory=list)
    seen_s: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    usd: float | None = 0.0
    sent: int = 0
    made: int = 0
    duplicates: int = 0
    orphans: int = 0
    refused: int = 0
    fell_back: int = 0
    beyond: int = 0


@dataclass(slots=True)
class _Job:
    began: float
    moderated: bool
    seen_at: float = math.inf
    made: int = 0  # of the stage that it is in


class Replication:
    """One world, one policy, one load, one seed."""

    def __init__(self, policy: Policy, world: World, load: Load, dice: np.random.Generator) -> None:
        self._policy, self._world, self._load = policy, world, load
        self._env = simpy.Environment()
        self._dice = random.Random(int(dice.integers(2**62)))
        self._accounts = {name: Account(world.limits) for name in world.routes}
        self._home = policy.route or world.first_route
        self._stages: tuple[str, ...] = ("first", "main") if policy.two_stage else ("main",)
        self._senders = {
            (name, stage): self._sender(name, route, stage, dice)
            for name, route in world.routes.items()
            for stage in self._stages
        }
        self._hits = 0.0
        if policy.cache is not None:
            self._hits = policy.cache.share if policy.cache.share is not None else world.repeated or 0.0
        self._most = 0 if policy.retry is None else policy.retry.max
        self._again = frozenset() if policy.retry is None else policy.retry.ends
        self._begun = self._retried = 0
        self.tally = Tally()

    def _sender(self, name: str, route: RouteWorld, stage: str, dice: np.random.Generator) -> Sender:
        policy, world = self._policy, self._world
        streams = policy.stream is not None
        source: Source = route.main
        if stage == "first" and policy.two_stage is not None:
            source = route.firsts[policy.two_stage.first]
        elif streams and route.streamed is not None:
            source = route.streamed
        poll_s = None if policy.async_ is None else policy.async_.poll
        return Sender(
            draws=Draws(source, dice),
            account=self._accounts[name],
            caps=Caps(route.layers, policy),
            limits=world.limits,
            outage=None if route.down is None else Down(route.down, poll_s),
            poll_s=poll_s,
            streams=streams and policy.stream is not None and policy.stream.partial_images > 0,
            refusal_after_s=world.refusal_after_s,
            moderation_after_s=world.moderation_after_s,
            dice=self._dice,
        )

    def run(self) -> Tally:
        """Every job to its end."""
        if self._load.rate is not None:
            self._env.process(self._arrivals(self._load.rate))
        else:
            for _ in range(min(self._load.concurrency or 1, self._load.jobs)):
                self._env.process(self._user())
        self._env.run()
        return self.tally

    def _arrivals(self, rate: float) -> Process:
        for _ in range(self._load.jobs):
            self._env.process(self._job())
            gap = self._dice.expovariate(rate) if self._load.arrivals == "poisson" else 1 / rate
            yield self._env.timeout(gap)

    def _user(self) -> Process:
        while self._begun < self._load.jobs:
            yield from self._job()

    def _job(self) -> Process:
        self._begun += 1
        job = _Job(self._env.now, moderated=self._dice.random() < self._world.moderation)
        end = IMAGE
        stages, policy = self._stages, self._policy
        if self._hits and self._dice.random() < self._hits:
            yield self._env.timeout(policy.cache.takes if policy.cache else 0.0)
            stages = ()
        for stage in stages:
            job.made = 0
            end = yield from self._stage(job, stage)
            if end != IMAGE:
                break
            if stage == "first" and policy.two_stage is not None:
                job.seen_at = min(job.seen_at, self._env.now)
                if self._dice.random() >= policy.two_stage.keep:
                    break
        took = self._env.now - job.began
        tally = self.tally
        tally.ends[end] += 1
        tally.final_s.append(took if end == IMAGE else math.inf)
        seen = job.seen_at - job.began
        tally.seen_s.append(min(seen, took) if end == IMAGE else seen)

    def _stage(self, job: _Job, stage: str) -> Process:
        """One image as the client goes about it; how it ended."""
        policy, env = self._policy, self._env
        hedge, fallback = policy.hedge, policy.fallback
        live: list[tuple[Attempt, Sender]] = []
        sender, cap_s = self._senders[self._home, stage], policy.timeout
        deadline = math.inf if policy.deadline is None else job.began + policy.deadline
        fallback_at = math.inf if fallback is None or fallback.after is None else env.now + fallback.after
        send_at, hedge_at = env.now, math.inf
        retries = copies = 0
        fell = False
        last: Attempt | None = None
        while True:
            due = min(send_at, hedge_at, fallback_at, deadline, min((one.end_at for one, _ in live), default=math.inf))
            if due > env.now:
                yield env.timeout(due - env.now)
            for one, by in [pair for pair in live if pair[0].end_at <= due]:
                live.remove((one, by))
                job.seen_at = min(job.seen_at, one.seen_at if one.seen_at <= due else math.inf)
                if one.end is None:
                    self._leave(job, live, due)
                    return IMAGE
                if one.end in ("timeout", "cut"):
                    self._leave(job, [(one, by)], due)
                last = one
            if due >= deadline:
                self._leave(job, live, due)
                return GAVE_UP
            if fallback_at <= due or (not live and send_at == math.inf):
                end = None if last is None else last.end
                if due < fallback_at and not fell and retries < self._most and self._may_retry(end):
                    retries += 1
                    send_at, hedge_at = due + self._pause_s(last, retries), math.inf
                elif fallback is not None and not fell and (fallback_at <= due or end in fallback.ends):
                    self._leave(job, live, due)
                    live.clear()
                    fell = True
                    self.tally.fell_back += 1
                    sender, cap_s = self._senders[fallback.route, stage], fallback.timeout or policy.timeout
                    send_at, hedge_at, fallback_at = due, math.inf, math.inf
                else:
                    assert end is not None
                    return end
            elif send_at <= due:
                live.append((self._send(job, sender, cap_s), sender))
                send_at = math.inf
                hedge_at = due + hedge.after if hedge is not None and not fell and copies < hedge.max else math.inf
            elif hedge_at <= due and hedge is not None:
                copies += 1
                other = self._senders[hedge.route or self._home, stage]
                live.append((self._send(job, other, cap_s), other))
                hedge_at = due + hedge.after if copies < hedge.max else math.inf

    def _may_retry(self, end: End | None) -> bool:
        """Whether such an end is sent again, and the budget (a share of the jobs begun so far, or one) has room."""
        retry = self._policy.retry
        if retry is None or end not in self._again:
            return False
        share = retry.budget_share
        if share is not None and self._retried + 1 > max(1.0, share * self._begun):
            return False
        self._retried += 1
        return True

    def _pause_s(self, last: Attempt | None, number: int) -> float:
        retry = self._policy.retry
        assert retry is not None
        if retry.honour_retry_after and last is not None and last.retry_after_s is not None:
            return last.retry_after_s
        ceiling = retry.ceiling_s(number)
        return ceiling if retry.pause is not None else ceiling * (0.5 + 0.5 * self._dice.random())

    def _send(self, job: _Job, sender: Sender, cap_s: float | None) -> Attempt:
        sent = sender.send(self._env.now, cap_s, moderated=job.moderated)
        tally, source = self.tally, sender.draws.source
        tally.sent += 1
        tally.refused += sent.end == "429"
        tally.beyond += sent.beyond
        if sent.made_at < math.inf:  # it will be made and billed, whoever waits
            tally.made += 1
            job.made += 1
            tally.duplicates += job.made > 1
            previews = self._policy.stream.partial_images if sender.streams and self._policy.stream else 0
            price = source.usd
            if price is not None and previews:
                price = None if source.partial_usd is None else price + previews * source.partial_usd
            tally.usd = None if price is None or tally.usd is None else tally.usd + price
        return sent

    def _leave(self, job: _Job, live: list[tuple[Attempt, Sender]], now: float) -> None:
        for one, by in live:
            job.seen_at = min(job.seen_at, one.seen_at if one.seen_at <= now else math.inf)
            by.leave(one, now)
            self.tally.orphans += now < one.made_at < math.inf
