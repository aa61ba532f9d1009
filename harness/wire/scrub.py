"""What of a foreign text may enter an event: a short head, and only when it holds nothing of ours.

An error message may repeat the prompt or a key. This knows the job's own secrets exactly, so it need not guess about
them; texts that repeat the prompt are dropped whole, for cutting a prompt out of a sentence leaves its outline.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Sequence
from urllib.parse import unquote

HEAD_CHARS = 300
MIN_PROMPT_PIECE = 12  # characters of the prompt in a row that count as repeating it

# Things that are secret or personal by their shape. Bounded repetition only: linear on any input.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:sk|xox[abp]|gh[pousr])[-_][A-Za-z0-9*_\-.]{3,200}"), "[key]"),
    (re.compile(r"(?i)\b(bearer|basic)\s{1,4}[A-Za-z0-9+/=._~\-]{6,2000}"), r"\1 [credential]"),
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{8,4000}(?:\.[A-Za-z0-9_\-]{1,4000}){0,2}"), "[token]"),
    (re.compile(r"\b(?:org|proj|user|acct)[-_][A-Za-z0-9]{4,64}"), "[account]"),
    (re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9.\-]{1,200}\.[A-Za-z]{2,24}"), "[email]"),
    (re.compile(r"\b(https?://[^\s/?#\"'<>]{1,200})[^\s\"'<>]{0,2000}"), r"\1/[path]"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "[ip]"),
    (re.compile(r"(?:/home|/Users|/root|/var|/srv|/opt)/[^\s\"'<>:]{1,300}"), "[path]"),
    # A traceback's files, wherever they are installed.
    (re.compile(r"(?:/[A-Za-z0-9_.@+\-]{1,100}){2,30}\.(?:py|pyc|js|mjs|cjs|ts|so|rb|go|java|php|rs)\b"), "[path]"),
    (re.compile(r"[A-Za-z0-9+/_\-]{64,100000}={0,2}"), "[blob]"),
)


class Scrubber:
    """Cleans texts for one job. `secrets` are values that must never be written (keys, header values)."""

    def __init__(self, *, prompt: str, secrets: Sequence[str] = ()) -> None:
        folded = _fold(prompt)
        size = min(MIN_PROMPT_PIECE, len(folded))
        self._pieces = {folded[i : i + size] for i in range(len(folded) - size + 1)} if folded else set()
        self._piece_size = size
        self._secrets = sorted((s for s in secrets if len(s) >= 4), key=len, reverse=True)

    def head(self, text: str, limit: int = HEAD_CHARS) -> str | None:
        """The first `limit` characters, cleaned; None when the text repeats the prompt."""
        text = text[: limit * 4]
        views = (text, html.unescape(text), unquote(text), _unescaped(text))
        if any(self._repeats_prompt(view) for view in views):
            return None
        for secret in self._secrets:
            if any(secret in view for view in views[1:]) and secret not in text:
                return None
            text = text.replace(secret, "[secret]")
        for pattern, instead in _SHAPES:
            text = pattern.sub(instead, text)
        return text[:limit]

    def _repeats_prompt(self, text: str) -> bool:
        folded, size = _fold(text), self._piece_size
        return bool(self._pieces) and any(folded[i : i + size] in self._pieces for i in range(len(folded) - size + 1))


def fingerprint(message: str) -> str:
    """Equal for messages that differ in digits only, so that the same error is recognised; not reversible."""
    return hashlib.sha256(re.sub(r"\d", "0", message).encode()).hexdigest()[:16]


def _fold(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text
