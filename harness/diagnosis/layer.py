"""One cap of one layer, as the catalog knows it: its names, what its reply looks like, what it leaves behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

LayerClass = Literal[
    "browser", "cdn", "serverless", "load_balancer", "reverse_proxy", "gateway", "app_server", "queue", "sdk_client",
    "http_client", "os", "upstream",
]  # fmt: skip
Kind = Literal[
    "total",  # from the attempt's start, whatever flows
    "idle",  # between two bytes
    "first_byte",  # from the last byte sent to the first one back
    "connect",  # until the connection stands
    "request_read",  # while the request is received
    "cpu",  # computing time, not waiting
]
BytesReset = Literal["yes", "no", "unknown", "not_applicable"]
GoesOn = Literal["yes", "no", "never_reached", "unknown"]
CatalogGrade = Literal["measured", "documented", "reported"]

CLASSES: tuple[str, ...] = get_args(LayerClass)
KINDS: tuple[str, ...] = get_args(Kind)
BYTES_RESET: tuple[str, ...] = get_args(BytesReset)
GOES_ON: tuple[str, ...] = get_args(GoesOn)
GRADES: tuple[str, ...] = get_args(CatalogGrade)

HEAD_CHARS = 300  # of a body: what an event holds
CHAIN = " < "  # joins the names of an exception chain, outermost first
NOT_CONFIGURABLE = "(not configurable)"


@dataclass(frozen=True)
class Signature:
    """What a layer's own reply, or its cut, looks like. Every part that is given must match."""

    status: frozenset[int] = frozenset()  # empty: whatever it is, also none; 0: no answer came at all
    headers: Mapping[str, re.Pattern[str]] = field(default_factory=dict)  # lower-case name → in its value, any case
    body: re.Pattern[str] | None = None  # in the first 300 characters of what is neither JSON nor a stream
    error: re.Pattern[str] | None = None  # in type, code and message of a JSON error
    exception: re.Pattern[str] | None = None  # in the exception chain: class names and errno

    def matches(
        self, status: int | None, headers: Mapping[str, str], body_head: str, error_text: str, failure: str = ""
    ) -> bool:
        """Whether a reply, or a failure without one, bears this signature."""
        return (
            (not self.status or (status or 0) in self.status)
            and all(name in headers and pattern.search(headers[name]) for name, pattern in self.headers.items())
            and (self.body is None or _empty_or_there(body_head, error_text, self.body))
            and (self.error is None or self.error.search(error_text) is not None)
            and (self.exception is None or self.exception.search(failure) is not None)
        )

    def key(self) -> tuple[object, ...]:
        """Equal for signatures that no reply can tell apart."""
        texts = tuple(None if one is None else one.pattern for one in (self.body, self.error, self.exception))
        headers = tuple(sorted((name, one.pattern) for name, one in self.headers.items()))
        return (tuple(sorted(self.status)), headers, *texts)


def _empty_or_there(body_head: str, error_text: str, pattern: re.Pattern[str]) -> bool:
    """Whether the head of a body fits. The head of a JSON error is not kept, so that alone makes no empty body."""
    return not (not body_head and error_text) and pattern.search(body_head[:HEAD_CHARS]) is not None


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One cap of one layer. Fields are those of ``data/layers.yaml``; `docs/layers.md` says what each means."""

    id: str
    product: str
    layer_class: LayerClass  # `class` in the file
    title: str
    setting: str
    kinds: tuple[Kind, ...]
    default_s: float | None = None  # 0: known to be off
    defaults_seen_s: tuple[float, ...] = ()
    max_s: float | None = None
    early_s: float = (
        0.0  # how much before the cap it may fire: a timer that counts the turns of the wall clock's seconds
    )
    late_s: float = 0.0  # how much after the cap its cut may be seen: its timer's tick, or a close that it delays
    set_by: str | None = None
    signatures: tuple[Signature, ...] = ()  # any of them
    log: tuple[re.Pattern[str], ...] = ()
    after_headers: str | None = None
    bytes_reset_it: BytesReset = "unknown"
    backend_goes_on: GoesOn = "unknown"
    backend_note: str | None = None
    names_the_layer: bool = False
    first_move: str
    example: str | None = None
    confused_with: tuple[str, ...] = ()  # ids of other entries
    confused_with_others: tuple[str, ...] = ()  # look-alikes without an entry, in words
    told_apart_by: str | None = None
    grade: CatalogGrade = "reported"
    version: str | None = None
    source: tuple[str, ...] = ()
    note: str | None = None

    @property
    def is_cap(self) -> bool:
        """Whether a timer of its own can be behind it; else it only tells what its upstream did: refused, closed."""
        return bool(self.caps_s) or not self.setting.startswith("(")

    @property
    def caps_s(self) -> tuple[float, ...]:
        """The default and other values seen in the field, without those that mean off."""
        seen = {*self.defaults_seen_s} | ({self.default_s} if self.default_s is not None else set())
        return tuple(sorted(cap for cap in seen if cap > 0))
