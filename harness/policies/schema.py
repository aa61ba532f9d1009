"""JSON Schema of a policy file, for editors.

::

    python -m harness.policies.schema > scenarios/policies/policy.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from harness.policies.model import PolicyFile
from harness.scenario.schema import strip_titles


def json_schema() -> dict[str, Any]:
    """What an editor needs to complete and to underline. Looser than `read_policies`, never stricter."""
    schema = PolicyFile.model_json_schema(mode="validation")
    strip_titles(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "harness policies", **schema}


def main() -> None:
    """Write the schema to standard output."""
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
