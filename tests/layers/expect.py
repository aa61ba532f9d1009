"""What is right to say of each layer in each situation: written by hand from how each was set up, not from verdicts.

A layer is named with the setting that gave up. Everything else is no cap: the upstream closed, refused or answered, or
nobody gave up and the image came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.layers.situations import SITUATIONS


@dataclass(frozen=True)
class Answer:
    """The right answer. `setting` is None where no layer of ours gave up."""

    product: str
    setting: str | None
    came: bool = False  # the image came after all


# Layer → (product, situation → the setting that gives up there; "" where the image comes).
GIVES_UP: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "nginx": ("nginx", {"silent": "proxy_read_timeout", "stall": "proxy_read_timeout", "drip": ""}),
    "haproxy": ("haproxy", {"silent": "timeout server", "stall": "timeout server", "drip": ""}),
    "apache": ("apache", {"silent": "ProxyTimeout", "stall": "ProxyTimeout", "drip": ""}),
    "caddy": ("caddy", {"silent": "response_header_timeout", "stall": "read_timeout", "drip": ""}),
    "envoy-route": ("envoy", dict.fromkeys(("silent", "stall", "drip"), "route.timeout")),
    "envoy-idle": ("envoy", {"silent": "stream_idle_timeout", "stall": "stream_idle_timeout", "drip": ""}),
    "envoy-longest": ("envoy", dict.fromkeys(("silent", "stall", "drip"), "max_stream_duration")),
    "varnish": ("varnish", {"silent": "first_byte_timeout", "stall": "between_bytes_timeout", "drip": ""}),
    "squid": ("squid", {"silent": "read_timeout", "stall": "read_timeout", "drip": ""}),
    "lighttpd": ("lighttpd", {"silent": "read-timeout", "stall": "read-timeout", "drip": ""}),
    # A WSGI worker writes its headers with the first byte of the body: its stall is silence to the client.
    "gunicorn-old": ("gunicorn", dict.fromkeys(("silent", "stall", "drip"), "--timeout")),
    "gunicorn-new": ("gunicorn", dict.fromkeys(("silent", "stall", "drip"), "--timeout")),
    "uvicorn": ("uvicorn", dict.fromkeys(("silent", "stall", "drip"), "")),
    "litellm": ("litellm", {"silent": "timeout", "stall": "timeout", "drip": ""}),
    "litellm-no-retries": ("litellm", {"silent": "timeout", "stall": "timeout", "drip": ""}),
    "chromium": ("browser", dict.fromkeys(("silent", "stall", "drip"), "AbortController")),
    "curl": ("curl", dict.fromkeys(("silent", "stall", "drip"), "--max-time")),
    "openai-python": ("openai_python", {"silent": "timeout", "stall": "timeout", "drip": ""}),
    "undici": ("node_fetch", {"silent": "headersTimeout", "stall": "bodyTimeout", "drip": ""}),
    "axios": ("axios", {"silent": "timeout", "stall": "timeout", "drip": ""}),
    # Its timeout ends with the headers: a stall after them is waited for.
    "openai-node": ("openai_node", {"silent": "timeout", "stall": "", "drip": ""}),
}


def answer(layer: str, situation: str) -> Answer:
    """What is right."""
    product, settings = GIVES_UP[layer]
    setting = settings.get(situation)
    return Answer(product, setting or None, came=setting == "")


# axios does not say when the headers came, so that nobody knows how long its clock had run; and its words for a cut of
# its own after them are those for anybody's. Without the other side's log that is no case for a name.
NOT_TOLD = {("axios", "stall")}


def attributable(layer: str) -> list[str]:
    """Situations in which this layer gives up, and a chain that declares it lets that be told."""
    return [name for name in SITUATIONS if answer(layer, name).setting is not None and (layer, name) not in NOT_TOLD]
