"""curl --max-time: the whole call, whatever arrives."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.events import ApiError, Ended
from tests.layers.client import Calls, Client, Told
from tests.layers.process import find
from tests.layers.server import Cap, version_of

# Exit codes and their names in libcurl.
CODES: dict[int, tuple[str, Ended]] = {
    7: ("CURLE_COULDNT_CONNECT", "connect_failed"),
    18: ("CURLE_PARTIAL_FILE", "remote_closed"),
    28: ("CURLE_OPERATION_TIMEDOUT", "local_cap"),
    52: ("CURLE_GOT_NOTHING", "remote_closed"),
    56: ("CURLE_RECV_ERROR", "remote_closed"),
}


def call(folder: Path, calls: Calls) -> Sequence[Told]:
    """One process for each situation."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda plan: _one(folder, calls, plan), calls.plan()))


def _one(folder: Path, calls: Calls, plan: dict[str, Any]) -> Told:
    name = plan["situation"]
    body, headers = folder / f"{name}.body", folder / f"{name}.headers"
    sent = {**plan["headers"], "content-type": "application/json", "authorization": f"Bearer {calls.key}"}
    command = [find("curl"), "--silent", "--max-time", "2", "--no-buffer", "--output", str(body)]
    command += ["--dump-header", str(headers), "--write-out", "%{json}", "--data", json.dumps(plan["body"])]
    for key, value in sent.items():
        command += ["--header", f"{key}: {value}"]
    done = subprocess.run(
        [*command, f"{plan['base']}/images/generations"], capture_output=True, text=True, timeout=60, check=False
    )
    said = json.loads(done.stdout)
    code, ended = CODES[done.returncode] if done.returncode else (None, "complete")
    text = body.read_bytes() if body.exists() else b""
    status = said["http_code"] or None
    error = json.loads(text)["error"] if ended == "complete" and (status or 0) >= 400 else None
    # Headers are the first bytes. Of the rest curl says how many came, and not when.
    first = said["time_starttransfer"] * 1000 if status else None
    total = said["time_total"] * 1000
    quiet = max(first or 0.0, total - (first or 0.0)) if not said["size_download"] else None
    return Told(
        situation=name,
        client_request_id=plan["headers"]["x-client-request-id"],
        ended=ended,
        names=(code,) if code else (),
        status=status,
        headers=_headers(headers),
        error=msg(error),
        headers_at_ms=first,
        last_byte_at_ms=first if not said["size_download"] else None,
        longest_silence_ms=quiet if ended != "connect_failed" else None,
        ended_at_ms=total,
        bytes_down=said["size_download"] + said["size_header"],
        image=ended == "complete" and status == 200 and b"b64_json" in text,
    )


def msg(error: dict[str, Any] | None) -> ApiError | None:
    """The API's words, where it refused."""
    if error is None:
        return None
    return ApiError(type=error.get("type"), code=error.get("code"), message=error.get("message"))


def _headers(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="latin-1").splitlines() if file.exists() else []
    return {name.lower(): value.strip() for name, found, value in (line.partition(":") for line in lines) if found}


CLIENT = Client(
    name="curl",
    product="curl",
    program=lambda: find("curl"),
    version=lambda: version_of(r"curl ([\d.]+)", find("curl"), "--version"),
    call=call,
    caps=(Cap("total", 2.0, "--max-time"),),
)
