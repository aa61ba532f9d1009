"""How a mistake is worded: what is wrong, the fix, the nearest known name, and never a value that looks secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

NOT_SHOWN = "[not shown: looks like a secret]"

_KNOWN_SECRET = re.compile(
    r"\bsk-[A-Za-z0-9_-]{12,}"
    r"|\b(?:Bearer|Basic)\s+(?!\$\{)[A-Za-z0-9+/=._~-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+"
    r"|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{16,}"
    r"|\bAKIA[0-9A-Z]{12,}|\bAIza[A-Za-z0-9_-]{20,}|\bxox[abprs]-[A-Za-z0-9-]{8,}|\bhf_[A-Za-z0-9]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----",
    re.IGNORECASE,
)
_WHOLE_KEY = re.compile(r"(?:sk|sess|rk|pk)-\S{3,}", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9_\-+/=.~]{20,}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_SECRET_NAME = re.compile(
    r"(?:^|[-_.])(?:api[-_]?key|key|apikey|token|secret|password|passwd|pwd|authorization|auth|cookie|credentials?|"
    r"signature|sig|bearer)$",
    re.IGNORECASE,
)


class Mistake(ValueError):
    """One thing that is wrong, and how to mend it. Raised by field validators; the loader adds file and line."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that `word` most likely meant, if one is near."""
    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word[:60].lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def listing(names: Iterable[str]) -> str:
    """``a, b or c``"""
    words = list(names)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else "nothing"


def secret_name(name: str) -> bool:
    """Whether a field, header or query name says that its value is a secret."""
    return _SECRET_NAME.search(name) is not None


def _opaque(token: str) -> bool:
    mixed = any(c.isupper() for c in token) and any(c.islower() for c in token) and any(c.isdigit() for c in token)
    return mixed or _HEX.search(token) is not None


def known_secret(text: str) -> bool:
    """Whether `text` holds a key or token of a well-known shape. Strict enough to run over prompts."""
    return _KNOWN_SECRET.search(text) is not None or _WHOLE_KEY.fullmatch(text.strip()) is not None


def looks_secret(text: str) -> bool:
    """Whether `text` holds something that may be a key: a well-known shape, or one long opaque token."""
    return known_secret(text) or any(_opaque(token) for token in _TOKEN.findall(text))


def scrub(message: str) -> str:
    """The message with everything that looks secret replaced. The last gate before a mistake is shown."""
    message = _KNOWN_SECRET.sub(NOT_SHOWN, message)
    return _TOKEN.sub(lambda found: NOT_SHOWN if _opaque(found.group()) else found.group(), message)


def show(value: object) -> str:
    """A value as it may be shown in a message: short, and never one that looks secret."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return "true" if value else "false"
        case str():
            if looks_secret(value):
                return NOT_SHOWN
            short = value if len(value) <= 40 else value[:37] + "…"
            return "empty text" if not short else "`" + " ".join(short.split()) + "`"
        case int() | float():
            return repr(value) if isinstance(value, float) or abs(value) < 10**18 else "a very large number"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return "something else"
