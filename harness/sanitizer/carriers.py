"""What carries the values: which form a text has, multipart bodies, and blocks of lines that belong together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.sanitizer.names import policy_of

if TYPE_CHECKING:
    from harness.sanitizer.engine import Engine

_DISPOSITION = re.compile(r"(?i)content-disposition:\s*form-data")
_FORM = re.compile(r"[\w.\-%\[\]]{1,80}=[^\s&]*(?:&[\w.\-%\[\]]{1,80}=[^\s&]*)+\s*")
_PART_NAME = re.compile(r"(?i)\bname=\\?[\"']?([^\"';\r\n\\]{1,80})")
_FILE_NAME = re.compile(r"(?i)\bfilename\*?=")


def form_of(text: str) -> str:
    """``har json jsonl multipart form text``: what a text is, said by its bytes.

    Raises:
        RecursionError: nested deeper than any real one.
    """
    head = text.lstrip("\ufeff \t\r\n")[:1]
    if head in ("{", "["):
        try:
            value = json.loads(text.lstrip("\ufeff"))
        except ValueError:
            first = text.lstrip().partition("\n")[0]
            try:
                json.loads(first)
            except ValueError:
                return "multipart" if is_multipart(text) else "text"
            return "jsonl"
        log = value.get("log") if isinstance(value, dict) else None
        return "har" if isinstance(log, dict) and "entries" in log else "json"
    if is_multipart(text):
        return "multipart"
    return "form" if len(text) < 5_000_000 and _FORM.fullmatch(text) else "text"


def is_multipart(text: str) -> bool:
    """Whether parts with a disposition stand between lines of one boundary."""
    return (
        "--" in text
        and _DISPOSITION.search(text) is not None
        and re.search(r"(?m)^--[^\s]{1,200}\r?$", text) is not None
    )


def multipart(text: str, engine: Engine) -> str:
    """The parts' headers stay where they may; a part's body is judged by its name, a file's goes whole."""
    out: list[str] = []
    boundary = re.search(r"(?m)^(--[^\s]{1,200})\r?$", text)
    if boundary is None:
        return engine.text(text, 1)
    line = boundary[1].removesuffix("--")
    pieces = re.split(rf"(?m)^({re.escape(line)}(?:--)?[ \t]*\r?\n?)", text)
    for index, piece in enumerate(pieces):
        if index % 2:
            out.append(_boundary(piece, line, engine))
            continue
        match = re.search(r"\r?\n\r?\n", piece)
        if match is None or not _DISPOSITION.search(piece[: match.start()]):
            out.append(engine.text(piece, 1) if piece else "")
            continue
        head, gap, body = piece[: match.start()], match[0], piece[match.end() :]
        name = _PART_NAME.search(re.sub(r"(?i)filename", "file_", head))
        out += (
            engine.text(head, 1),
            gap,
            _body(body, name[1] if name else "", _FILE_NAME.search(head) is not None, engine),
        )
    return "".join(out)


def _boundary(piece: str, line: str, engine: Engine) -> str:
    """A boundary is a random word; it stays recognisable as one, under a pseudonym when it could be anything else."""
    word = line.lstrip("-")
    from harness.sanitizer.session import PLACEHOLDER

    if (
        re.fullmatch(r"(?i)(?:WebKitFormBoundary|-*)[A-Za-z0-9]{0,70}", word)
        and not PLACEHOLDER.search(word)
        and len(word) < 100
    ):
        cleaned = engine.session.pseudonym("opaque", word) if len(word) >= 16 else word
        return piece.replace(word, cleaned)
    return engine.text(piece, 1)


def _body(body: str, name: str, is_file: bool, engine: Engine) -> str:
    from harness.sanitizer.document import Place

    text = body.rstrip("\r\n")
    ending = body[len(text) :]
    if not text:
        return body
    if is_file or policy_of(name) == "image":
        from harness.sanitizer.session import PLACEHOLDER

        return body if PLACEHOLDER.fullmatch(text) else engine.session.pseudonym("image", text) + ending
    return engine.leaf(text, Place(name), 1) + ending


def blocks(text: str, size: int) -> Iterator[str]:
    """The text in blocks of whole lines of about `size` characters. What spans lines (PEM, YAML) is not cut."""
    at = 0
    while at < len(text):
        end = min(len(text), at + size)
        if end < len(text):
            stop = text.find("\n", end)
            if stop < 0 or stop - at > 40 * size:
                stop = _inside_a_line(text, end, at + 40 * size)
            end = stop + 1
            begun = text.rfind("-----BEGIN", at, end)
            if begun >= 0 and text.find("-----END", begun, end) < 0:
                close = text.find("-----END", end, end + 20_000)
                if close >= 0:
                    line = text.find("\n", close)
                    end = len(text) if line < 0 else line + 1
            while (
                end < len(text) and text[end] in " \t" and end - at < 4 * size
            ):  # lines further in belong to the one above
                line = text.find("\n", end)
                end = len(text) if line < 0 else line + 1
        yield text[at:end]
        at = end


def _inside_a_line(text: str, end: int, limit: int) -> int:
    """Where a line that is longer than any block may be cut: at a blank, else nowhere."""
    stop = text.find("\n", end, limit)
    if stop >= 0:
        return stop
    return (
        len(text) - 1
        if len(text) <= limit
        else text.rfind(" ", end, limit)
        if text.rfind(" ", end, limit) > 0
        else len(text) - 1
    )
