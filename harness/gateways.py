"""WAIST: gateways that name themselves in an answer's headers, from ``data/gateways.yaml``.

Measuring reads figures and ids with it; reading explains with it what a gateway is known to drop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Drop:
    """Something that does not get through a gateway, and how that is known."""

    what: str
    source: str


@dataclass(frozen=True)
class Gateway:
    """One product: the headers that it is known by, and what each of them tells."""

    name: str
    title: str
    recognise: tuple[str, ...]
    ids: tuple[str, ...] = ()
    duration_ms: str | None = None
    overhead_ms: str | None = None
    retries: str | None = None
    attempts: str | None = None  # counts the first one as well
    fallbacks: str | None = None
    cache_header: str | None = None
    cache_hit: tuple[str, ...] = ()  # its words for: no image was made
    drops: tuple[Drop, ...] = ()

    def headers(self) -> tuple[str, ...]:
        """Every header of its own that says something and is no id."""
        named = (
            self.duration_ms, self.overhead_ms, self.retries, self.attempts, self.fallbacks, self.cache_header,
        )  # fmt: skip
        return tuple(name for name in (*self.recognise, *named) if name is not None and name not in self.ids)


@dataclass(frozen=True)
class Told:
    """What a gateway said of one call. None: it did not say."""

    name: str | None = None
    duration_ms: float | None = None
    overhead_ms: float | None = None
    retries: int | None = None
    fallbacks: int | None = None
    cache_hit: bool | None = None


@cache
def gateways() -> tuple[Gateway, ...]:
    """All of them, in the order in which they are looked for."""
    import yaml  # a third of the time that `harness --help` has

    text = files("harness").joinpath("data/gateways.yaml").read_text(encoding="utf-8")
    return tuple(_gateway(entry) for entry in yaml.safe_load(text))


def _gateway(entry: Mapping[str, Any]) -> Gateway:
    cache_ = entry.get("cache") or {}
    return Gateway(
        name=entry["name"],
        title=entry["title"],
        recognise=tuple(entry["recognise"]),
        ids=tuple(entry.get("ids", ())),
        duration_ms=entry.get("duration_ms"),
        overhead_ms=entry.get("overhead_ms"),
        retries=entry.get("retries"),
        attempts=entry.get("attempts"),
        fallbacks=entry.get("fallbacks"),
        cache_header=cache_.get("header"),
        cache_hit=tuple(cache_.get("hit", ())),
        drops=tuple(Drop(drop["what"], drop["source"]) for drop in entry["drops"]),
    )


def gateway_named(name: str) -> Gateway | None:
    """The product of that name."""
    return next((one for one in gateways() if one.name == name), None)


def told_by(headers: Mapping[str, str]) -> Told:
    """What the first gateway that these headers (lower-case names) are known for says of the call."""
    for one in gateways():
        if any(name in headers for name in one.recognise):
            attempts = _count(headers, one.attempts)
            return Told(
                name=one.name,
                duration_ms=_number(headers, one.duration_ms),
                overhead_ms=_number(headers, one.overhead_ms),
                retries=_count(headers, one.retries) if attempts is None else max(attempts - 1, 0),
                fallbacks=_count(headers, one.fallbacks),
                cache_hit=_hit(headers, one),
            )
    return Told()


def _number(headers: Mapping[str, str], name: str | None) -> float | None:
    """A figure that is not negative; Portkey's −1 (it gave up) is no count."""
    try:
        value = float(headers[name]) if name is not None and name in headers else -1.0
    except ValueError:
        return None
    return value if 0 <= value < 1e12 else None


def _count(headers: Mapping[str, str], name: str | None) -> int | None:
    value = _number(headers, name)
    return None if value is None else int(value)


def _hit(headers: Mapping[str, str], one: Gateway) -> bool | None:
    said = None if one.cache_header is None else headers.get(one.cache_header)
    return None if said is None else said.strip().upper() in one.cache_hit
