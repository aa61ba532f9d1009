"""`harness rate` as a process of its own that serves a page, for tests."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Served:
    address: str
    process: subprocess.Popen[str]

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def ask(
        self, path: str = "", *, method: str = "GET", body: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; headers that are given replace those of a page of this server."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        own = {"host": self.host} | (
            {"origin": f"http://{self.host}", "content-type": "application/json"} if method == "POST" else {}
        )
        sent = {name: value for name, value in (own | given).items() if value}
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            connection.putrequest(method, self.path + path, skip_host=True)
            for name, value in (sent | {"content-length": str(len(body))}).items():
                connection.putheader(name, value)
            connection.endheaders(body.encode())
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@contextmanager
def serving(run: Path, *args: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "rate", str(run), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stderr.read()
        yield Served(found[0], process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()
        process.stderr.close()
