"""Varnish: first_byte_timeout, then between_bytes_timeout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.process import find, free_ports, running
from tests.layers.server import Cap, Front, Server, Upstreams, url, version_of

CONFIG = """
vcl 4.1;
backend live {{
  .host = "127.0.0.1"; .port = "{up.live}"; .first_byte_timeout = 2s; .between_bytes_timeout = 2s;
}}
backend dead {{ .host = "127.0.0.1"; .port = "{up.dead}"; }}
sub vcl_recv {{
  if (local.socket == "dead") {{ set req.backend_hint = dead; }} else {{ set req.backend_hint = live; }}
  return (pass);
}}
"""


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:
    live, dead = free_ports(2)
    file = folder / "default.vcl"
    file.write_text(CONFIG.format(up=up))
    command = [find("varnishd"), "-F", "-j", "none", "-n", str(folder / "work"), "-f", str(file), "-s", "malloc,32m"]
    command += ["-a", f"live=127.0.0.1:{live}", "-a", f"dead=127.0.0.1:{dead}", "-T", "none"]
    with running(command, folder, (live, dead)) as said:
        yield Front(url(live), url(dead), log=said)


LAYER = Server(
    name="varnish",
    product="varnish",
    program=lambda: find("varnishd"),
    version=lambda: version_of(r"varnish-([\d.]+)", find("varnishd"), "-V"),
    start=start,
    caps=(Cap("first_byte", 2.0, "first_byte_timeout"), Cap("idle", 2.0, "between_bytes_timeout")),
)
