"""How long a cell will take, by a published profile, and which declared cap will cut it. Claims, not promises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UsageProblem
from harness.scenario.cells import Cell
from harness.scenario.fields import parse_size
from harness.scenario.models import Scenario
from harness.scenario.words import listing, nearest

PROFILES_FILE = Path(__file__).parent.parent / "data" / "profiles.yaml"
DEFAULT_PROFILE = "tuning-article"
BASE_SIZE = "1024x1024"
BASE_PIXELS = 1024 * 1024


@dataclass(frozen=True)
class Expected:
    """What a profile says about a cell, in seconds of the measured world. None when it does not say, and why."""

    median_s: float | None
    silence_s: float | None = None  # the longest time without a byte
    basis: str | None = (
        None  # published, derived or assumed, as the profile says of the figure; scaled from another size
    )
    note: str | None = None


@dataclass(frozen=True)
class Cut:
    """A cap that lies under what is expected."""

    at_s: float
    text: str


@cache
def profiles() -> Mapping[str, Any]:
    """Every profile of ``data/profiles.yaml``; its head comment says what the fields mean and how a median is found."""
    loaded = yaml.safe_load(PROFILES_FILE.read_text(encoding="utf-8"))
    named: Mapping[str, Any] = loaded["profiles"]
    return named


def profile_named(name: str) -> Mapping[str, Any]:
    """One profile.

    Raises:
        UsageProblem: there is none of this name.
    """
    known = profiles()
    if name not in known:
        near = nearest(name, known)
        raise UsageProblem(f"there is no latency profile {name}; write {near or listing(sorted(known))}")
    profile: Mapping[str, Any] = known[name]
    return profile


def expect(scenario: Scenario, cell: Cell, name: str, profile: Mapping[str, Any]) -> Expected:
    """Median and longest silence of a cell. Nothing is invented: a shape without a figure has none.

    Without a stream, or with one that shows no previews, the silence is the whole wait. With previews it is the longest
    gap: to the first one, or between two, which the profiles take to follow evenly until the end.
    """
    if cell.quality in (None, "auto") or cell.size in (None, "auto"):
        return Expected(None, note="the API chooses quality or size, so the time is not known beforehand")
    one, basis = _one_image(profile, str(cell.quality), str(cell.size))
    if one is None:
        return Expected(None, note=f"profile {name} has no figure for {cell.quality} {cell.size}")
    made = one if cell.n == 1 else one * cell.n * sum(profile["n_factor"]) / len(profile["n_factor"])
    added = _added_s(scenario, cell)
    if not cell.partial_images:
        return Expected(made + added, made + added, basis)
    first = min(float(profile["first_partial_s"]["median"]), made * float(profile["first_partial_max_share"]))
    return Expected(made + added, max(first + added, (made - first) / cell.partial_images), basis)


def _one_image(profile: Mapping[str, Any], quality: str, size: str) -> tuple[float | None, str | None]:
    """Median seconds of one image and what they rest on."""
    listed = profile["latency_s"].get(quality, {})
    if size in listed:
        return float(listed[size]["median"]), listed[size].get("basis")
    edges = parse_size(size)
    if edges is None or BASE_SIZE not in listed:
        return None, None
    pixels, scale = edges[0] * edges[1], profile["scale"]
    factor = min(max(pixels / BASE_PIXELS, float(scale["min"])), float(scale["max"]))
    return float(listed[BASE_SIZE]["median"]) * factor, "scaled"


def _added_s(scenario: Scenario, cell: Cell) -> float:
    """What the simulated layer on the cell's route adds by declaration."""
    layers = (scenario.simulator or {}).get("layers")
    name = scenario.routes[cell.route].simulator_layer
    layer = layers.get(name) if isinstance(layers, dict) and name is not None else None
    added = layer.get("adds_s") if isinstance(layer, dict) else None
    return float(added) if isinstance(added, int | float) and not isinstance(added, bool) else 0.0


