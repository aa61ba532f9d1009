"""The two scripts with their places (``@@NAME@@``). Everything else in them is fixed text."""

from __future__ import annotations

from collections.abc import Mapping

# Noise does not compress, so a synthetic reference image has the bytes of the real one.
PNG_MAKER = '''def png(target_bytes):
    """A noise image of about that many bytes."""
    side = max(16, int((target_bytes / 3) ** 0.5))
    noise = random.Random(side)
    rows = b"".join(bytes(1) + noise.randbytes(side * 3) for _ in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows, 0)), chunk(b"IEND", b"")]
    return b"\\x89PNG\\r\\n\\x1a\\n" + b"".join(parts)
'''

SHELL = """#!/usr/bin/env bash
# One request of the packet's shape, sent with curl: a synthetic prompt, no retry.
# Needs bash, curl 7.55 or later and OPENAI_API_KEY. OPENAI_BASE_URL and OPENAI_IMAGE_MODEL are used when set.
# curl's times are cumulative: each counts from the start of the call. Subtract neighbours to get a leg.
set -euo pipefail
: "${OPENAI_API_KEY:?set OPENAI_API_KEY first}"
base="${OPENAI_BASE_URL:-https://api.openai.com/v1}"
model="${OPENAI_IMAGE_MODEL:-@@MODEL@@}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

sentence='@@SENTENCE@@'
prompt=''
while [ "${#prompt}" -lt @@CHARS@@ ]; do prompt+="$sentence"; done
prompt="${prompt:0:@@CHARS@@}"
case "$prompt" in *' ') prompt="${prompt% }." ;; esac

@@REFERENCE_BLOCK@@@@BODY_BLOCK@@  --header @<(printf '@@AUTH@@\\n' "$OPENAI_API_KEY") \\
  --header 'Expect:' \\
  --silent --show-error --no-buffer --connect-timeout 30 --max-time 1800 \\
  --dump-header "$work/headers" --output "$work/answer" \\
  --write-out 'http_status=%{http_code}
time_namelookup=%{time_namelookup}
time_connect=%{time_connect}
time_appconnect=%{time_appconnect}
time_pretransfer=%{time_pretransfer}
time_starttransfer=%{time_starttransfer}
time_total=%{time_total}
bytes_up=%{size_upload}
bytes_down=%{size_download}
' || failed=$?

grep -iE '^(@@IDS@@):' "$work/headers" || echo 'no id came back'
exit "${failed:-0}"
"""

SHELL_REFERENCES = """python3 - "$work" <<'MAKE'
import random
import struct
import sys
import zlib


@@PNG@@

for number in range(1, @@REFERENCES@@ + 1):
    with open(f"{sys.argv[1]}/reference-{number}.png", "wb") as file:
        file.write(png(@@REFERENCE_BYTES@@))
MAKE

"""

SHELL_BODIES: Mapping[str, str] = {
    "images/generations": """cat >"$work/body.json" <<BODY
{"model": "$model", "prompt": "$prompt"@@FIELDS@@}
BODY

curl "$base/images/generations" \\
  --header 'Content-Type: application/json' --data-binary "@$work/body.json" \\
""",
    "images/edits": """curl "$base/images/edits" \\
  --form-string "model=$model" --form-string "prompt=$prompt" \\
@@FORM@@""",
    "responses": """: "${OPENAI_RESPONSES_MODEL:?set OPENAI_RESPONSES_MODEL to the text model that calls the image tool}"
cat >"$work/body.json" <<BODY
{"model": "$OPENAI_RESPONSES_MODEL", "input": "$prompt", "stream": @@STREAM@@, "tools": [{"type": "image_generation", "model": "$model"@@TOOL@@}]}
BODY

curl "$base/responses" \\
  --header 'Content-Type: application/json' --data-binary "@$work/body.json" \\
""",  # noqa: E501
}

PYTHON = '''#!/usr/bin/env python3
"""One request of the packet's shape, sent with the OpenAI SDK: a synthetic prompt, no retry.

Needs the openai package and OPENAI_API_KEY. OPENAI_BASE_URL and OPENAI_IMAGE_MODEL are used when set.
Every time is in seconds since the call, connecting included.
"""

import json
import os
@@IMPORTS@@import sys
import time

import openai

SENTENCE = "@@SENTENCE@@"
PROMPT_CHARS = @@CHARS@@
FIELDS = json.loads('@@JSON@@')
TOOL_FIELDS = json.loads('@@TOOL_JSON@@')
ID_HEADERS = "@@IDS@@".split("|")


@@PNG_BLOCK@@def show_ids(headers):
    found = [name for name in ID_HEADERS if name in headers]
    for name in found:
        print(f"{name}: {headers[name]}")
    if not found:
        print("no id came back")


def main():
    prompt = (SENTENCE * (PROMPT_CHARS // len(SENTENCE) + 1))[:PROMPT_CHARS]
    if prompt.endswith(" "):
        prompt = prompt[:-1] + "."
    model = os.environ.get("OPENAI_IMAGE_MODEL") or "@@MODEL@@"
    client = openai.OpenAI(
        api_key=os.environ["OPENAI_API_KEY"],
        base_url=os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1",
        default_headers=@@HEADERS@@,
        max_retries=0,
        timeout=1800.0,
    )
    start = time.monotonic()

    def stamp(what):
        print(f"{what}_at_s={time.monotonic() - start:.3f}", flush=True)

    try:
        with @@CALL@@ as response:
            stamp("headers")
            print(f"http_status={response.status_code}")
            show_ids(response.headers)
            total, line = 0, b""
            for chunk in response.iter_bytes():
                if not total:
                    stamp("first_body_byte")
                total += len(chunk)
                *lines, line = (line + chunk).split(b"\\n")
                line = line[:100]
                for done in lines:
                    if done.startswith(b"event:"):
                        stamp("event " + done[6:80].strip().decode("ascii", "replace"))
            stamp("body_end")
            print(f"bytes_down={total}")
    except openai.APIStatusError as error:
        stamp("failed")
        print(f"http_status={error.status_code} type={error.type} code={error.code}")
        show_ids(error.response.headers)
        return 1
    except openai.OpenAIError as error:
        stamp("failed")
        print(f"raised={type(error).__name__} caused_by={type(error.__cause__).__name__}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
'''

PYTHON_CALLS: Mapping[str, str] = {
    "images/generations": "client.images.with_streaming_response.generate(model=model, prompt=prompt, **FIELDS)",
    "images/edits": """client.images.with_streaming_response.edit(
            model=model,
            prompt=prompt,
            image=[(f"reference-{i}.png", png(@@REFERENCE_BYTES@@), "image/png") for i in range(1, @@REFERENCES@@ + 1)],
            **FIELDS,
        )""",
    "responses": """client.responses.with_streaming_response.create(
            model=os.environ["OPENAI_RESPONSES_MODEL"],
            input=prompt,
            stream=FIELDS.get("stream", False),
            tools=[{"type": "image_generation", "model": model, **TOOL_FIELDS}],
        )""",
}
