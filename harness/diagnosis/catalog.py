"""The catalog of layers that give up: signatures, settings, caps; from ``data/layers.yaml``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from harness.errors import HarnessError


@dataclass(frozen=True)
class Signature:
    """What a layer's own reply looks like. Every part that is given must match."""

    status: frozenset[int]
    headers: dict[str, re.Pattern[str]] = field(default_factory=dict)
    body: re.Pattern[str] | None = None
    error: re.Pattern[str] | None = None

    def matches(self, status: int, headers: dict[str, str], body_head: str, error_text: str) -> bool:
        """Whether a reply bears this signature."""
        return (
            status in self.status
            and all(name in headers and pattern.search(headers[name]) for name, pattern in self.headers.items())
            and (self.body is None or self.body.search(body_head) is not None)
            and (self.error is None or self.error.search(error_text) is not None)
        )


@dataclass(frozen=True)
class Layer:
    """One cap of one layer."""

    id: str
    product: str
    title: str
    setting: str
    kinds: tuple[str, ...]
    signature: Signature
    caps_s: tuple[float, ...]  # the default, and other values that were seen in the field
    names_the_layer: bool
    backend_goes_on: bool | None
    first_move: str
    confused_with: tuple[str, ...]
    grade: Literal["measured", "documented", "reported"]
    source: str


@cache
def load_catalog() -> tuple[Layer, ...]:
    """Every layer of the shipped catalog."""
    text = files("harness").joinpath("data/layers.yaml").read_text(encoding="utf-8")
    return tuple(_layer(entry) for entry in yaml.safe_load(text))


def _layer(entry: dict[str, Any]) -> Layer:
    try:
        signature = entry["signature"]
        caps = [entry["default_s"], *entry.get("defaults_seen_s", [])]
        return Layer(
            id=entry["id"],
            product=entry["product"],
            title=entry["title"],
            setting=entry["setting"],
            kinds=tuple(entry["kinds"]),
            signature=Signature(
                status=frozenset(signature["status"]),
                headers={k: re.compile(v, re.IGNORECASE) for k, v in signature.get("headers", {}).items()},
                body=re.compile(signature["body"]) if "body" in signature else None,
                error=re.compile(signature["error"]) if "error" in signature else None,
            ),
            caps_s=tuple(sorted({float(cap) for cap in caps if cap is not None})),
            names_the_layer=entry["names_the_layer"],
            backend_goes_on=entry["backend_goes_on"],
            first_move=entry["first_move"],
            confused_with=tuple(entry["confused_with"]),
            grade=entry["grade"],
            source=entry["source"],
        )
    except (KeyError, TypeError, re.error) as error:
        raise HarnessError(f"data/layers.yaml: entry {entry.get('id', '?')} is broken ({error!r})") from error


def signed_by(status: int, headers: dict[str, str], body_head: str, error_text: str) -> tuple[Layer, ...]:
    """Every layer whose signature this reply bears; empty when nobody known signed it."""
    return tuple(
        layer for layer in load_catalog() if layer.signature.matches(status, headers, body_head[:300], error_text)
    )
