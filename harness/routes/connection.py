"""The stamped connections to a target, the same for every family that speaks over httpx."""

from __future__ import annotations

from harness.routes.base import Target
from harness.wire.transport import StampingTransport


def transport_to(target: Target) -> StampingTransport:
    """A transport of its own for a route: the target's address, trust, pool and receive path."""
    return StampingTransport(
        base_url=target.base_url,
        ca_file=target.ca_file,
        keepalive_s=target.keepalive_s,
        max_connections=target.max_connections,
        path=target.receive_path,
    )
