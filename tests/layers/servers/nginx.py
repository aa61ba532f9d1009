"""nginx: proxy_read_timeout counts between two reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.process import find, free_ports, running
from tests.layers.server import Front, Server, Upstreams, both, url, version_of

CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_read_timeout 2s;
  server {{ listen 127.0.0.1:{live}; location / {{ proxy_pass http://127.0.0.1:{up.live}; }} }}
  server {{ listen 127.0.0.1:{dead}; location / {{ proxy_pass http://127.0.0.1:{up.dead}; }} }}
}}
"""


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:
    live, dead = free_ports(2)
    file = folder / "nginx.conf"
    file.write_text(CONFIG.format(folder=folder, live=live, dead=dead, up=up))
    command = [find("nginx"), "-e", f"{folder}/error.log", "-c", str(file)]
    with running(command, folder, (live, dead)):
        yield Front(url(live), url(dead), log=folder / "error.log")


LAYER = Server(
    name="nginx",
    product="nginx",
    program=lambda: find("nginx"),
    version=lambda: version_of(r"nginx/([\d.]+)", find("nginx"), "-v"),
    start=start,
    caps=both(("first_byte", "idle"), "proxy_read_timeout"),
)
