"""The Images API through the official SDK: generations, and edits where pictures are given; plain and streamed.

Gateways and reverse-engineered services that speak the same wire go this way as well: what is known of them stands in
their answers' headers, not in how they are asked.
"""

from __future__ import annotations

from base64 import b64encode
from contextlib import AbstractAsyncContextManager
from typing import Any

import openai
from openai._response import AsyncResponseContextManager

from harness.routes.base import Call, Picture
from harness.routes.dialect import IMAGES
from harness.routes.sdk import RAW, SdkRoute


class RouteFamily(SdkRoute):
    """``/v1/images/generations`` and ``/v1/images/edits``."""

    dialect = IMAGES

    def endpoint(self, *, edits: bool) -> str:
        return "/v1/images/edits" if edits else "/v1/images/generations"

    def ask(self, client: openai.AsyncOpenAI, call: Call, headers: dict[str, str]) -> AbstractAsyncContextManager[Any]:
        fields: dict[str, Any] = dict(call.fields)
        if call.stream:
            fields["stream"] = True
        if not call.references:
            return client.images.with_streaming_response.generate(**fields, extra_headers=headers)
        if call.edit_form == "json":
            # The SDK has no method for this form; its client sends it all the same.
            body = {**fields, "images": [by_url(one) for one in call.references]}
            if call.mask is not None:
                body["mask"] = by_url(call.mask)
            sent = client.post("/images/edits", cast_to=object, body=body, options={"headers": {**headers, **RAW}})
            return AsyncResponseContextManager(sent)
        if "moderation" in fields:
            # The SDK's method lacks the field; the API takes it.
            fields["extra_body"] = {"moderation": fields.pop("moderation")}
        if call.mask is not None:
            fields["mask"] = _file(call.mask)
        fields["image"] = [_file(one) for one in call.references]
        edit: AbstractAsyncContextManager[Any] = client.images.with_streaming_response.edit(
            **fields, extra_headers=headers
        )
        return edit


def _file(picture: Picture) -> tuple[str, bytes, str]:
    return picture.name, picture.data, picture.media_type


def by_url(picture: Picture) -> dict[str, str]:
    """A picture inside of a JSON body."""
    return {"image_url": f"data:{picture.media_type};base64,{b64encode(picture.data).decode()}"}
