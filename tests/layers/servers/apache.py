"""Apache httpd with mod_proxy_http: ProxyTimeout counts between two reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.process import find, free_ports, running
from tests.layers.server import Front, Server, Upstreams, both, url, version_of

MODULES = Path("/usr/lib/apache2/modules")

CONFIG = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Mutex file:{folder} default
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
{user}
Listen 127.0.0.1:{live}
Listen 127.0.0.1:{dead}
ProxyTimeout 2
<VirtualHost 127.0.0.1:{live}>
  ProxyPass / http://127.0.0.1:{up.live}/ flushpackets=on
</VirtualHost>
<VirtualHost 127.0.0.1:{dead}>
  ProxyPass / http://127.0.0.1:{up.dead}/
</VirtualHost>
"""


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:
    live, dead = free_ports(2)
    file = folder / "apache.conf"
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    file.write_text(CONFIG.format(folder=folder, modules=MODULES, user=user, live=live, dead=dead, up=up))
    with running([find("apache2"), "-DFOREGROUND", "-f", str(file)], folder, (live, dead)):
        yield Front(url(live), url(dead), log=folder / "error.log")


LAYER = Server(
    name="apache",
    product="apache",
    program=lambda: find("apache2"),
    version=lambda: version_of(r"Apache/([\d.]+)", find("apache2"), "-v"),
    start=start,
    caps=both(("first_byte", "idle"), "ProxyTimeout"),
)
