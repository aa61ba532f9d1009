"""One request in virtual time. Its whole course is known when it is sent: only what the client does is still open."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.policies.account import Account, Place
from harness.policies.laws import Law
from harness.policies.model import End, Layer, Limits, Outage, Policy, ends
from harness.policies.world import Source

_BATCH = 256


@dataclass(slots=True, eq=False)
class Attempt:
    """Times in seconds of virtual time; infinite where it does not happen. `end` null: an image."""

    end_at: float
    end: End | None
    made_at: float = math.inf  # when the generation is done, whoever waits for it
    seen_at: float = math.inf  # when the first preview is there
    retry_after_s: float | None = None
    place: Place | None = None
    beyond: bool = False  # its time lies beyond what was measured


class Draws:
    """A source's times and failures one by one, drawn in batches."""

    def __init__(self, source: Source, dice: np.random.Generator) -> None:
        self.source = source
        self._service = _one_by_one(source.law, dice)
        self._first = None if source.first_partial is None else _one_by_one(source.first_partial, dice)
        self._failures = [one for one in source.failures if one.share > 0]

    def service(self) -> tuple[float, bool]:
        """How long a generation takes, and whether that lies beyond what was measured."""
        return next(self._service)

    def first_partial(self, service_s: float) -> float:
        """When the first preview is there; never later than the image."""
        told = service_s if self._first is None else next(self._first)[0]
        return min(told, service_s * self.source.longest_first_share)

    def failure(self, dice: random.Random) -> tuple[End, float] | None:
        """Whether a request fails by itself, how, and after how long."""
        if not self._failures:
            return None
        share = dice.random()
        for one in self._failures:
            if share < one.share:
                return one.end, float(one.after_s[int(dice.random() * one.after_s.size)])
            share -= one.share
        return None


def _one_by_one(law: Law, dice: np.random.Generator) -> Iterator[tuple[float, bool]]:
    while True:
        times, beyond = law.draw(dice, _BATCH)
        yield from zip(times.tolist(), beyond.tolist(), strict=True)


class Caps:
    """What layers on a route cut under a policy, in seconds since a request was sent."""

    def __init__(self, layers: tuple[Layer, ...], policy: Policy) -> None:
        caps = [(one.kind, policy.caps.get(one.layer, one.cap)) for one in layers]
        lowest = {kind: min((cap for of, cap in caps if of == kind and cap is not None), default=math.inf)
                  for kind in ("total", "idle", "first_byte")}  # fmt: skip
        self._total, self._idle = lowest["total"], lowest["idle"]
        self._whole = min(lowest.values())  # nothing comes before the answer: every kind counts the whole wait
        self._off = policy.async_ is not None
        self._streams = policy.stream is not None
        self._previews = policy.stream.partial_images if policy.stream is not None else 0
        alive_s = None if policy.stream is None else policy.stream.keep_alive
        self._alive_s = math.inf if alive_s is None else alive_s

    def cuts_at(self, answer_s: float, first_s: float) -> float:
        """When a wait of `answer_s` is cut, the first preview being there after `first_s`; infinite when it is not.

        A stream's headers leave early, so a first-byte cap is met; with previews the silence is the longest gap, and
        they follow evenly until the image (as `harness/data/profiles.yaml` has it), unless a sign of life comes first.
        """
        if self._off:
            return math.inf
        if not self._streams:
            return self._whole if answer_s > self._whole else math.inf
        at = self._total if answer_s > self._total else math.inf
        if self._alive_s <= self._idle:
            return at
        first_s = first_s if self._previews else answer_s
        if first_s > self._idle:
            return min(at, self._idle)
        if self._previews and (answer_s - first_s) / self._previews > self._idle:
            return min(at, first_s + self._idle)
        return at


