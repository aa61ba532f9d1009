"""POST /v1/responses with the image_generation tool: a text model that has an image made."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from harness.simulator import references, script
from harness.simulator.profiles import Timing
from harness.simulator.requests import MODELS, OPENAI, Refused, Rules, Shape, validate
from harness.simulator.rope import Rope
from harness.simulator.script import HOLE, Kind, Piece, Script

HOP_S = (2.0, 6.0)  # the text model reads and decides to call the tool
STARTED_S = 0.3  # when a stream's headers and its first events leave
CLOSING_S = 0.5  # the text model has the image and says that it is done
CALL_TOKENS = 34  # what the text model writes to call the tool

KNOWN = {
    "model", "input", "tools", "stream", "instructions", "tool_choice", "parallel_tool_calls", "store", "metadata",
    "user", "safety_identifier", "temperature", "top_p", "reasoning", "text", "truncation", "max_output_tokens",
    "max_tool_calls", "previous_response_id", "include", "service_tier", "background", "prompt_cache_key",
    "stream_options", "conversation", "prompt", "top_logprobs", "prompt_cache_retention",
}  # fmt: skip
TOOL = frozenset({
    "size", "quality", "background", "output_format", "output_compression", "moderation", "partial_images", "model",
    "prompt", "stream", "input_fidelity",
})  # fmt: skip
NULLABLE = frozenset({"partial_images", "input_fidelity", "stream"})
ACTIONS = ("generate", "edit", "auto")


def validate_response(body: object, rules: Rules = OPENAI) -> Shape:
    """The shape of the image that a request wants made.

    Raises:
        Refused: with the status and the body that the API would answer.
    """
    if not isinstance(body, dict):
        raise Refused(400, "We could not parse the JSON body of your request.", code="invalid_json")
    for name in body:
        if name not in KNOWN:
            raise Refused(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(400, "Missing required parameter: 'model'.", param="model", code="missing_required_parameter")
    if model.startswith("gpt-image-"):
        message = f"The model '{model[:100]}' cannot be called by the Responses API; it belongs into its image tool."
        raise Refused(400, message, param="model", code="unsupported_model")
    prompt, images, size_bytes = _input(body.get("input"))
    index, tool = _tool(body.get("tools"))
    asked = {name: value for name, value in tool.items() if name not in {"type", "action", "input_image_mask"}}
    param = f"tools[{index}]"
    if tool.get("action", "auto") not in ACTIONS:
        message = f"Invalid value: '{str(tool['action'])[:100]}'. Supported values are: 'generate', 'edit', and 'auto'."
        raise Refused(400, message, param=f"{param}.action", code="invalid_value")
    try:
        if unknown := next((name for name in asked if name in {"prompt", "stream", "n"}), None):
            raise Refused(400, f"Unknown parameter: '{unknown}'.", param=unknown, code="unknown_parameter")
        asked = {"model": MODELS[0], **asked, "prompt": prompt, "stream": body.get("stream")}
        shape = validate(asked, replace(rules, known=TOOL, nullable=NULLABLE), api="responses", text_model=model)
    except Refused as refused:
        raise _inside(refused, param) from None
    return replace(shape, reference_images=images, reference_bytes=size_bytes)


def _inside(refused: Refused, prefix: str) -> Refused:
    """The same refusal, its parameter named as part of the tool."""
    error = refused.body["error"]
    name = error["param"]
    if name == "prompt":
        error.update(param="input", message=error["message"].replace("'prompt'", "'input'"))
    elif name != "stream" and name is not None:
        error.update(param=f"{prefix}.{name}", message=error["message"].replace(f"'{name}'", f"'{prefix}.{name}'"))
    return refused


def _tool(tools: object) -> tuple[int, dict[str, Any]]:
    listed = tools if isinstance(tools, list) else []
    for index, tool in enumerate(listed):
        if isinstance(tool, dict) and tool.get("type") == "image_generation":
            return index, tool
    message = "This is an image API: 'tools' must contain a tool of type 'image_generation'."
    raise Refused(400, message, param="tools", code="missing_required_parameter")


def _input(value: object) -> tuple[object, int, int]:
    """The prompt, and how many images of how many bytes come with it."""
    if not isinstance(value, list):
        return value, 0, 0
    texts: list[str] = []
    images, size_bytes = 0, 0
    for item in value:
        content = item.get("content") if isinstance(item, dict) else None
        for part in content if isinstance(content, list) else [{"type": "input_text", "text": content}]:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "input_image":
                images += 1
                url = part.get("image_url")
                data = references.decoded(url, "input") if isinstance(url, str) else None
                if data is not None:
                    size_bytes += references.looked_at(data, "input", images).size_bytes
            elif kind == "input_text" and isinstance(text := part.get("text"), str):
                texts.append(text)
    return "\n".join(texts), images, size_bytes


@dataclass(frozen=True)
class Talk:
    """One exchange. Its ids are made of the request's; its times count from the request's arrival."""

    shape: Shape
    timing: Timing
    created: int
    request_id: str

    def plain(self, variant: int) -> Script:
        """A Response object when all is done."""
        at_s = self.timing.done_s + CLOSING_S
        done = self.response("completed", [self.item("completed", HOLE)])
        headers = {"content-type": "application/json", "openai-processing-ms": f"{at_s * 1000:.0f}"}
        data = script.with_pictures(json.dumps(done), script.encoded(self.shape, variant))
        return Script(200, headers, at_s, (Piece(at_s, data, "body"),), self.timing.done_s, self.shape.output_tokens)

    def streamed(self, variant: int, keepalive_s: float | None) -> Script:
        """Events in the order of the API, each with the next sequence number; keep-alives take one as well."""
        shape, timing = self.shape, self.timing
        call = {"output_index": 0, "item_id": self._id("ig")}
        image = "response.image_generation_call"
        look = {name: getattr(shape, name) for name in ("size", "quality", "background", "output_format")}
        begun, done_s = {"response": self.response("in_progress", [])}, timing.done_s
        events: list[tuple[float, Kind, str, dict[str, Any], int]] = [
            (STARTED_S, "event", "response.created", begun, 0),
            (STARTED_S, "event", "response.in_progress", begun, 0),
            (timing.before_s, "event", "response.output_item.added",
             {"output_index": 0, "item": self.item("in_progress")}, 0),
            (timing.before_s, "event", f"{image}.in_progress", call, 0),
            (timing.moderation_s, "event", f"{image}.generating", call, 0),
        ]  # fmt: skip
        gap_s = (timing.generation_s - timing.first_partial_s) / max(shape.partial_images, 1)
        for index in range(shape.partial_images):
            event = {**call, "partial_image_index": index, "partial_image_b64": HOLE, **look}
            at_s = max(timing.first_partial_s + index * gap_s, timing.moderation_s)
            events.append((at_s, "partial", f"{image}.partial_image", event, index + 1))
        finished = self.item("completed", HOLE)
        events += [
            (done_s, "event", f"{image}.completed", call, 0),
            (done_s, "completed", "response.output_item.done", {"output_index": 0, "item": finished}, 0),
            (done_s + CLOSING_S, "end", "response.completed", {"response": self.response("completed", [finished])}, 0),
        ]
        if keepalive_s is not None:
            count = int((done_s - STARTED_S) / keepalive_s)
            beats = [STARTED_S + keepalive_s * (i + 1) for i in range(count)]
            events += [(at_s, "filler", "keepalive", {}, 0) for at_s in beats if at_s < done_s]
        pieces: list[Piece] = []
        for number, (at_s, kind, name, event, index) in enumerate(sorted(events, key=lambda event: event[0])):
            text = numbered(name, event, number)
            pictures = [script.encoded(shape, variant + index)] * text.count(HOLE)
            pieces.append(Piece(at_s, script.with_pictures(text, *pictures), kind, max(index - 1, 0)))
        headers = {**script.EVENT_STREAM, "openai-processing-ms": f"{STARTED_S * 1000:.0f}"}
        return Script(200, headers, STARTED_S, tuple(pieces), done_s, shape.output_tokens)

    def item(self, status: str, result: str | None = None, **more: Any) -> dict[str, Any]:
        """The tool's call."""
        call: dict[str, Any] = {"id": self._id("ig"), "type": "image_generation_call", "status": status}
        if result is None:
            return {**call, "result": None, **more}
        shape = self.shape
        return {
            **call,
            "action": "edit" if shape.reference_images else "generate",
            "background": shape.background,
            "output_format": shape.output_format,
            "quality": shape.quality,
            "result": result,
            "revised_prompt": None,
            "size": shape.size,
            **more,
        }

    def response(
        self, status: str, output: list[dict[str, Any]], error: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The Response object."""
        shape, over = self.shape, status == "completed"
        return {
            "id": self._id("resp"),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": shape.text_model,
            "output": output,
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [
                {
                    "type": "image_generation",
                    "model": shape.model,
                    "background": shape.background,
                    "moderation": "auto",
                    "output_compression": shape.compression,
                    "output_format": shape.output_format,
                    "partial_images": shape.partial_images,
                    "quality": shape.quality,
                    "size": shape.size,
                }
            ],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": self._text_usage() if over else None,
            **({"tool_usage": self._tool_usage()} if over else {}),
        }

    def _text_usage(self) -> dict[str, Any]:
        """The text model's own tokens; those of the image stand in `tool_usage`."""
        read = self.shape.text_tokens + self.shape.reference_tokens
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": CALL_TOKENS,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + CALL_TOKENS,
        }

    def _tool_usage(self) -> dict[str, Any]:
        return {"image_gen": script.usage(self.shape, details=True), "web_search": {"num_requests": 0}}

    def _id(self, kind: str) -> str:
        return f"{kind}_{self.request_id.removeprefix('req_').replace('-', '')}"


def numbered(name: str, event: dict[str, Any], number: int) -> str:
    """One event of the Responses API."""
    return script.frame(name, {**event, "sequence_number": number})


def with_end(planned: Script, at_s: float, *ends: tuple[str, dict[str, Any]]) -> Script:
    """What was under way when it broke, and then these events; no image is made."""
    kept = [piece for piece in planned.pieces if piece.kind in {"event", "partial", "filler"} and piece.at_s < at_s]
    last = [
        Piece(at_s, Rope(numbered(name, event, len(kept) + index).encode()), "event")
        for index, (name, event) in enumerate(ends)
    ]
    return replace(planned, made_s=None).with_pieces([*kept, *last])
