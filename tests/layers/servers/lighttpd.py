"""lighttpd: read-timeout of mod_proxy, which fires at about twice what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.process import find, free_ports, running
from tests.layers.server import Front, Server, Upstreams, both, url, version_of

CONFIG = """
server.document-root = "{folder}"
server.errorlog = "{folder}/error.log"
server.modules = ("mod_proxy")
server.bind = "127.0.0.1"
server.port = {live}
server.stream-response-body = 2
$SERVER["socket"] == "127.0.0.1:{live}" {{
  proxy.server = ("" => (("host" => "127.0.0.1", "port" => {up.live}, "read-timeout" => 2)))
}}
$SERVER["socket"] == "127.0.0.1:{dead}" {{
  proxy.server = ("" => (("host" => "127.0.0.1", "port" => {up.dead}, "read-timeout" => 2)))
}}
"""


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:
    live, dead = free_ports(2)
    file = folder / "lighttpd.conf"
    file.write_text(CONFIG.format(folder=folder, live=live, dead=dead, up=up))
    with running([find("lighttpd"), "-D", "-f", str(file)], folder, (live, dead)):
        yield Front(url(live), url(dead), log=folder / "error.log")


LAYER = Server(
    name="lighttpd",
    product="lighttpd",
    program=lambda: find("lighttpd"),
    version=lambda: version_of(r"lighttpd/([\d.]+)", find("lighttpd"), "-v"),
    start=start,
    caps=both(("first_byte", "idle"), "read-timeout"),
)