class Down:
    """A route's outage, in seconds of virtual time. `poll_s` of tasks, which it does not cut: it delays their polls."""

    def __init__(self, told: Outage, poll_s: float | None) -> None:
        self._begins, self._over = told.after, told.after + told.lasts
        (self._end,) = ends((told.end,))
        self._answers_s, self._cuts = told.answers_after, told.cuts and poll_s is None
        self._poll_s = poll_s

    def refusal(self, now: float) -> tuple[End, float] | None:
        """How a request that is sent now ends, and after how long; null when the route is up."""
        return (self._end, self._answers_s) if self._begins <= now < self._over else None

    def cuts_at(self, sent_at: float) -> float:
        """When what was sent then is cut for being under way; infinite when it is not."""
        return self._begins if self._cuts and sent_at < self._begins else math.inf

    def seen_at(self, at: float) -> float:
        """When a task is found done that would have been at `at`: polls meanwhile find nobody, and go on."""
        if self._poll_s is None or not self._begins <= at < self._over:
            return at
        return at + math.ceil((self._over - at) / self._poll_s - 1e-9) * self._poll_s


@dataclass(slots=True, eq=False)
class Sender:
    """Sends requests of one shape on one route under one policy."""

    draws: Draws
    account: Account
    caps: Caps
    limits: Limits
    outage: Down | None
    poll_s: float | None
    streams: bool
    refusal_after_s: float
    moderation_after_s: float
    dice: random.Random

    def send(self, now: float, cap_s: float | None, *, moderated: bool) -> Attempt:
        """One request, sent now; `cap_s` our own timeout, `moderated` whether its prompt is refused."""
        refusal = None if self.outage is None else self.outage.refusal(now)
        if refusal is not None:
            # Nobody behind hears of it: no limit is touched and nothing is made. A layer may still lose its patience.
            end, after_s = refusal
            cut_s = math.inf if end == "connect" else self.caps.cuts_at(after_s, after_s)
            sent = Attempt(now + cut_s, "cut") if cut_s < after_s else Attempt(now + after_s, end)
            return self._given_up(sent, now, cap_s)
        failure = self.draws.failure(self.dice)
        if failure is not None and failure[0] == "connect":
            return self._given_up(Attempt(now + failure[1], "connect"), now, cap_s)
        asked_to_wait = self.account.refused(now, self.draws.source.images)
        if asked_to_wait is not None:
            return Attempt(now + self.refusal_after_s, "429", retry_after_s=asked_to_wait)
        if moderated:
            failure = ("moderation", self.moderation_after_s)
        if failure is not None:
            sent = Attempt(self.account.begins(now, failure[1]) + failure[1], failure[0])
            done_at = sent.end_at
        else:
            sent = self._generated(now)
            done_at = sent.made_at
        cut_s = self.caps.cuts_at(sent.end_at - now, sent.seen_at - now)
        down_at = math.inf if self.outage is None else self.outage.cuts_at(now)
        if min(now + cut_s, down_at) < sent.end_at:
            sent.end_at, sent.end = min(now + cut_s, down_at), "cut"
        sent = self._given_up(sent, now, cap_s)
        sent.place = Place(done_at)
        self.account.hold(sent.place)
        return sent

    def _generated(self, now: float) -> Attempt:
        lasts, beyond = self.draws.service()
        start = self.account.begins(now, lasts)
        made_at = start + lasts
        seen_at = start + self.draws.first_partial(lasts) if self.streams else math.inf
        polls = 0.0 if self.poll_s is None else math.ceil((made_at - now) / self.poll_s - 1e-9) * self.poll_s
        found_at = max(made_at, now + polls)
        if self.outage is not None:
            found_at = self.outage.seen_at(found_at)
        return Attempt(found_at, None, made_at=made_at, seen_at=seen_at, beyond=beyond)

    @staticmethod
    def _given_up(sent: Attempt, now: float, cap_s: float | None) -> Attempt:
        if cap_s is None:
            return sent
        # Of two equal timers ours fires first: it began before the connection was there.
        if now + cap_s < sent.end_at or (sent.end == "cut" and now + cap_s <= sent.end_at):
            sent.end_at, sent.end = now + cap_s, "timeout"
        return sent

    def leave(self, sent: Attempt, now: float) -> None:
        """Nobody waits for it any more."""
        if sent.place is not None and not self.limits.orphans_hold:
            sent.place.until = now
