"""Salted hashes of what must not be kept: a prompt, or who asked.

The user's own salt is taken (`harness.salt`), so that a prompt in somebody's log has the hash that it has in our own
runs. Where no salt can be kept, one is drawn for this process alone: equal prompts are still seen as equal.
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from harness.errors import UsageProblem
from harness.salt import load_salt, prompt_hash


@cache
def _salt() -> bytes:
    try:
        return load_salt()
    except UsageProblem:
        return secrets.token_bytes(32)


def hashed(text: str | None) -> str | None:
    """The hash of one text; null for none."""
    return prompt_hash(text, _salt()) if text else None


def hashed_column(texts: Any) -> Any:
    """The same for a column: each distinct text once."""
    codes, distinct = pd.factorize(pd.Series(texts, dtype=object))
    hashes = np.array([*(hashed(str(one)) for one in distinct), None], dtype=object)
    return hashes[codes]