def cut(scenario: Scenario, cell: Cell, expected: Expected) -> Cut | None:
    """The lowest cap that will cut the cell at its median, ours or a declared layer's; None when none will.

    A first-byte cap counts the whole wait without a stream; with one the headers may come early, so nothing is said.
    A task is asked for in short calls: of caps only those count that stand for the whole job, and these are ours.
    """
    if expected.median_s is None or expected.silence_s is None:
        return None
    waits = {"total": expected.median_s, "idle": expected.silence_s}
    if not cell.stream:
        waits["first_byte"] = expected.median_s
    ours, route = scenario.timeouts, scenario.routes[cell.route]
    caps: list[tuple[float | None, str, str]] = [(ours.total, "our own timeouts.total", "total")]
    if route.kind == "browser" and route.browser is not None:
        caps.append((route.browser.abort, "the page's own browser.abort", "total"))
    if polls(scenario, cell.route):
        give_up_s = route.task.poll.give_up_after if route.task is not None else None
        caps.append((give_up_s, "our own task.poll.give_up_after", "total"))
    else:
        caps += [(layer.cap_s, f"{layer.layer} {layer.setting or layer.kind}", layer.kind) for layer in route.chain]
        caps += [
            (ours.first_byte, "our own timeouts.first_byte", "first_byte"),
            (ours.idle, "our own timeouts.idle", "idle"),
        ]
    low = [(at_s, name) for at_s, name, kind in caps if at_s is not None and at_s < waits.get(kind, 0.0)]
    if not low:
        return None
    at_s, name = min(low)
    return Cut(at_s, f"{name} {at_s:g} s")


def polls(scenario: Scenario, route: str) -> bool:
    """Whether a job of this route is a task that is asked for: no call of it lasts as long as the image does."""
    return scenario.routes[route].kind == "task"


@dataclass(frozen=True)
class Spread:
    """How a cell's time lies around its median by a profile: a lognormal of two halves plus what a layer adds.

    All of the model's own part: `median_s`, and the limits that no draw passes (null: none given).
    """

    median_s: float
    log_sd_below: float
    log_sd_above: float
    least_s: float | None
    most_s: float | None
    added_s: float
    basis: str


def spread(scenario: Scenario, cell: Cell, name: str, profile: Mapping[str, Any]) -> Spread | None:
    """Read as the head of ``data/profiles.yaml`` says, like the embedded API does; None without a figure."""
    expected = expect(scenario, cell, name, profile)
    if expected.median_s is None:
        return None
    added = _added_s(scenario, cell)
    return _spread(name, profile, (str(cell.quality), str(cell.size)), expected.median_s - added, added, expected.basis)


def published_spread(name: str, quality: str, size: str, n: int = 1) -> Spread | None:
    """The same of a shape by itself, with no layer in front; None without a figure.

    Raises:
        UsageProblem: there is no profile of this name.
    """
    profile = profile_named(name)
    one, basis = _one_image(profile, quality, size)
    if one is None:
        return None
    made = one if n == 1 else one * n * sum(profile["n_factor"]) / len(profile["n_factor"])
    return _spread(name, profile, (quality, size), made, 0.0, basis)


def _spread(
    name: str, profile: Mapping[str, Any], shape: tuple[str, str], own: float, added: float, basis: str | None
) -> Spread:
    listed = profile["latency_s"][shape[0]]
    entry = listed[shape[1] if shape[1] in listed else BASE_SIZE]
    return _halves(entry, profile, own, added, f"profile {name}, {basis or 'no basis given'}")


def _halves(entry: Mapping[str, Any], profile: Mapping[str, Any], own: float, added: float, basis: str) -> Spread:
    middle, default = float(entry["median"]), float(profile.get("default_sigma", 0.2))
    above = below = default
    if "p95" in entry:
        above = math.log(float(entry["p95"]) / middle) / 1.645
    elif "max" in entry:
        above = math.log(float(entry["max"]) / middle) / 2.75
    if "min" in entry:
        below = math.log(middle / float(entry["min"])) / 2.75
    least, most = (float(entry[key]) * own / middle if key in entry else None for key in ("min", "max"))
    return Spread(own, below, above, least, most, added, basis)


def published_moment(name: str, moment: str) -> Spread:
    """When something other than the image comes: ``first_partial_s``, ``moderation_s`` or ``refusal_s``.

    Raises:
        UsageProblem: there is no profile of this name.
    """
    profile = profile_named(name)
    entry = profile[moment]
    return _halves(entry, profile, float(entry["median"]), 0.0, f"profile {name}, {entry.get('basis')}")
