"""Azure OpenAI: the Images API by deployment (classic) or on ``/openai/v1``, through the SDK's own Azure client."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import httpx
import openai

from harness.routes import images
from harness.routes.base import Answer, Call, Target
from harness.scenario.families import AzureOptions
from harness.wire.scrub import Scrubber
from harness.wire.trace import Trace

# Source: Azure OpenAI image generation how-to, April 2026.
CLASSIC_VERSION = "2025-04-01-preview"
V1_VERSION = "preview"


class RouteFamily(images.RouteFamily):
    """The same wire under other URLs, keys and names: what goes out as the model is the deployment."""

    def __init__(self, target: Target) -> None:
        assert isinstance(target.options, AzureOptions)
        self._options = target.options
        super().__init__(target)

    def endpoint(self, *, edits: bool) -> str:
        last = "images/edits" if edits else "images/generations"
        return f"/openai/v1/{last}" if self._options.api == "v1" else f"/openai/deployments/…/{last}"

    def client_on(self, transport: httpx.AsyncBaseTransport) -> openai.AsyncOpenAI:
        options, target = self._options, self.target
        settings = self.settings(transport)
        base = target.base_url.rstrip("/").removesuffix("/openai/v1").removesuffix("/openai")
        if options.api == "v1":
            return openai.AsyncOpenAI(
                base_url=f"{base}/openai/v1",
                default_query={"api-version": options.api_version or V1_VERSION},
                **settings,
            )
        if options.auth == "bearer":
            settings["azure_ad_token"] = settings.pop("api_key")
        return openai.AsyncAzureOpenAI(
            azure_endpoint=base, api_version=options.api_version or CLASSIC_VERSION, **settings
        )

    def ask(self, client: openai.AsyncOpenAI, call: Call, headers: dict[str, str]) -> AbstractAsyncContextManager[Any]:
        named = {**call.fields, "model": self._options.deployment or call.fields["model"]}
        beside: dict[str, Any] = {**headers}
        if self._options.api == "v1" and self._options.auth == "api-key":
            # The SDK would send the key a second time, as a bearer token: what Entra's own tokens are sent as.
            beside |= {"Authorization": openai.Omit(), "api-key": self.target.api_key}
        return super().ask(client, replace(call, fields=named), beside)

    def read(self, trace: Trace, scrubber: Scrubber) -> Answer:
        return replace(super().read(trace, scrubber), deployment=self._options.deployment)
