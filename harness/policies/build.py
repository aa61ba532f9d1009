"""A `World` out of a policy file, and a run or a profile. What was not measured is said in `World.assumed`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.conditions import EVENTS_FILE
from harness.errors import UsageProblem
from harness.policies.laws import Fixed, Halves, Law, Scaled, Tail
from harness.policies.laws import Measured as KaplanMeier
from harness.policies.measured import Journal, Measured, read_journal, shares
from harness.policies.model import ENDS, Layer, Outage, Policy, PolicyFile, Route, Shape
from harness.policies.world import Failure, RouteWorld, Source, World
from harness.prices import estimate
from harness.scenario.estimates import DEFAULT_PROFILE, Spread, profile_named, published_moment, published_spread
from harness.scenario.words import listing, nearest

DEFAULT_ROUTE = "api"
DEFAULT_MODEL = "gpt-image-2"
FAILS_AFTER_S = 1.0
_CUT = ENDS.index("cut")


def build_world(file: PolicyFile, *, run_dir: Path | None = None, profile: str | None = None) -> World:
    """What policies are tried in.

    Args:
        run_dir: a run's directory. With a `profile` beside it, that says what lies beyond the last observation.
        profile: of ``data/profiles.yaml``.

    Raises:
        UsageProblem: neither is given, or they do not hold what the policies ask for.
    """
    if run_dir is None and profile is None:
        raise UsageProblem("nothing to draw times from: give a RUN, or --profile tuning-article")
    if profile is not None:
        profile_named(profile)
    journal = None if run_dir is None else read_journal(run_dir)
    return _Builder(file, journal, profile).world(run_dir)


class _Builder:
    def __init__(self, file: PolicyFile, journal: Journal | None, profile: str | None) -> None:
        self.file, self.journal, self.profile = file, journal, profile
        self.assumed: list[str] = []
        if journal is not None and journal.unread:
            first = f"{EVENTS_FILE}:{journal.unread[0]}"
            self.assumed.append(f"{len(journal.unread)} lines of the run are no events and are left out, {first} first")
        measured = journal.routes() if journal is not None else ()
        self.first_route = next(iter((*file.routes, *measured, DEFAULT_ROUTE)))
        self.known = tuple(dict.fromkeys((*file.routes, *measured)))

    def world(self, run_dir: Path | None) -> World:
        file = self.file
        named: dict[str, None] = {self.first_route: None}
        for policy in file.policies:
            steps = (policy.route, policy.hedge and policy.hedge.route, policy.fallback and policy.fallback.route)
            named.update(dict.fromkeys(name for name in steps if name))
        for name in named:
            self._check_known(name)
        routes = {name: self._route(name) for name in named}
        self._check_caps(routes)
        moments = self.profile or DEFAULT_PROFILE
        moderation, repeated = self._of_prompts()
        source = f"run {self.journal.conditions.run_id}" if self.journal else f"profile {self.profile}"
        if run_dir is not None and self.profile is not None:
            source += f", beyond its last observation profile {self.profile}"
        return World(
            routes=routes,
            first_route=self.first_route,
            limits=file.limits,
            moderation=moderation,
            moderation_after_s=published_moment(moments, "moderation_s").median_s,
            refusal_after_s=published_moment(moments, "refusal_s").median_s,
            repeated=repeated,
            source=source,
            assumed=tuple(dict.fromkeys(self.assumed)),
        )

    def _check_known(self, name: str) -> None:
        if name not in self.known and not (self.journal is None and self.profile):
            near = nearest(name, self.known)
            raise UsageProblem(
                f"route {name} is neither in the run nor under `routes:` in the policy file; "
                f"write {near or listing(self.known)}, or declare it: "
                f"`routes: {{{name}: {{same_as: {self.known[0]}}}}}`"
            )

    def _route(self, name: str) -> RouteWorld:
        told = self.file.routes.get(name, Route())
        like = told.same_as or name
        if self.journal is not None and like not in self.journal.routes() and told.service is None and not self.profile:
            raise UsageProblem(f"route {name} has no jobs in the run: give it `same_as`, `service`, or add --profile")
        if like != name and told.service is None:
            self.assumed.append(f"route {name} is as fast as {like}, and fails as often")
        shape = told.shape or self.file.shape
        main = self._source(name, told, like, shape, streamed=False)
        streamed = self._source(name, told, like, shape, streamed=True) if self._any("stream") else None
        firsts: dict[Shape, Source] = {}
        for first in (policy.two_stage.first for policy in self.file.policies if policy.two_stage is not None):
            asked = shape.model_copy(update=first.model_dump(exclude_none=True))
            firsts[first] = self._source(name, replace_usd(told), like, asked, streamed=False)
        layers = self._layers(name, told, like)
        return RouteWorld(main=main, firsts=firsts, streamed=streamed, layers=layers, down=self._down(name, told))

    def _down(self, name: str, told: Route) -> Outage | None:
        if told.down is not None:
            cut = ", and cuts what is under way" if told.down.cuts else ""
            over_s = told.down.after + told.down.lasts
            self.assumed.append(
                f"{name} is down from {told.down.after:g} s to {over_s:g} s{cut}; a request that is sent meanwhile "
                f"ends in {told.down.end} after {told.down.answers_after:g} s"
            )
        return told.down

    def _any(self, step: str) -> bool:
        return any(getattr(policy, step) is not None for policy in self.file.policies)

    def _layers(self, name: str, told: Route, like: str) -> tuple[Layer, ...]:
        if told.layers is not None or self.journal is None:
            return told.layers or ()
        own = name if name in self.journal.routes() else like
        found = self.journal.layers(own)
        for layer in self.journal.found.get(own, ()):
            self.assumed.append(f"a layer on {own} cuts after {layer.cap:g} s: the run's cuts pile up there; "
                                f"it is called {layer.layer} here")  # fmt: skip
        return found

    def _source(self, name: str, told: Route, like: str, shape: Shape, *, streamed: bool) -> Source:
        tail = self._published(shape)
        found: Measured | None = None
        if self.journal is not None and told.service is None:
            found = self.journal.measured(like, shape, streamed=streamed)
            if found is None:
                found = self.journal.measured(like, shape, streamed=not streamed)
                if found is not None:
                    lacks = "streams" if streamed else "plain requests"
                    self.assumed.append(f"a stream on {name} takes as long as a plain request: the run has no {lacks}")
        if found is not None:
            source = self._of_rows(name, found, shape, tail)
        elif told.service is not None:
            source = Source(law=Fixed(told.service), images=shape.n or 1)
            self.assumed.append(f"every generation on {name} takes {told.service:g} s")
        elif tail is not None:
            source = Source(law=tail, images=shape.n or 1)
            self.assumed.append(f"times on {name} are those of profile {self.profile} for {_words(shape)}, a claim")
            if told.fails is None:
                self.assumed.append(f"no request on {name} fails by itself: a profile speaks of times alone")
        elif self.journal is None:
            raise UsageProblem(
                f"profile {self.profile} has no figure for {_words(shape)}; "
                "write `shape: {quality: high, size: 1024x1024}` in the policy file"
            )
        else:
            raise UsageProblem(
                f"route {name}: no job of the shape {_words(shape)} in the run; mend `shape:`, or add --profile"
            )
        return self._told(name, self._priced(source, told, found, shape), told, found)

    def _of_rows(self, name: str, found: Measured, shape: Shape, tail: Halves | None) -> Source:
        limited = any(value is not None for value in (
            self.file.limits.images_per_minute, self.file.limits.requests_per_minute, self.file.limits.concurrent
        ))  # fmt: skip
        rows = found.rows(keep_429=not limited)
        timed = rows.running | (rows.end < 0)
        if not found.images and tail is None:
            raise UsageProblem(
                f"route {name}, {_words(shape)}: no image came in {found.jobs} jobs, so nothing says how long one "
                f"takes; say whose times it has, `routes: {{{name}: {{same_as: OTHER}}}}`, or give `shape:` and "
                "--profile, which is drawn from beyond the last observation"
            )
        failures = tuple(
            Failure(end, share, np.array(times), measured=True) for end, (share, times) in shares(rows).items()
        )
        if any(one.end == "429" for one in failures):
            self.assumed.append(f"429s on {name} come as often as in the run, whatever the load: no limits are given")
        if any(one.end == "cut" for one in failures):
            self.assumed.append(f"cuts on {name} that no known cap explains come again as often, whatever the policy")
        if rows.at_s.size > found.jobs:
            self.assumed.append(f"{name}: no job's first request brought an image, so later ones count like first ones")
        if found.images < 11:
            self.assumed.append(
                f"{name}, {_words(shape)}: only {found.images} images were measured; intervals are wide"
            )
        law = KaplanMeier(rows.at_s[timed], rows.running[timed], tail)
        return Source(law=law, failures=failures, rows=rows, tail=tail)

    def _priced(self, source: Source, told: Route, found: Measured | None, shape: Shape) -> Source:
        example = found.example if found is not None else None
        model = example.model if example else DEFAULT_MODEL
        quality = example.quality if example else shape.quality
        size = example.size if example else shape.size
        images = example.n if example else shape.n or 1
        listed = estimate(model, quality, size, images)
        preview = estimate(model, "low", "1024x1024", partial_images=1, stream=True).usd
        without = estimate(model, "low", "1024x1024").usd
        partial = None if preview is None or without is None else preview - without
        usd = told.usd
        if usd is None and found is not None and found.usd:
            usd = float(np.mean([cost - previews * (partial or 0.0) for cost, previews in found.usd]))
        if usd is None:
            usd = listed.usd
            self.assumed.append(
                "prices are list prices" if usd is not None else "no price is known: costs are left out"
            )
        return replace(source, images=images, usd=usd, partial_usd=partial)

    def _told(self, name: str, source: Source, told: Route, found: Measured | None) -> Source:
        """What the file says over what was measured, and when previews come."""
        if told.slower != 1:
            self.assumed.append(f"times on {name} are multiplied by {told.slower:g}")
            source = replace(source, law=Scaled(source.law, told.slower), factor=told.slower)
        if told.fails is not None:
            self.assumed.append(f"{told.fails:.0%} of requests on {name} fail")
            after = np.array([told.fails_after or FAILS_AFTER_S])
            source = replace(source, failures=(Failure("5xx", told.fails, after),))
        if not self._any("stream"):
            return source
        if found is not None and found.first_partial_s:
            times = np.array(found.first_partial_s)
            return replace(source, first_partial=KaplanMeier(times, np.zeros(times.size, dtype=np.bool_)))
        moments = self.profile or DEFAULT_PROFILE
        self.assumed.append(f"first previews on {name} come as profile {moments} says")
        share = float(profile_named(moments)["first_partial_max_share"])
        law = _halves(published_moment(moments, "first_partial_s"))
        return replace(source, first_partial=law, longest_first_share=share)

    def _published(self, shape: Shape) -> Halves | None:
        if self.profile is None or shape.quality is None or shape.size is None:
            return None
        spread = published_spread(self.profile, shape.quality, shape.size, shape.n or 1)
        return None if spread is None else _halves(spread)

    def _of_prompts(self) -> tuple[float, float | None]:
        """Share of prompts that moderation refuses, and of jobs whose prompt came before."""
        told = self.file.moderation
        if self.journal is None:
            return told or 0.0, None
        events = [event for event in self.journal.events if event.route == self.first_route] or self.journal.events
        by_cell: dict[str, list[str]] = {}
        for event in events:
            by_cell.setdefault(event.cell, []).append(event.prompt_hash)
        repeats = sum(len(hashes) - len(set(hashes)) for hashes in by_cell.values())
        if self._any("cache") and any(p.cache is not None and p.cache.share is None for p in self.file.policies):
            self.assumed.append(f"{repeats / len(events):.0%} of requests are unchanged ones, as in the run; "
                                "a benchmark repeats its prompts on purpose, your users may not")  # fmt: skip
        refused = sum(event.error_code == "moderation_blocked" for event in events)
        seen = sum(event.outcome not in ("unknown", "cancelled") for event in events)
        return (refused / max(1, seen) if told is None else told), repeats / len(events)

    def _check_caps(self, routes: dict[str, RouteWorld]) -> None:
        known = {layer.layer for route in routes.values() for layer in route.layers}
        example = f"declare it: `routes: {{{self.first_route}: {{layers: [{{layer: edge, cap: 60s}}]}}}}`"
        for policy in self.file.policies:
            for name in policy.caps:
                if name not in known:
                    fix = f"write {nearest(name, known) or listing(sorted(known))}" if known else example
                    raise UsageProblem(f"policy {policy.name}: there is no layer {name} with a cap; {fix}")


def replace_usd(told: Route) -> Route:
    """The route without its price: that was the main shape's."""
    return told.model_copy(update={"usd": None})


def _halves(spread: Spread) -> Halves:
    return Halves(spread.median_s, spread.log_sd_below, spread.log_sd_above, spread.least_s, spread.most_s)


def _words(shape: Shape) -> str:
    return " ".join(str(value) for value in shape.model_dump().values() if value is not None) or "any shape"


__all__ = ["Law", "Policy", "Tail", "build_world"]
