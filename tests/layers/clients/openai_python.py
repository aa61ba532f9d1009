"""The official client for Python: timeout= counts between two reads, and connecting apart."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import openai

from harness.events import Ended
from harness.wire.failures import exception_chain
from tests.layers.client import Calls, Client, Told
from tests.layers.clients.curl import msg
from tests.layers.server import both


def call(folder: Path, calls: Calls) -> Sequence[Told]:  # noqa: ARG001
    """A client and a thread for each situation. Making one takes a quarter of a second, no part of the call."""
    plans = calls.plan()
    made = [openai.OpenAI(api_key=calls.key, base_url=one["base"], timeout=2.0, max_retries=0) for one in plans]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(_one, made, plans))


def _one(made: openai.OpenAI, plan: dict[str, Any]) -> Told:
    came: list[float] = []
    status, headers, error, image = None, {}, None, False
    names: tuple[str, ...] = ()
    ended: Ended = "complete"
    began = time.monotonic()

    def now() -> float:
        return (time.monotonic() - began) * 1000

    with made as client:
        try:
            with client.images.with_streaming_response.generate(extra_headers=plan["headers"], **plan["body"]) as reply:
                came.append(now())
                status, headers = reply.status_code, dict(reply.headers)
                text = b""
                for piece in reply.iter_bytes():
                    came.append(now())
                    text += piece
                image = b"b64_json" in text
        except openai.APIStatusError as refused:
            came.append(now())
            status, headers, error = refused.status_code, dict(refused.response.headers), refused.body
        except openai.APITimeoutError as failed:
            names, ended = exception_chain(failed), "local_cap"
        except Exception as failed:  # noqa: BLE001 - whatever it raises is what is to be looked at
            names = exception_chain(failed)
            text_of = " ".join(names)
            ended = "connect_failed" if "ConnectError" in text_of else "remote_closed"
            ended = "local_cap" if "ReadTimeout" in text_of else ended
    gaps = [after - before for before, after in zip([0.0, *came], [*came, now()], strict=True)]
    return Told(
        situation=plan["situation"],
        client_request_id=plan["headers"]["x-client-request-id"],
        ended=ended,
        names=names,
        status=status,
        headers=headers,
        error=msg(error if isinstance(error, dict) else None),
        headers_at_ms=came[0] if came else None,
        last_byte_at_ms=came[-1] if came else None,
        longest_silence_ms=max(gaps) if ended != "connect_failed" else None,
        ended_at_ms=now(),
        image=image and not names,
    )


CLIENT = Client(
    name="openai-python",
    product="openai_python",
    program=lambda: sys.executable,
    version=lambda: version("openai"),
    call=call,
    caps=both(("first_byte", "idle"), "OpenAI(timeout=)"),
)
