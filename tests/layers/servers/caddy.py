"""Caddy: response_header_timeout until the headers, read_timeout between two reads after them.

Connections to the upstream are not kept: on one that is used again, read_timeout runs on from the last read before the
request (Caddy 2.6.2), so that a cap of 2 s was seen to answer 504 after 0.6 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.process import find, free_ports, running
from tests.layers.server import Cap, Front, Server, Upstreams, url, version_of

CONFIG = """
{{
  admin off
  auto_https off
}}
(api) {{
  reverse_proxy {{args.0}} {{
    flush_interval -1
    transport http {{
      response_header_timeout 2s
      read_timeout 2s
      keepalive off
    }}
  }}
}}
http://127.0.0.1:{live} {{
  import api 127.0.0.1:{up.live}
}}
http://127.0.0.1:{dead} {{
  import api 127.0.0.1:{up.dead}
}}
"""


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:
    live, dead = free_ports(2)
    (folder / "Caddyfile").write_text(CONFIG.format(live=live, dead=dead, up=up))
    command = [find("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with running(command, folder, (live, dead), env=home) as said:
        yield Front(url(live), url(dead), log=said)


LAYER = Server(
    name="caddy",
    product="caddy",
    program=lambda: find("caddy"),
    version=lambda: version_of(r"v?(\d[\d.]+)", find("caddy"), "version"),
    start=start,
    caps=(Cap("first_byte", 2.0, "response_header_timeout"), Cap("idle", 2.0, "read_timeout")),
)
