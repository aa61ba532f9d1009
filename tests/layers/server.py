"""What a module of `tests.layers.servers` has to say of its layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.layers.process import first_line
from tests.layers.situations import CAP_S


@dataclass(frozen=True)
class Upstreams:
    """Ports of loopback behind a layer."""

    live: int  # the embedded API
    dead: int  # nobody listens
    own: Mapping[str, str] = field(default_factory=dict)  # situation → the API's base URL for this layer alone


@dataclass(frozen=True)
class Front:
    """Where a layer listens: base URLs without /v1, one before each upstream."""

    live: str
    dead: str
    key: str | None = None  # a key of its own, where it wants one
    log: Path | None = None
    models: Mapping[str, str] = field(default_factory=dict)  # situation → model, where that chooses the upstream


@dataclass(frozen=True)
class Cap:
    """A cap that the layer was given, as a route's chain declares it."""

    kind: str
    cap_s: float
    setting: str


@dataclass(frozen=True)
class Server:
    """A layer that is measured through: its program, its caps, and how it is started."""

    name: str
    product: str
    program: Callable[[], str]  # where it is; raises `Missing`
    version: Callable[[], str]
    start: Callable[[Path, Upstreams], AbstractContextManager[Front]]
    caps: Sequence[Cap] = ()
    route: Mapping[str, Any] = field(default_factory=dict)  # what else its routes have
    is_gateway: bool = False  # it makes calls of its own: no id or header of ours gets through, a stream neither

    def chain(self) -> list[dict[str, object]]:
        """Its caps, as a scenario declares them."""
        return [
            {"layer": self.name, "product": self.product, "kind": one.kind, "cap_s": one.cap_s, "setting": one.setting}
            for one in self.caps
        ]


def both(kinds: Sequence[str], setting: str, cap_s: float = CAP_S) -> tuple[Cap, ...]:
    """One setting that counts in several ways."""
    return tuple(Cap(kind, cap_s, setting) for kind in kinds)


def version_of(pattern: str, *command: str) -> str:
    """The number that a program prints of itself."""
    found = re.search(pattern, first_line(*command))
    return found[1] if found else "?"


def url(port: int) -> str:
    """An address of loopback."""
    return f"http://127.0.0.1:{port}"
