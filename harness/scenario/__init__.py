"""Scenario files: YAML in, one frozen `Scenario` out, or every mistake at once with file, line and fix.

Knows nothing of sockets: importing this package brings no HTTP client, no SDK and no data-frame library.
"""

from __future__ import annotations

from typing import Any

from harness.scenario.load import load_scenario, load_text
from harness.scenario.models import RouteSpec, Scenario

__all__ = ["RouteSpec", "Scenario", "json_schema", "load_scenario", "load_text"]


def json_schema() -> dict[str, Any]:
    """JSON Schema of a scenario file, for editors. The same that ``scenarios/scenario.schema.json`` holds."""
    from harness.scenario.schema import json_schema as build  # late: `python -m harness.scenario.schema` must not warn

    return build()
