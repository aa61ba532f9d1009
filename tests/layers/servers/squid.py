"""Squid as a reverse proxy: read_timeout counts between two reads, and is looked at once a second."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.process import find, free_ports, running
from tests.layers.server import Front, Server, Upstreams, both, url, version_of

CONFIG = """
http_port 127.0.0.1:{live} accel defaultsite=api name=live
http_port 127.0.0.1:{dead} accel defaultsite=api name=dead
acl live myportname live
acl dead myportname dead
cache_peer 127.0.0.1 parent {up.live} 0 no-query originserver no-digest name=api
cache_peer 127.0.0.1 parent {up.dead} 0 no-query originserver no-digest name=nobody
cache_peer_access api allow live
cache_peer_access nobody allow dead
never_direct allow all
http_access allow all
cache deny all
cache_mem 8 MB
read_timeout 2 seconds
access_log none
cache_log stdio:{folder}/cache.log
pid_filename none
coredump_dir {folder}
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname rig
workers 1
{user}
"""


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:
    live, dead = free_ports(2)
    file = folder / "squid.conf"
    user = "cache_effective_user root" if os.geteuid() == 0 else ""
    file.write_text(CONFIG.format(folder=folder, user=user, live=live, dead=dead, up=up))
    with running([find("squid"), "-N", "-f", str(file)], folder, (live, dead)):
        yield Front(url(live), url(dead), log=folder / "cache.log")


LAYER = Server(
    name="squid",
    product="squid",
    program=lambda: find("squid"),
    version=lambda: version_of(r"Version ([\d.]+)", find("squid"), "-v"),
    start=start,
    caps=both(("first_byte", "idle"), "read_timeout"),
)
