"""The same bytes as other programs would read them: unescaped, percent-decoded, out of base64 and hex, unpacked.

An escape breaks a pattern (``sk\\u002d…``), so every detector looks at each view. A view is searched and thrown away;
it is never written.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

MAX_CHARS = 4_000_000
MAX_DEPTH = 2
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,400000}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){6,200000}")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_PRINTABLE = re.compile(r"[\x20-\x7e\n\r\t]")


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        return chr(int(code, 16)) if code else _SHORT.get(found[3], found[3])

    return _ESCAPE.sub(one, text)


def _unpacked(data: bytes) -> bytes:
    """What gzip or zlib packed, as far as it is whole; anything else as it is."""
    if not data.startswith((b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")):
        return data
    try:
        # 32: gzip or zlib, by its head. What is cut short still gives what came before.
        return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(data, MAX_CHARS) or data
    except zlib.error:
        return data


def _decoded(data: bytes) -> str | None:
    """Bytes as text, when they are text: mostly printable."""
    data = _unpacked(data)
    text = data.decode("utf-8", "ignore")
    if len(data) < 6 or len(_PRINTABLE.findall(text)) < 0.85 * len(data):
        return None
    return text


def _base64(text: str) -> Iterator[str]:
    """Every run at each of four starts: a secret may begin inside a run that something else opened."""
    for found in _BASE64.finditer(text):
        run = found[0].rstrip("=").replace("-", "+").replace("_", "/")
        for start in range(4):
            piece = run[start:]
            piece = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
            try:
                decoded = _decoded(base64.b64decode(piece + "=" * (-len(piece) % 4)))
            except (binascii.Error, ValueError):
                continue
            if decoded is not None:
                yield decoded


def _hex(text: str) -> Iterator[str]:
    for found in _HEX.finditer(text):
        decoded = _decoded(bytes.fromhex(found[0]))
        if decoded is not None:
            yield decoded


def views(text: str, depth: int = MAX_DEPTH) -> Iterator[str]:
    """The text itself, then each way to read it that differs, each of those once more."""
    yield text
    if depth == 0:
        return
    unescaped = _unescaped(text) if "\\" in text else text
    once = unquote(text) if "%" in text else text
    entities = html.unescape(text) if "&" in text else text
    joined = "\n".join((*_base64(text), *_hex(text)))
    for view in dict.fromkeys((unescaped, once, entities, joined)):
        if view and view != text:
            yield from views(view, depth - 1)
