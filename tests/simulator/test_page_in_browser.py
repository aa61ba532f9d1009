"""A real browser measures the embedded API from another port's page: it sees answers, headers and every timing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.simulator.process import spawn
from tests.simulator.tasking import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MEASURE = """async ([address, key]) => {
  const reply = await fetch(address, {
    method: "POST",
    headers: {authorization: `Bearer ${key}`, "content-type": "application/json", "x-client-request-id": "page-1"},
    body: JSON.stringify({model: "gpt-image-2", prompt: "A red apple", quality: "low", output_format: "jpeg"}),
  });
  const told = await reply.json();
  const entries = performance.getEntriesByName(address).filter(entry => entry.requestStart > 0);
  const last = entries[entries.length - 1];
  return {
    status: reply.status, scale: reply.headers.get("x-simulator-time-scale"), id: reply.headers.get("x-request-id"),
    images: told.data.length, requestStart: last.requestStart, responseStart: last.responseStart,
    bytes: last.encodedBodySize,
  };
}"""

pytestmark = pytest.mark.browser


def test_a_page_of_one_port_measures_an_image_of_another(browser: Browser) -> None:
    with spawn({"time_scale": 100, "layers": {"other": {}}}) as sim:
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(sim.entries["other"].removesuffix("/v1") + "/")
        seen = page.evaluate(MEASURE, [f"{sim.entries['direct']}/images/generations", KEY])
        page.close()
    assert (seen["status"], seen["scale"], seen["images"], said) == (200, "100", 1, [])
    assert seen["id"].startswith("req_")
    assert seen["responseStart"] - seen["requestStart"] >= 30 * 0.9  # 3 to 8 s of the world, in ms of this one
    assert seen["bytes"] > 10_000
