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
cache_peer 127.0.0.1 parent {up.live} 0 no-query originserver no-digest login=PASS name=api
cache_peer 127.0.0.1 parent {up.dead} 0 no-query originserver no-digest login=PASS name=nobody
cache_peer_access api allow live
cache_peer_access nobody allow dead
never_direct allow all
http_access allow all
cache deny all
cache_mem 8 MB
read_timeout 2 seconds
access_log none
cache_log /dev/null
pid_filename none
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
    # It will not work as root, and then may not look into a folder of root's: it writes no file at all.
    user = "cache_effective_user proxy" if os.geteuid() == 0 else ""
    file.write_text(CONFIG.format(user=user, live=live, dead=dead, up=up))
    with running([find("squid"), "-N", "-n", f"rig{live}", "-d", "1", "-f", str(file)], folder, (live, dead)) as said:
        yield Front(url(live), url(dead), log=said)


LAYER = Server(
    name="squid",
    product="squid",
    program=lambda: find("squid"),
    version=lambda: version_of(r"Version ([\d.]+)", find("squid"), "-v"),
    start=start,
    caps=both(("first_byte", "idle"), "read_timeout"),
)
