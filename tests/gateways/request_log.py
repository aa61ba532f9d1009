"""A callback for LiteLLM's proxy: its standard logging payload as JSON lines. Runs inside the proxy, not here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger  # type: ignore[import-not-found,unused-ignore]


class RequestLog(CustomLogger):  # type: ignore[misc,unused-ignore]
    """One line for each try of a call, as LiteLLM describes it."""

    def _write(self, kwargs: dict[str, Any]) -> None:
        with Path("requests.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(kwargs.get("standard_logging_object"), default=str) + "\n")

    async def async_log_success_event(self, kwargs: dict[str, Any], *_: object, **__: object) -> None:
        """An answer came."""
        self._write(kwargs)

    async def async_log_failure_event(self, kwargs: dict[str, Any], *_: object, **__: object) -> None:
        """None came, or an error."""
        self._write(kwargs)


writer = RequestLog()
