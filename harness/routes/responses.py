"""The Responses API with its image tool: a text model runs first and calls it, an extra hop that every event names."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import openai

from harness.routes.base import Answer, Call, Picture, Target
from harness.routes.dialect import RESPONSES
from harness.routes.images import by_url
from harness.routes.sdk import SdkRoute
from harness.scenario.families import ResponsesOptions
from harness.wire.scrub import Scrubber
from harness.wire.trace import Trace

# Fields of the image request that the tool has under the same names.
_TOOL_FIELDS = (
    "model", "quality", "size", "output_format", "output_compression", "background", "moderation", "partial_images",
)  # fmt: skip


class RouteFamily(SdkRoute):
    """``/v1/responses`` with one forced image_generation call."""

    dialect = RESPONSES

    def __init__(self, target: Target) -> None:
        assert isinstance(target.options, ResponsesOptions)
        self._text_model = target.options.text_model
        super().__init__(target)

    def endpoint(self, *, edits: bool) -> str:  # noqa: ARG002 - one endpoint does both
        return "/v1/responses"

    def ask(self, client: openai.AsyncOpenAI, call: Call, headers: dict[str, str]) -> AbstractAsyncContextManager[Any]:
        tool: dict[str, Any] = {"type": "image_generation"}
        tool |= {name: call.fields[name] for name in _TOOL_FIELDS if name in call.fields}
        if call.references:
            tool["action"] = "edit"
        if call.mask is not None:
            tool["input_image_mask"] = by_url(call.mask)
        fields: dict[str, Any] = {
            "model": self._text_model,
            "input": _input(str(call.fields["prompt"]), call.references),
            "tools": [tool],
            "tool_choice": {"type": "image_generation"},
        }
        if call.stream:
            fields["stream"] = True
        sent: AbstractAsyncContextManager[Any] = client.responses.with_streaming_response.create(
            **fields, extra_headers=headers
        )
        return sent

    def read(self, trace: Trace, scrubber: Scrubber) -> Answer:
        return replace(super().read(trace, scrubber), text_model=self._text_model)


def _input(prompt: str, references: tuple[Picture, ...]) -> Any:
    if not references:
        return prompt
    pictures = [{"type": "input_image", "detail": "auto", **by_url(one)} for one in references]
    return [{"role": "user", "content": [{"type": "input_text", "text": prompt}, *pictures]}]
