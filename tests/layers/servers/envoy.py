"""Envoy, once for each of its three caps: the route's timeout, the stream's idle timeout, the longest stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.layers.process import find, free_ports, running
from tests.layers.server import Cap, Front, Server, Upstreams, url, version_of

PLACE = ROOT / ".layers" / "new" / "envoy" / "_bin"  # `make layers` puts it there


def program() -> str:
    """The binary that the wheel brings."""
    return find("envoy", PLACE)


def _listener(name: str, port: int, route: dict[str, Any], connections: dict[str, Any]) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.filters."
    manager = {
        "@type": f"{kind}network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{kind}http.router.v3.Router"}}
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": name,
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": name, **route}}],
                }
            ]
        },
        **connections,
    }
    return {
        "name": name,
        "address": _address(port),
        "filter_chains": [{"filters": [{"name": "envoy.http", "typed_config": manager}]}],
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _layer(name: str, cap: Cap, route: dict[str, Any], connections: dict[str, Any]) -> Server:
    @contextmanager
    def start(folder: Path, up: Upstreams) -> Iterator[Front]:
        live, dead = free_ports(2)
        config = {
            "static_resources": {
                "listeners": [
                    _listener("live", live, route, connections),
                    _listener("dead", dead, route, connections),
                ],
                "clusters": [_cluster("live", up.live), _cluster("dead", up.dead)],
            }
        }
        file = folder / "envoy.json"
        file.write_text(json.dumps(config))
        command = [program(), "-c", str(file), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
        with running(command, folder, (live, dead)) as said:
            yield Front(url(live), url(dead), log=said)

    return Server(
        name=name,
        product="envoy",
        program=program,
        version=lambda: version_of(r"/(\d+\.\d+\.\d+)/", program(), "--version"),
        start=start,
        caps=(cap,),
    )


OFF = {"timeout": "0s"}
LAYERS = (
    _layer("envoy-route", Cap("total", 2.0, "route.timeout"), {"timeout": "2s"}, {}),
    _layer(
        "envoy-idle",
        Cap("idle", 2.0, "http_connection_manager.stream_idle_timeout"),
        OFF,
        {"stream_idle_timeout": "2s"},
    ),
    _layer(
        "envoy-longest",
        Cap("total", 2.0, "common_http_protocol_options.max_stream_duration"),
        OFF,
        {"common_http_protocol_options": {"max_stream_duration": "2s"}},
    ),
)
