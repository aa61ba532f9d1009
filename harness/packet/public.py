"""The tool's own fixed words: text that a bundle may hold whatever the run was.

A known value that stands in here (a user called ``queue``, a route called ``litellm``) is not a leak where it is found,
and without this list such a user could never write a packet.
"""

from __future__ import annotations

import functools
import inspect
import json

from harness import metrics
from harness.packet import (
    markdown,
    members,
    prompts,
    repro,
    repro_templates,
    requests,
    schema,
    sections,
    waterfall,
    words,
)


@functools.cache
def public_text() -> str:
    """Case-folded: every field name and closed word of the schema, and the source of everything that writes text."""
    parts = [json.dumps(schema.EscalationPacket.model_json_schema(mode="serialization"))]
    for module in (markdown, members, prompts, repro, repro_templates, requests, sections, waterfall, words, metrics):
        try:
            parts.append(inspect.getsource(module))
        except OSError:  # shipped without sources: the scan is then stricter, not laxer
            continue
    return "\n".join(parts).casefold()
