"""Both reproductions are real: they parse, they run, and what they send is the packet's shape."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest

from harness.diagnosis.model import JobVerdict
from harness.packet import EscalationPacket, extract
from harness.packet.prompts import LENGTHS, SENTENCES, synthetic
from harness.packet.repro import fields, python_script, shell_script
from harness.packet.vocabulary import Complexity, PromptBucket, prompt_bucket

from .builder import API_ID, event, write_run

KEY = "test-key-7"
SSE = b'event: image_generation.completed\ndata: {"type":"image_generation.completed","b64_json":"aGk="}\n\n'


class Recorder(BaseHTTPRequestHandler):
    """Answers every POST and keeps it."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str], bytes]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        stream = b'"stream": true' in body or b'"stream":true' in body
        answer = SSE if stream else b'{"created": 1, "data": [{"b64_json": "aGk="}]}'
        self.send_response(self.status)
        self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        self.send_header("x-request-id", API_ID)
        self.send_header("openai-organization", "falcon-motors")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Recorder]]]:
    handler = type("Once", (Recorder,), {"seen": [], "status": 200})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", handler
        http.shutdown()
        thread.join()


def packet_of(tmp_path: Path, **more: Any) -> EscalationPacket:
    said = [JobVerdict(job_id="j", verdict="long_model_wait")]
    return extract(write_run(tmp_path / "run", jobs=[event("j", **more)], said=said))


