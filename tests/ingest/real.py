"""Real proxies with their access logs on, in front of the embedded API: what they write of faults that are planted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from harness.simulator.process import Running, spawn
from tests.layers import backend
from tests.layers.process import Missing, dead_port, find, free_ports, running
from tests.layers.rig import KEY, SHAPE, port_of, prepare, settle, world
from tests.layers.servers import envoy as envoy_layer
from tests.layers.situations import FAULT_HEADER

CAP_S = 2.0
LEAVES_AFTER_S = 1.0
MADE_AFTER_S = 6.0
# Name → fault of the embedded API. "left": the client goes; "refused": nobody listens behind the proxy.
PLANTED: Mapping[str, str | None] = {
    "healthy": None,
    "silent": "delay;s=6",
    "left": "delay;s=6",
    "closed": "cut;after=silence;s=0.3",
    "own-504": "504",
    "stall": "stall;s=8",
    "refused": None,
}

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
  log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" rt=$request_time uct=$upstream_connect_time uht=$upstream_header_time '
    'urt=$upstream_response_time us=$upstream_status rid=$request_id crid=$http_x_client_request_id '
    'up_rid=$upstream_http_x_request_id';
  log_format json escape=json '{{"time_iso8601":"$time_iso8601","msec":"$msec","remote_addr":"$remote_addr",'
    '"request_method":"$request_method","request_uri":"$request_uri","status":"$status",'
    '"body_bytes_sent":"$body_bytes_sent","request_time":"$request_time",'
    '"upstream_connect_time":"$upstream_connect_time","upstream_header_time":"$upstream_header_time",'
    '"upstream_response_time":"$upstream_response_time","upstream_status":"$upstream_status",'
    '"request_id":"$request_id","http_x_client_request_id":"$http_x_client_request_id"}}';
  access_log {folder}/access.log timed;
  access_log {folder}/access.json json;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_http_version 1.1;
  proxy_read_timeout 2s;
  server {{ listen 127.0.0.1:{live}; location / {{ proxy_pass http://127.0.0.1:{api}; }} }}
  server {{ listen 127.0.0.1:{dead}; location / {{ proxy_pass http://127.0.0.1:{nobody}; }} }}
}}
"""

HAPROXY = """
global
  maxconn 64
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option http-no-delay
  option abortonclose
  timeout connect 1s
  timeout client 60s
  timeout server 2s
listen live
  bind 127.0.0.1:{live}
  capture request header X-Client-Request-Id len 64
  capture response header X-Request-Id len 64
  server api 127.0.0.1:{api}
listen dead
  bind 127.0.0.1:{dead}
  capture request header X-Client-Request-Id len 64
  server api 127.0.0.1:{nobody}
"""

CADDY = """
{{
  admin off
  auto_https off
}}
(api) {{
  log
  reverse_proxy {{args.0}} {{
    transport http {{
      response_header_timeout 2s
      read_timeout 2s
      keepalive off
    }}
  }}
}}
http://127.0.0.1:{live} {{
  import api 127.0.0.1:{api}
}}
http://127.0.0.1:{dead} {{
  import api 127.0.0.1:{nobody}
}}
"""


@dataclass(frozen=True)
class Told:
    """`logs`: name of a log → its file. `ids`: (proxy, what was planted) → the client's id of that request."""

    logs: Mapping[str, Path]
    ids: Mapping[tuple[str, str], str]
    backends: Mapping[str, Path]  # proxy → the embedded API's own record of what came through it
    mapping: Path  # of that record


MAPPING = """
side: upstream
writer: our-api
fields:
  started_at_s: received_at
  duration_ms: {from: took_s, unit: s}
  status: status
  client_request_id: client_request_id
  finished: finished
"""


@contextmanager
def _nginx(folder: Path, ports: Mapping[str, int]) -> Iterator[None]:
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, **ports))
    command = [find("nginx"), "-e", f"{folder}/error.log", "-c", str(file)]
    with running(command, folder, (ports["live"], ports["dead"])):
        yield


@contextmanager
def _haproxy(folder: Path, ports: Mapping[str, int]) -> Iterator[None]:
    file = folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(**ports))
    with running([find("haproxy"), "-db", "-f", str(file)], folder, (ports["live"], ports["dead"])):
        yield


@contextmanager
def _caddy(folder: Path, ports: Mapping[str, int]) -> Iterator[None]:
    (folder / "Caddyfile").write_text(CADDY.format(**ports))
    command = [find("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with running(command, folder, (ports["live"], ports["dead"]), env=home):
        yield


_ENVOY_FIELDS = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "x_client_request_id": "%REQ(X-CLIENT-REQUEST-ID)%",
}


@contextmanager
def _envoy(folder: Path, ports: Mapping[str, int]) -> Iterator[None]:
    kind = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
    logs = {
        "access_log": [
            {"name": "text", "typed_config": {"@type": kind, "path": f"{folder}/access.log"}},
            {
                "name": "json",
                "typed_config": {
                    "@type": kind,
                    "path": f"{folder}/access.json",
                    "log_format": {"json_format": _ENVOY_FIELDS},
                },
            },
        ]
    }
    route = {"timeout": "2s"}
    listeners = [envoy_layer._listener(name, ports[name], route, logs) for name in ("live", "dead")]
    clusters = [envoy_layer._cluster("live", ports["api"]), envoy_layer._cluster("dead", ports["nobody"])]
    file = folder / "envoy.json"
    file.write_text(json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}}))
    command = [envoy_layer.program(), "-c", str(file), "--disable-hot-restart", "--concurrency", "1"]
    with running([*command, "--log-level", "warning"], folder, (ports["live"], ports["dead"])):
        yield


