"""One module a layer; the list of them."""

from __future__ import annotations

from tests.layers.server import Server
from tests.layers.servers import (
    apache,
    caddy,
    chromium,
    envoy,
    gunicorn,
    haproxy,
    lighttpd,
    litellm,
    nginx,
    squid,
    uvicorn,
    varnish,
)

SERVERS: tuple[Server, ...] = (
    nginx.LAYER,
    haproxy.LAYER,
    apache.LAYER,
    caddy.LAYER,
    *envoy.LAYERS,
    varnish.LAYER,
    squid.LAYER,
    lighttpd.LAYER,
    *gunicorn.LAYERS,
    uvicorn.LAYER,
    *litellm.LAYERS,
    chromium.LAYER,
)
