"""Runs inside of a network of its own: Squid as the environment's proxy, and the embedded API with and without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme

from tests.faults.namespace import HERE
from tests.run.killing import KEY_VARIABLE, embedded_api, environment, lines

SCALE = 100
OTHER = "10.99.0.2"  # the same machine by another address: NO_PROXY names it
OPEN, LOCKED = 3128, 3129
PASSWORD = "sword%66ish"  # as it stands in an address

CONFIG = """
http_port 127.0.0.1:{open} name=open
http_port 127.0.0.1:{locked} name=locked
auth_param basic program /bin/sh {folder}/check
acl locked myportname locked
acl known proxy_auth REQUIRED
http_access deny locked !known
http_access allow all
cache deny all
cache_mem 8 MB
logformat short %>lp %rm %ru %>Hs
access_log stdio:{log} short
cache_log /dev/null
pid_filename none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname rig
workers 1
{user}
"""


def secured(port: int, context: ssl.SSLContext) -> int:
    """TLS in front of a port: what comes is deciphered and passed on. The new port."""
    ready: list[int] = []

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(HERE, port)
        await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))

    async def go() -> None:
        server = await asyncio.start_server(serve, HERE, 0, ssl=context)
        ready.append(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    threading.Thread(target=asyncio.run, args=(go(),), daemon=True).start()
    while not ready:
        time.sleep(0.01)
    return ready[0]


@contextlib.contextmanager
def squid(folder: Path) -> Iterator[None]:
    # Squid gives up being root, and then may not write where root may.
    log = folder / "squid"
    log.mkdir()
    log.chmod(0o777)
    for above in (folder, *folder.parents[:3]):
        with contextlib.suppress(PermissionError):
            above.chmod(above.stat().st_mode | 0o011)
    (folder / "check").write_text('while read name password; do [ "$name $password" = "me swordfish" ] && echo OK || '
                                  "echo ERR; done\n")  # fmt: skip
    (folder / "check").chmod(0o755)
    config = folder / "squid.conf"
    config.write_text(
        CONFIG.format(
            open=OPEN, locked=LOCKED, folder=folder, log=log / "access.log", user="cache_effective_user proxy"
        )
    )
    program = shutil.which("squid") or ""
    command = [program, "-N", "-n", "rigproxy", "-d", "1", "-f", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", LOCKED)):
                break
            time.sleep(0.05)
        yield
    finally:
        process.kill()  # it writes its log line by line, and takes its time to end by itself
        process.wait()


def run(folder: Path, name: str, file: Path, env: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "harness", "run", str(file), "--out", str(folder / name), "--quiet", "--yes"]
    done = subprocess.run([*command, "--time-scale", str(SCALE)], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return {one["route"]: one for one in lines(folder / name / "events.jsonl")}


def main() -> int:
    folder = Path(sys.argv[1])
    subprocess.run(["ip", "address", "add", f"{OTHER}/32", "dev", "lo"], check=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HERE).configure_cert(context)
    # On every address of this network: the same API is reached by two of them.
    with squid(folder), embedded_api(folder, SCALE, host="0.0.0.0") as entries:
        port = int(entries["direct"].rpartition(":")[2].partition("/")[0])
        urls = {
            "plain": f"http://{HERE}:{port}/v1",
            "secure": f"https://{HERE}:{secured(port, context)}/v1",
            "direct": f"http://{OTHER}:{port}/v1",
        }
        routes = "\n".join(
            f"  {name}: {{base_url: '{url}', owner: openai, api_key_env: {KEY_VARIABLE}, ca_file: {folder}/ca.pem}}"
            for name, url in urls.items()
        )
        file = folder / "proxies.yaml"
        file.write_text(
            "name: proxies\nwhy: What the environment's proxies carry.\nprompts: [A red apple]\n"
            f"routes:\n{routes}\ndefaults: {{size: 1024x1024, quality: low}}\n"
            f"matrix: {{route: [{', '.join(urls)}]}}\ntimeouts: {{connect: {5 * SCALE}s}}\nbudget: {{jobs: 20}}\n"
        )
        clean = {name: value for name, value in environment().items() if not name.lower().endswith("_proxy")}
        told = {
            "good": run(folder, "good", file, {
                **clean, "HTTP_PROXY": f"http://127.0.0.1:{OPEN}", "NO_PROXY": OTHER,
                "HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:{LOCKED}",
            }),
            "refused": run(folder, "refused", file, {
                **clean, "ALL_PROXY": f"http://me:wrong@127.0.0.1:{LOCKED}", "NO_PROXY": f"{OTHER},{HERE}:{port}",
            }),
        }  # fmt: skip
    truth = lines(folder / "truth.jsonl")
    log = (folder / "squid" / "access.log").read_text().splitlines()
    print(json.dumps({**told, "urls": urls, "truth": truth, "log": [line.split() for line in log]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
