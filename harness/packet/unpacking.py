"""Bytes of a file or of standard input to text, without loss, or a refusal. Nothing is passed through unread."""

from __future__ import annotations

import gzip
import io
import json
import secrets
import zipfile
import zlib
from collections import Counter

from harness.packet.sanitize import Sanitized, SanitizerRefused, sanitized

MAX_BYTES = 400_000_000
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)  # fmt: skip
_MAGIC = (
    (b"\x89PNG", "a PNG image"), (b"\xff\xd8\xff", "a JPEG image"), (b"GIF8", "a GIF image"),
    (b"RIFF", "an image or sound"),
    (b"%PDF", "a PDF"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"), (b"7z\xbc\xaf", "7z"), (b"Rar!", "rar"),
)  # fmt: skip


def members(data: bytes, depth: int = 0) -> list[tuple[str, str]]:
    """(name, text) of everything in these bytes; the name is empty unless it came out of a zip.

    Raises:
        SanitizerRefused: not text, too large, or damaged. Says what it is and where, never what it holds.
    """
    if depth > 3:
        raise SanitizerRefused("an archive in an archive in an archive: unpack it first")
    if len(data) > MAX_BYTES:
        raise SanitizerRefused(f"more than {MAX_BYTES} bytes: sanitize it in parts")
    if data[:2] == b"\x1f\x8b":
        return members(_gunzipped(data), depth + 1)
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zipped(data, depth)
    what = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    if what is not None:
        raise SanitizerRefused(f"this is {what}, not text: it cannot be sanitized")
    return [("", _text(data))]


def _gunzipped(data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as opened:
            out = opened.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        out = None
    if out is None:
        raise SanitizerRefused("a damaged gzip: nothing of it comes out")
    if len(out) > MAX_BYTES:
        raise SanitizerRefused(f"more than {MAX_BYTES} bytes when unpacked")
    return out


def _zipped(data: bytes, depth: int) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if sum(info.file_size for info in infos) <= MAX_BYTES and len(infos) <= 10_000:
                bodies = [(info.filename, archive.read(info)) for info in infos]
            else:
                bodies = None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, zlib.error, ValueError):
        infos, bodies = [], None
    if bodies is None:
        raise SanitizerRefused("a zip that is damaged, encrypted or too large: nothing of it comes out")
    for name, body in bodies:
        out += [(f"{name}{'/' + inner if inner else ''}", text) for inner, text in members(body, depth + 1)]
    return out


def _text(data: bytes) -> str:
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    if encoding is None and b"\x00" in data[:4096]:
        head = data[:4096]
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if odd > 0.4 * len(head[1::2]) and not even:
            encoding = "utf-16-le"
        elif even > 0.4 * len(head[0::2]) and not odd:
            encoding = "utf-16-be"
    try:
        text: str | None = data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        text, offset = None, error.start
    if text is None and encoding is None:
        text = data.decode("latin-1")  # an old log: every byte is a letter, and none is lost
        controls = sum(character < " " and character not in "\t\n\r\x1b\x0c" for character in text[:100_000])
        if controls * 50 > len(text[:100_000]):
            raise SanitizerRefused(f"binary data at offset {offset}: not text")
    if text is None:
        raise SanitizerRefused(f"not {encoding} at offset {offset}")
    if "\x00" in text:
        raise SanitizerRefused(f"a NUL character at offset {text.index(chr(0))}: not text")
    return text


def sanitize_bytes(data: bytes, *, form: str = "auto", salt: bytes | None = None) -> Sanitized:
    """Whatever these bytes hold, sanitized with one salt; the members of a zip one after the other, under their names.

    Raises:
        SanitizerRefused: as `members` and `sanitized`.
    """
    salt = salt if salt is not None else secrets.token_bytes(32)
    parts = members(data)
    if len(parts) == 1 and not parts[0][0]:
        return sanitized(parts[0][1], salt=salt, form=form)
    texts: list[str] = []
    counts: Counter[str] = Counter()
    for name, text in parts:
        title = sanitized(name, salt=salt)
        body = sanitized(text, salt=salt, form=form)
        texts.append(f"===== {title.text}\n{body.text}{'' if body.text.endswith(chr(10)) else chr(10)}")
        counts.update(title.counts)
        counts.update(body.counts)
    return Sanitized("".join(texts), "zip", dict(counts))


def report_json(done: Sanitized) -> str:
    """Counts by kind, as one line of JSON."""
    body = {"format": done.form, "replaced": sum(done.counts.values()), "by_kind": dict(sorted(done.counts.items()))}
    return json.dumps(body) + "\n"