def run(kind: str, packet: EscalationPacket, tmp_path: Path, base: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / f"repro.{kind}"
    script.write_text(shell_script(packet) if kind == "sh" else python_script(packet))
    environ = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": base, "NO_PROXY": "*",
               "OPENAI_RESPONSES_MODEL": "gpt-5"}  # fmt: skip
    command = ["bash", str(script)] if kind == "sh" else [sys.executable, str(script)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


SHAPES: dict[str, dict[str, Any]] = {
    "json": {},
    "stream": {"stream": True, "partial_images": 2, "n": 3, "background": "opaque", "moderation": "low"},
    "strangers": {"model": "falcon-deployment", "quality": "ultra", "size": "huge", "output_format": "tiff"},
    "long prompt": {"prompt_chars": 5000, "prompt_complexity": "simple", "size": "auto"},
}


@pytest.mark.parametrize("kind", ["sh", "py"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_sent_is_the_packets_shape(
    kind: str, shape: str, tmp_path: Path, server: tuple[str, type[Recorder]]
) -> None:
    base, handler = server
    packet = packet_of(tmp_path, **SHAPES[shape])
    done = run(kind, packet, tmp_path, base)
    assert done.returncode == 0, done.stderr
    [(path, headers, body)] = handler.seen
    assert path == "/v1/images/generations"
    asked = packet.request
    prompt = synthetic(asked.prompt_length, asked.prompt_complexity)
    model = "gpt-image-2" if asked.model == "other" else asked.model
    assert json.loads(body) == {"model": model, "prompt": prompt, **fields(packet)}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert f"x-request-id: {API_ID}" in done.stdout
    assert "http_status=200" in done.stdout
    assert KEY not in done.stdout
    assert "falcon" not in done.stdout
    wanted = ["time_namelookup=", "time_connect=", "time_appconnect=", "time_starttransfer=", "time_total="]
    assert all(one in done.stdout for one in (wanted if kind == "sh" else ["headers_at_s=", "body_end_at_s="]))
    if kind == "py" and asked.stream:
        assert "event image_generation.completed_at_s=" in done.stdout


@pytest.mark.parametrize("kind", ["sh", "py"])
def test_an_edit_sends_as_many_images_of_about_the_same_size(
    kind: str, tmp_path: Path, server: tuple[str, type[Recorder]]
) -> None:
    base, handler = server
    packet = packet_of(tmp_path, endpoint="/v1/images/edits", reference_images=2, reference_bytes=400_000)
    done = run(kind, packet, tmp_path, base)
    assert done.returncode == 0, done.stderr
    [(path, headers, body)] = handler.seen
    assert path == "/v1/images/edits"
    raw = b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body
    parts = list(email.message_from_bytes(raw, policy=email.policy.HTTP).iter_parts())
    images = [part.get_payload(decode=True) for part in parts if part.get_filename()]
    sent = {p.get_param("name", header="content-disposition"): p.get_payload() for p in parts if not p.get_filename()}
    assert len(images) == 2
    assert all(
        isinstance(one, bytes) and one.startswith(b"\x89PNG") and abs(len(one) - 200_000) < 6000 for one in images
    )
    expected = {name: str(value) for name, value in fields(packet).items()}
    prompt = synthetic(packet.request.prompt_length, packet.request.prompt_complexity)
    assert sent == {"model": "gpt-image-2", "prompt": prompt, **expected}


@pytest.mark.parametrize("kind", ["sh", "py"])
def test_a_responses_route_calls_the_image_tool(kind: str, tmp_path: Path, server: tuple[str, type[Recorder]]) -> None:
    base, handler = server
    packet = packet_of(tmp_path, endpoint="/v1/responses", stream=True, partial_images=1)
    done = run(kind, packet, tmp_path, base)
    assert done.returncode == 0, done.stderr
    [(path, _, body)] = handler.seen
    sent = json.loads(body)
    assert path == "/v1/responses"
    assert (sent["model"], sent["stream"]) == ("gpt-5", True)
    [tool] = sent["tools"]
    assert (tool["type"], tool["model"], tool["partial_images"], tool["size"]) == (
        "image_generation", "gpt-image-2", 1, "2048x2048",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["sh", "py"])
def test_a_failure_is_told_once_and_not_repeated(kind: str, tmp_path: Path, server: tuple[str, type[Recorder]]) -> None:
    base, handler = server
    handler.status = 504
    done = run(kind, packet_of(tmp_path), tmp_path, base)
    assert len(handler.seen) == 1
    assert "http_status=504" in done.stdout
    assert API_ID in done.stdout


@pytest.mark.parametrize("kind", ["sh", "py"])
def test_an_azure_route_sends_its_key_as_azure_wants_it(
    kind: str, tmp_path: Path, server: tuple[str, type[Recorder]]
) -> None:
    base, handler = server
    run(kind, packet_of(tmp_path, route="a", route_kind="azure", route_owner="azure"), tmp_path, base)
    assert handler.seen[0][1]["api-key"] == KEY


def test_without_a_key_nothing_is_sent(tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    script.write_text(shell_script(packet_of(tmp_path)))
    done = subprocess.run(
        ["bash", str(script)], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "set OPENAI_API_KEY first" in done.stderr


@pytest.mark.parametrize("endpoint", ["/v1/images/generations", "/v1/images/edits", "/v1/responses", "/falcon/x"])
def test_the_scripts_parse(endpoint: str, tmp_path: Path) -> None:
    packet = packet_of(tmp_path, endpoint=endpoint)
    bash = shutil.which("bash")
    assert bash is not None
    script = shell_script(packet)
    subprocess.run([bash, "-n"], input=script, text=True, check=True)
    compile(python_script(packet), "repro.py", "exec")
    assert "@@" not in script + python_script(packet)
    assert "cumulative" in script


def test_synthetic_prompts_have_the_length_class_they_stand_for_and_no_character_to_quote() -> None:
    for bucket in get_args(PromptBucket):
        for complexity in (*get_args(Complexity), None):
            text = synthetic(bucket, complexity)
            assert len(text) == LENGTHS[bucket]
            assert prompt_bucket(len(text)) == bucket or bucket == "32001+"
            assert re.fullmatch(r"[A-Za-z ,.]*", text)
            assert not text.endswith(" ")
    assert all(re.fullmatch(r"[A-Za-z ,.]+ ", sentence) for sentence in SENTENCES.values())
