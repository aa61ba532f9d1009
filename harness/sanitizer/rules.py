"""What a rule is: one row of data with its pattern and its examples, true and false.

Patterns are RE2 (linear in the text, no look-around) over bytes that stand one for one for the characters of the text:
a character outside ASCII is the byte 0xff. Group 1 is the value; without a group the whole match is. A hit is widened
to the edges of its token by the scanner, so a pattern needs to be sure of the start and no more.

Examples are templates, so that nothing in this repository is shaped like a key: ``{b:20}`` is twenty random letters and
digits (see `ALPHABETS`), expanded by `expand` from a seed.
"""

from __future__ import annotations

import random
import re
import string
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

ALPHABETS = {
    "A": string.ascii_uppercase + string.digits,
    "U": string.ascii_uppercase,
    "b": string.ascii_letters + string.digits,
    "s": string.ascii_letters + string.digits + "+/",
    "w": string.ascii_letters + string.digits + "-_",
    "h": "0123456789abcdef",
    "d": "0123456789",
    "n": "123456789",
    "l": string.ascii_lowercase,
    "x": string.ascii_lowercase + string.digits,
}
_HOLE = re.compile(r"\{(?:([AUbswhdnlx]):(\d+)|(u))\}")

OPTIONS = re2.Options()
OPTIONS.encoding = re2.Options.Encoding.LATIN1
OPTIONS.log_errors = False
OPTIONS.max_mem = 64 << 20

_OPEN = re.compile(r"\{(\d+),\}(?=[)|]|$)")


def expand(template: str, seed: int = 1) -> str:
    """The template with its holes filled at random; the same seed gives the same text."""
    rng = random.Random(seed)

    def fill(hole: re.Match[str]) -> str:
        if hole[3]:
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        alphabet, size = ALPHABETS[hole[1]], int(hole[2])
        text = "".join(rng.choice(alphabet) for _ in range(size))
        if size >= 8 and "0" in alphabet:  # a real one has a digit; with bad luck a random one has none
            text = text[:3] + "7" + text[4:]
        if size >= 8 and "a" in alphabet:
            text = text[:5] + "e" + text[6:]
        return text

    return _HOLE.sub(fill, template)


def compiled(pattern: str) -> Any:
    """An RE2 pattern over the byte view of a text."""
    return re2.compile(pattern.encode("latin-1"), OPTIONS)


@dataclass(frozen=True)
class Rule:
    """One detector.

    Args:
        id: its name in reports and refusals.
        kind: the word of its placeholder: ``<kind:…>``.
        pattern: see above.
        needles: lower case; one of them stands in every text (lower-cased) that the pattern matches. It saves time.
        true: templates that it must find.
        false: texts that it must leave alone.
        check: a second look at the value, for what a pattern cannot say.
        unless_after: what must not stand right before the value (24 characters are looked at).
        after: what must stand there.
        wide: false when the match is the whole value and must not grow to its token's edges.
    """

    id: str
    kind: str
    pattern: str
    needles: tuple[str, ...] = ()
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    check: Callable[[str], bool] | None = None
    wide: bool = True
    unless_after: re.Pattern[str] | None = None
    after: re.Pattern[str] | None = None

    @cached_property
    def program(self) -> Any:
        """Compiled once. A wide rule's open end is cut short: the token's edges are found faster without captures."""
        return compiled(
            _OPEN.sub(lambda found: f"{{{found[1]},{int(found[1]) + 8}}}", self.pattern) if self.wide else self.pattern
        )


class Likely:
    """Which rules a text may break at all, by their needles: all of them are looked for in one pass."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._always = [place for place, rule in enumerate(self._rules) if not rule.needles]
        self._sought = [place for place, rule in enumerate(self._rules) if rule.needles]
        self._set: Any = re2.Set.SearchSet(OPTIONS)
        for place in self._sought:
            needles = "|".join(re2.escape(needle) for needle in self._rules[place].needles)
            self._set.Add(needles.encode())
        if self._sought:
            self._set.Compile()

    def of(self, lowered: bytes) -> list[Rule]:
        """The rules, in their order, that may be broken by a text in lower case."""
        met = (self._set.Match(lowered) or []) if self._sought else []
        return [self._rules[place] for place in sorted([*self._always, *(self._sought[one] for one in met)])]


@lru_cache(maxsize=16)
def likely(rules: tuple[Rule, ...]) -> Likely:
    """The same for the same rules: making it costs more than a short text."""
    return Likely(rules)
