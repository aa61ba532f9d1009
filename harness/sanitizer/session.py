"""What one call (or one bundle) remembers: its salt, its pseudonyms, its counts. Nothing of it is ever written."""

from __future__ import annotations

import hashlib
import hmac
import html
import re
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from harness.sanitizer.rules import Rule, compiled

KINDS = (
    "key", "jwt", "pem", "cookie", "prompt", "text", "image", "blob", "email", "phone", "person", "ip", "host", "user",
    "path", "url", "connection", "account", "opaque", "encoded", "known", "cut",
)  # fmt: skip
PLACEHOLDER = re.compile(rf"<(?:{'|'.join(KINDS)}):[0-9a-f]{{8}}>")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_NO_CHARACTER = re.compile(r"&#[xX]?[0-9a-fA-F]{8,}")
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def unescaped(text: str) -> str:
    """Backslash escapes of JSON, JavaScript and Python undone."""

    def one(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        return chr(int(code, 16)) if code else _SHORT.get(found[3], found[3])

    return _ESCAPE.sub(one, text)


def unentitied(text: str) -> str:
    """HTML entities undone; a number that no character has is none."""
    return html.unescape(_NO_CHARACTER.sub("&#xfffd", text))


def canonical(value: str) -> str:
    """The value without the escapes that it stands in, so that the same secret is the same wherever it is."""
    value = value.strip()
    for _ in range(3):
        before = value
        if "\\" in value and not re.match(r"[A-Za-z]:|\\\\", value):
            value = unescaped(value)
        if "%" in value:
            value = unquote(value, errors="replace")
        if "&" in value:
            value = unentitied(value)
        if value == before:
            break
    return value


class Session:
    """Pseudonyms, counts and switches of one call.

    Args:
        salt: of the pseudonyms; random when it is not given.
        rules: the detectors that are on.
        known: forms of values that must go wherever they stand.
    """

    def __init__(self, rules: Iterable[Rule], *, salt: bytes | None = None, known: Iterable[str] = ()) -> None:
        self._salt = salt if salt is not None else secrets.token_bytes(32)
        self._names: dict[str, str] = {}
        self.rules = tuple(rules)
        self.counts: Counter[str] = Counter()
        self.values: list[tuple[str, str]] = []  # (kind, value), for the scan mode only
        self.keep_values = False
        self.leaves: dict[tuple[str, str], str] = {}
        forms = sorted({form for form in known if len(form) >= 3}, key=lambda form: (-len(form), form))
        escaped = ["".join(_literal(character) for character in form) for form in forms]
        self.known: Any = compiled("(?i)(" + "|".join(escaped) + ")") if escaped else None

    def __repr__(self) -> str:
        return "Session()"

    def pseudonym(self, kind: str, value: str) -> str:
        """The placeholder of a value: the same for the same value, told apart from others by 32 bits."""
        whole = canonical(value)
        self.counts[kind] += 1
        if self.keep_values:
            self.values.append((kind, whole))
        known = self._names.get(whole)
        if known is None:
            digest = hmac.new(self._salt, whole.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:8]
            known = f"<{kind}:{digest}>"
            if len(self._names) < 2_000_000:
                self._names[whole] = known
        return known


def _literal(character: str) -> str:
    if ord(character) >= 128:
        return "\\xff"
    return re.escape(character)
