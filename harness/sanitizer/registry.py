"""All detectors, in one list."""

from __future__ import annotations

from harness.sanitizer.rules import Rule
from harness.sanitizer.rules_keys import KEY_RULES
from harness.sanitizer.rules_people import PEOPLE_RULES

RULES: tuple[Rule, ...] = (*KEY_RULES, *PEOPLE_RULES)
