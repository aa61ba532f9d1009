"""JSON Schema of a scenario file, for editors.

::

    python -m harness.scenario.schema > scenarios/scenario.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from harness.scenario.cells import ALIASES
from harness.scenario.models import Scenario


def json_schema() -> dict[str, Any]:
    """What an editor needs to complete and to underline. Looser than `load_scenario`, never stricter."""
    schema = Scenario.model_json_schema(mode="validation")
    definitions: dict[str, Any] = schema["$defs"]
    for name in ("Selection", "Matrix"):
        properties = definitions[name]["properties"]
        for field, value in properties.items():
            if field not in ("include", "exclude"):
                properties[field] = _one_or_many(value)
    for name in ("Selection", "Matrix", "RequestFields"):
        properties = definitions[name]["properties"]
        for alias, field in ALIASES.items():
            properties[alias] = {**properties[field], "description": f"The same as `{field}`."}
    # A preset fills in what is left out.
    definitions["TaskOptions"].pop("required", None)
    for name in ("Submit", "Status", "Cancel"):
        definitions[name].pop("required", None)
    # A layer may come out of a configuration file.
    layer = definitions["ChainLayer"]
    layer["properties"]["from"] = {
        "description": "Take the caps out of this nginx, HAProxy, Caddy, Apache or Envoy configuration or vercel.json: "
        "FILE, FILE:LINE or FORM=FILE, relative to this file. Only `layer` stands beside it.",
        "minLength": 1,
        "type": "string",
    }
    layer["anyOf"] = [{"required": layer.pop("required")}, {"required": ["from"]}]
    prompts = schema["properties"]["prompts"]
    prompts["items"] = {"anyOf": [{"type": "string", "minLength": 1}, prompts["items"]]}
    strip_titles(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "harness scenario",
        **schema,
    }


def _one_or_many(value: dict[str, Any]) -> dict[str, Any]:
    """A field of a selection takes one value or a list of them."""
    description, items = value.get("description"), value["items"]
    branches = items.get("anyOf", [items])
    return {"description": description, "anyOf": [*branches, {"type": "array", "minItems": 1, "items": items}]}


def strip_titles(node: object) -> None:
    """Titles that only repeat the field's name are noise in an editor's hover, and defaults of `()` mislead."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            node.pop("title")
        for value in node.values():
            strip_titles(value)
    elif isinstance(node, list):
        for value in node:
            strip_titles(value)


def main() -> None:
    """Write the schema to standard output."""
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
