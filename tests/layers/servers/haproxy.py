"""HAProxy: `timeout server` counts the upstream's silence.

Without http-no-delay it holds headers back for 0.2 s when a body is to follow (MSG_MORE), and a stall looks shorter to
the client than it was. Of a cap of a minute that is nothing; of two seconds it is a tenth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.process import find, free_ports, running
from tests.layers.server import Front, Server, Upstreams, both, url, version_of

CONFIG = """
global
  maxconn 256
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option http-no-delay
  timeout connect 1s
  timeout client 60s
  timeout server 2s
listen live
  bind 127.0.0.1:{live}
  server api 127.0.0.1:{up.live}
listen dead
  bind 127.0.0.1:{dead}
  server api 127.0.0.1:{up.dead}
"""


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:
    live, dead = free_ports(2)
    file = folder / "haproxy.cfg"
    file.write_text(CONFIG.format(live=live, dead=dead, up=up))
    with running([find("haproxy"), "-db", "-f", str(file)], folder, (live, dead)) as said:
        yield Front(url(live), url(dead), log=said)


LAYER = Server(
    name="haproxy",
    product="haproxy",
    program=lambda: find("haproxy"),
    version=lambda: version_of(r"version ([\d.]+)", find("haproxy"), "-v"),
    start=start,
    caps=both(("first_byte", "idle"), "timeout server"),
)
