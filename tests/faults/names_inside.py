"""Runs inside of a network of its own: a resolver that does as its names say, and one run against all of them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.faults.namespace import HERE, HERE6, NOWHERE6
from tests.run.killing import KEY_VARIABLE, embedded_api, environment, lines

SLOW_S = 0.5
SCALE = 100
CONNECT_S = 1.5  # our cap, of this machine's clock
A, AAAA = 1, 28
ZONE = {
    "plain": {A: HERE},
    "six": {AAAA: HERE6},
    "both": {A: HERE, AAAA: NOWHERE6},
    "hole": {AAAA: NOWHERE6},
    "slow": {A: HERE},
}
NAMES = (*ZONE, "gone", "mute")


def answer(query: bytes) -> bytes | None:
    """What this resolver says; None: nothing."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question, kind = query[12 : at + 5], int.from_bytes(query[at + 1 : at + 3], "big")
    name = labels[0]
    if name == "mute":
        return None
    if name == "slow":
        time.sleep(SLOW_S)
    known = ZONE.get(name)
    head = query[:2] + (b"\x81\x80" if known is not None else b"\x81\x83")  # NXDOMAIN
    value = (known or {}).get(kind)
    if value is None:
        return head + b"\0\1\0\0\0\0\0\0" + question
    data = socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, value)
    record = b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\0" + len(data).to_bytes(2, "big") + data
    return head + b"\0\1\0\1\0\0\0\0" + question + record


def resolver() -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def reply(query: bytes, peer: object) -> None:
        said = answer(query)
        if said is not None:
            server.sendto(said, peer)  # type: ignore[arg-type]

    def serve() -> None:
        while True:
            query, peer = server.recvfrom(2048)
            threading.Thread(target=reply, args=(query, peer), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def main() -> int:
    folder = Path(sys.argv[1])
    resolver()
    (folder / "6").mkdir()
    with embedded_api(folder, SCALE, host=HERE) as four, embedded_api(folder / "6", SCALE, host=HERE6) as six:
        ports = {name: four["direct"].rpartition(":")[2] for name in NAMES}
        ports["six"] = six["direct"].rpartition(":")[2]
        routes = "\n".join(
            f"  {name}: {{base_url: 'http://{name}.faults.test:{port}', owner: openai, api_key_env: {KEY_VARIABLE}}}"
            for name, port in ports.items()
        )
        file = folder / "names.yaml"
        file.write_text(
            "name: names\nwhy: Every way in which a name can fail.\nprompts: [A red apple]\n"
            f"routes:\n{routes}\ndefaults: {{size: 1024x1024, quality: low}}\n"
            f"matrix: {{route: [{', '.join(NAMES)}]}}\ntimeouts: {{connect: {CONNECT_S * SCALE:g}s}}\n"
            "load: {concurrency: 8}\nbudget: {jobs: 20}\n"
        )
        command = [sys.executable, "-m", "harness", "run", str(file), "--out", str(folder / "run"), "--quiet", "--yes"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "--time-scale", str(SCALE)], env=environment(), capture_output=True, text=True, check=False
        )
        took_s = time.monotonic() - began
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    events = {one["route"]: one for one in lines(folder / "run" / "events.jsonl")}
    print(json.dumps({"events": events, "took_s": took_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