_PROXIES = {"nginx": _nginx, "haproxy": _haproxy, "caddy": _caddy, "envoy": _envoy}
_LOGS = {
    "nginx": {"nginx": "access.log", "nginx-json": "access.json"},
    "haproxy": {"haproxy": "output.log"},
    "caddy": {"caddy": "output.log"},
    "envoy": {"envoy": "access.log", "envoy-json": "access.json"},
}


def _there() -> list[str]:
    found = ["nginx", "haproxy", "caddy"]
    with suppress(Missing):
        envoy_layer.program()
        found.append("envoy")
    return found


def observe(folder: Path, healthy: int = 3) -> Told:
    """Ask through every proxy in every planted situation, at once. Takes about as long as the slowest fault."""
    record = folder / "truth.jsonl"
    ids: dict[tuple[str, str], str] = {}
    logs: dict[str, Path] = {}
    with ExitStack() as stack:
        nobody = stack.enter_context(dead_port())
        sim = stack.enter_context(spawn(world(), log=record))
        prepare(sim)
        asked: list[tuple[str, str, str, int]] = []
        for proxy in _there():
            home = folder / proxy
            home.mkdir()
            live, dead = free_ports(2)
            ports = {"live": live, "dead": dead, "api": port_of(sim.entries["direct"]), "nobody": nobody}
            stack.enter_context(_PROXIES[proxy](home, ports))
            logs |= {name: home / file for name, file in _LOGS[proxy].items()}
            for planted in [*PLANTED, *(f"healthy-{number}" for number in range(2, healthy + 1))]:
                ids[proxy, planted] = str(uuid4())
                asked.append((planted, ids[proxy, planted], proxy, dead if planted == "refused" else live))
        _all_at_once([one for one in asked if one[0].startswith("healthy")], sim)
        began = time.monotonic()
        _all_at_once([one for one in asked if not one[0].startswith("healthy")], None)
        # The work behind those who left is done well after they did, so that coarse clocks show it too.
        time.sleep(max(0.0, MADE_AFTER_S - (time.monotonic() - began)))
        settle(sim)
        time.sleep(0.3)  # Envoy writes its file when it has time
    records = backend.records(record)
    backends = {proxy: folder / f"{proxy}-api.jsonl" for proxy in {proxy for proxy, _ in ids}}
    for proxy, theirs in backends.items():
        own = {client_request_id for (one, _), client_request_id in ids.items() if one == proxy}
        lines = [json.dumps(_logged(one)) + "\n" for one in records if one["client_request_id"] in own]
        theirs.write_text("".join(lines), encoding="utf-8")
    mapping = folder / "mapping.yaml"
    mapping.write_text(MAPPING, encoding="utf-8")
    return Told(logs, ids, backends, mapping)


def _all_at_once(asked: Sequence[tuple[str, str, str, int]], sim: Running | None) -> None:
    """Ask all of it; with `sim`, the API's clock is advanced until all is answered: pictures take many seconds."""
    with ThreadPoolExecutor(len(asked)) as pool:
        waiting = [pool.submit(_ask, *one) for one in asked]
        while sim is not None and not all(one.done() for one in waiting):
            settle(sim)
        for one in waiting:
            one.result()


def _ask(planted: str, client_request_id: str, proxy: str, port: int) -> None:
    fault = PLANTED[planted.split("-")[0] if planted.startswith("healthy") else planted]
    headers = {"authorization": f"Bearer {KEY}", "x-client-request-id": client_request_id}
    if fault is not None:
        headers[FAULT_HEADER] = fault
    body = {"model": "gpt-image-2", "prompt": f"A red apple for {proxy}", "stream": planted == "stall", **SHAPE}
    address = f"http://127.0.0.1:{port}/v1/images/generations"
    with suppress(httpx.HTTPError):
        httpx.post(address, json=body, headers=headers, timeout=LEAVES_AFTER_S if planted == "left" else 60)


def _logged(one: Mapping[str, Any]) -> dict[str, Any]:
    """A line of somebody's backend log: when, how long, and whether it was made."""
    done = one["response_end_ns"] or one["made_ns"]
    took_s = None if done is None else round((done - one["received_ns"]) / 1e9, 4)
    return {name: one[name] for name in ("client_request_id", "received_at", "status", "finished")} | {"took_s": took_s}
