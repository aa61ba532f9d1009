"""Which headers of an answer are kept, and what is read from them."""

from __future__ import annotations

import pytest

from harness.evidence import kept_headers, server_ms


@pytest.mark.parametrize(
    "name", ["openai-processing-ms", "llm_provider-openai-processing-ms", "x-envoy-upstream-service-time"]
)
def test_a_server_time_is_read_from_every_header_that_tells_one(name: str) -> None:
    kept, _ = kept_headers([("date", "today"), (name, "5657")])
    assert kept == {name: "5657"}
    assert server_ms(kept) == 5657
