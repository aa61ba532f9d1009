"""The smallest reproduction, rendered from the closed schema: never somebody's own command with bits struck out.

Both scripts take the key, the base URL and the model's local name from the environment, send one request of the same
shape with a synthetic prompt (`harness.packet.prompts`), retry nothing, and print clocks and ids. What is set into the
templates is a closed word, a number, or a sentence of ours, so there is nothing to quote; `_set` checks it again.
"""

from __future__ import annotations

import json
import re

from harness.packet.ids import PATTERNS
from harness.packet.prompts import length, sentence
from harness.packet.repro_templates import (
    PNG_MAKER,
    PYTHON,
    PYTHON_CALLS,
    SHELL,
    SHELL_BODIES,
    SHELL_REFERENCES,
)
from harness.packet.schema import EscalationPacket, Size
from harness.packet.vocabulary import PromptBucket

Field = str | int | bool
_SAFE = re.compile(r"[A-Za-z0-9 .,:;_/\"{}\[\]|()-]*")
_MOST_REFERENCE_BYTES = 50_000_000
DEFAULT_MODEL = "gpt-image-2"


def fields(packet: EscalationPacket) -> dict[str, Field]:
    """The request's parameters as the API names them, without model and prompt. What is not known is left out."""
    asked = packet.repro_request
    size = f"{asked.size.width}x{asked.size.height}" if isinstance(asked.size, Size) else asked.size
    words = {
        "n": asked.n if asked.n != 1 else None,
        "size": size,
        "quality": asked.quality,
        "output_format": asked.output_format,
        "output_compression": asked.output_compression,
        "background": asked.background,
        "moderation": None if asked.endpoint == "images/edits" else asked.moderation,
        "stream": True if asked.stream else None,
        "partial_images": asked.partial_images if asked.stream else None,
    }
    return {name: value for name, value in words.items() if value is not None and value != "other"}


def model(packet: EscalationPacket) -> str:
    """The model to ask for, unless the environment names another one (an Azure deployment, say)."""
    return DEFAULT_MODEL if packet.repro_request.model == "other" else packet.repro_request.model


def _kind(packet: EscalationPacket) -> str:
    return packet.repro_request.endpoint if packet.repro_request.endpoint in SHELL_BODIES else "images/generations"


def _reference(packet: EscalationPacket) -> tuple[int, int]:
    """How many reference images and the bytes of each."""
    count = min(max(packet.repro_request.reference_images, 1), 16)
    return count, min(packet.repro_request.reference_bytes // count, _MOST_REFERENCE_BYTES)


def _said(bucket: PromptBucket) -> PromptBucket:
    """Of a job out of a log the prompt may not be known; an empty one would be refused."""
    return "1-50" if bucket == "0" else bucket


def _tool(packet: EscalationPacket) -> dict[str, Field]:
    return {name: value for name, value in fields(packet).items() if name not in ("stream", "n")}


def _set(template: str, values: dict[str, str]) -> str:
    """Put checked values into the ``@@NAME@@`` places of a template."""
    for name, value in values.items():
        if not _SAFE.fullmatch(value):
            raise ValueError(f"a value that is not safe in a script: {name}")
        template = template.replace(f"@@{name}@@", value)
    return template


def _values(packet: EscalationPacket) -> dict[str, str]:
    count, size = _reference(packet)
    given = fields(packet)
    return {
        "MODEL": model(packet),
        "PATH": _kind(packet),
        "SENTENCE": sentence(packet.repro_request.prompt_complexity),
        "CHARS": str(length(_said(packet.repro_request.prompt_length))),
        "FIELDS": "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in given.items()),
        "JSON": json.dumps(given),
        "TOOL": "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in _tool(packet).items()),
        "TOOL_JSON": json.dumps(_tool(packet)),
        "STREAM": "true" if packet.repro_request.stream else "false",
        "IDS": "|".join(PATTERNS),
        "REFERENCES": str(count),
        "REFERENCE_BYTES": str(size),
    }


def _form(packet: EscalationPacket) -> str:
    """``--form`` arguments of a multipart request, one a line."""
    plain = {name: json.dumps(value).strip('"') for name, value in fields(packet).items()}
    parts = [_set("  --form-string '@@NAME@@=@@VALUE@@' \\\n", {"NAME": n, "VALUE": v}) for n, v in plain.items()]
    files = range(1, _reference(packet)[0] + 1)
    return "".join([*parts, *(f'  --form "image[]=@$work/reference-{one}.png;type=image/png" \\\n' for one in files)])


def shell_script(packet: EscalationPacket) -> str:
    """``repro.sh``: curl with its own clocks. The key goes through a pipe and never stands in the process list."""
    kind = _kind(packet)
    header = "api-key: %s" if packet.route.owner == "azure" else "Authorization: Bearer %s"
    script = SHELL.replace("@@REFERENCE_BLOCK@@", SHELL_REFERENCES if kind == "images/edits" else "")
    script = script.replace("@@BODY_BLOCK@@", SHELL_BODIES[kind]).replace("@@AUTH@@", header)
    script = script.replace("@@FORM@@", _form(packet) if kind == "images/edits" else "").replace("@@PNG@@", PNG_MAKER)
    return _set(script, _values(packet))


def python_script(packet: EscalationPacket) -> str:
    """``repro.py``: the OpenAI SDK without retries, its body read as bytes so that each stamp is the wire's."""
    kind = _kind(packet)
    headers = '{"api-key": os.environ["OPENAI_API_KEY"]}' if packet.route.owner == "azure" else "{}"
    script = PYTHON.replace("@@CALL@@", PYTHON_CALLS[kind]).replace("@@HEADERS@@", headers)
    script = script.replace("@@PNG_BLOCK@@", PNG_MAKER + "\n\n" if kind == "images/edits" else "")
    extra = "import random\nimport struct\nimport zlib\n" if kind == "images/edits" else ""
    return _set(script.replace("@@IMPORTS@@", extra), _values(packet))
