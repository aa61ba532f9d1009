"""Everything that must go from a piece of free text: one collection of spans over one byte view."""

from __future__ import annotations

import codecs
import html
import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from harness.sanitizer.fields import fields, secret_part
from harness.sanitizer.hosts import LOOPBACK, judged, looks_like_host
from harness.sanitizer.opaque import HASHES, ID_SHAPES, MIN_CHARS, REQUEST_ID, SELF_EVIDENT, decoded, is_opaque
from harness.sanitizer.prose import prose_spans
from harness.sanitizer.rules import compiled
from harness.sanitizer.session import PLACEHOLDER, unescaped
from harness.sanitizer.spans import Span
from harness.sanitizer.urls import URL, clean_url, split_trailing

if TYPE_CHECKING:
    from harness.sanitizer.engine import Engine

MAX_DEPTH = 6
_MARK = 1  # stands in the view for what is dealt with
codecs.register_error("harness-ff", lambda e: (b"\xff" * (e.end - e.start), e.end) if isinstance(e, UnicodeEncodeError) else (b"", 0))

_TOKEN = compiled(r"([A-Za-z0-9_\-+=~*]{16,})")
_SLASHED = compiled(r"([A-Za-z0-9+]{2,}(?:\\?/[A-Za-z0-9+]*){1,}(?:[A-Za-z0-9+/]*)={0,2})")
_SHORT_BASE64 = compiled(r"(?:^|[^A-Za-z0-9+/_=-])([A-Za-z0-9+/_-]{10,}={0,2})")
_DOTTED = compiled(r"((?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z][A-Za-z0-9-]{0,23})(?::[0-9]{2,5})?")
_HOST_WORD = compiled(
    r"(?i)(?:^|[\s\[(\"'])(?:host|hostname|upstream|server|node|pod|peer|backend|connect(?:ed|ing)? to|resolv\w+(?: host)?:?|dial tcp|lookup|machine|instance|worker|on host|from host"
    r"|via|could not resolve host:|getaddrinfo \w+|remote host|proxy)[ \"'(:=]{1,3}((?:[a-z0-9]+-)*[a-z]*[0-9-]+[a-z0-9-]*(?::[0-9]{2,5})?|[a-z][a-z0-9-]{2,60}:[0-9]{2,5})(?:[^a-z0-9.-]|$)")
_LEVEL = re.compile(r"(?i)error|info|warn|warning|debug|trace|fatal|critical|notice|crit|alert|emerg|err|severe|verbose|panic|stderr|stdout")
_NO_HOST = re.compile(r"(?i)(?:[a-z]+-)?(?:\d+(?:ms|s|x\d+)?|[a-z]{1,2}\d|http2?|tls1?|h2)")
_SYSLOG = compiled(
    r"(?m)^(?:<\d{1,3}>\d?\s?)?(?:[A-Z][a-z]{2}\s+\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) ([A-Za-z][\w.-]{1,80}) [\w./-]{1,48}(?:\[\d+\])?:? ")
_POD = compiled(r"(\b[a-z][a-z0-9-]{1,50}-[a-f0-9]{8,10}-[a-z0-9]{5}\b|\b[a-z][a-z0-9-]{2,40}-(?:prod|staging|stage|eu|us|dev|internal|prd)-?[0-9]{1,4}\b)")
_CALLED = re.compile(
    r"(?i)(?:request|trace|correlation|span|call|job|task|run|generation|prediction|response|ray|transaction|operation|invocation|batch|completion|attempt|idempotency|message|event|unique)"
    r"(?:[ _-]?(?:id|ids|key|no|uuid|number)[\"'\])]{0,2}\s?(?:[:=#]|is|was|of)?\s?[\"'(\[<`]{0,2}|s?(?: |: ?| ?#|=)[\"'\[<`(]?)(?:[\w.-]{1,12}[-_:])?$")
_HASHED = re.compile(r"(?i)(?:sha-?\d{1,3}|md5|digest|checksum|hash|fingerprint|etag)(?:sum)?[\"'\])]{0,2}\s?(?:[:=]|is|of|\()?\s?[\"'(\[`]{0,2}(?:W/\")?$")
_SUM_LINE = re.compile(r"(?m)^([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}) [ *](?=[\w.-]{1,80}$)")
_ACCESS = compiled(r'("(?:[A-Z]{3,8}) [^"\n]*" [0-9]{3} [0-9-]+[^\n]*)')
_ACCESS_ID = re.compile(r"(?:^|[\s\"=])([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=$|[\s\"])")
# (signs without which there is nothing to do, the token around an escape, what undoes it)
_ESCAPED = (
    ("%", compiled(r"([^\s\"'<>?=&,;(){}\x01]*%[0-9A-Fa-f]{2}[^\s\"'<>?=&,;(){}\x01]*)"), lambda text: unquote(text, errors="replace")),
    ("&", compiled(r"([^\s\"'<>\x01]*&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,10});[^\s\"'<>\x01]*)"), html.unescape),
    ("\\", compiled(r"([^\s\"'<>\x01]*\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|/)[^\s\"'<>\x01]*)"), unescaped),
    ("=", compiled(r"([^\s\"'<>\x01]*=[0-9A-F]{2}[^\s\"'<>\x01]*)"), lambda text: re.sub(r"=([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), text)),
)  # fmt: skip
_NOT_ASCII = compiled(r"([^\s\x01]*\xff[^\s\x01]*)")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff\u202a-\u202e]")
_EMBEDDED = re.compile(r'[{\[]\s{0,40}(?:["{\[]|[}\]])')
_DECODER = json.JSONDecoder()
_TOKEN_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_RIGHT = re.compile(r"[A-Za-z0-9_\-+/=.~%*]*")

Pseudonym = Callable[[str, str], str]


def view_of(text: str) -> bytes:
    """One byte for every character; those outside ASCII are 0xff."""
    return text.encode("ascii", "harness-ff")


class TextScan:
    """One text and what was found in it."""

    def __init__(self, engine: Engine, text: str, depth: int, prose_words: int) -> None:
        self.engine = engine
        self.session = engine.session
        self.text = text
        self.depth = depth
        self.prose_words = prose_words
        self.spans: list[Span] = []
        self.pardons: list[tuple[int, int]] = []
        self.mask = bytearray(view_of(text))
        self.placeholders = [found.span() for found in PLACEHOLDER.finditer(text)] if "<" in text else []
        for start, end in self.placeholders:
            self._blank(start, end)

    def _blank(self, start: int, end: int) -> None:
        self.mask[start:end] = b"\x01" * (end - start)

    def add(self, start: int, end: int, kind: str, rank: int = 5) -> None:
        """A part that must go, unless nothing of it is left but placeholders."""
        if end <= start or not bytes(self.mask[start:end]).strip(b"\x01 \t\r\n\"',;&()[]{}\\:=<>") and self._all_placeholders(start, end):
            return
        self.spans.append(Span(start, end, kind, rank))

    def _all_placeholders(self, start: int, end: int) -> bool:
        rest = PLACEHOLDER.sub("", self.text[start:end])
        return not rest.strip(" \t\r\n\"',;&()[]{}\\:=<>") if rest != self.text[start:end] else True

    def run(self) -> list[Span]:
        """Every span, unmerged."""
        text = self.text
        if self.depth < MAX_DEPTH and ("{" in text or "[" in text):
            self._embedded()
        if ":/" in text or ":\\/" in text:
            self._urls()
        view = bytes(self.mask)
        lowered = view.lower()
        self._rules(view, lowered)
        self._fields(view)
        self._ids(view)
        self._hosts(view)
        self._opaque(view)
        self._escapes(view)
        if self.prose_words:
            masked = bytearray(view)
            for span in self.spans:
                masked[span.start : span.end] = b"\x01" * (span.end - span.start)
            for start, end in prose_spans(text, bytes(masked), self.prose_words):
                self.add(start, end, "text", 8)
        return self.spans

    # -- structures inside -------------------------------------------------------------------------------------------

    def _embedded(self) -> None:
        text, at = self.text, 0
        budget = 4 * len(text) + 1000  # of characters that may be parsed in vain: the whole stays linear
        while budget > 0:
            found = _EMBEDDED.search(text, at)
            if found is None:
                return
            start = found.start()
            try:
                _, end = _DECODER.raw_decode(text, start)
            except ValueError as error:
                position = getattr(error, "pos", start)
                budget -= max(position - start, 1) + (0 if position < len(text) - 1 else len(text) - start)
                at = start + 1
                continue
            except RecursionError:
                self.spans.append(Span(start, len(text), "cut", 0))
                self._blank(start, len(text))
                return
            body = text[start:end]
            cleaned = self.engine.json(body, self.depth + 1)
            if end - start > 2 and not (body[0] == "[" and body[1:2] not in "{\"["):
                self.spans.append(Span(start, end, "blob", 9, cleaned))
                self._blank(start, end)
            at = end

    def _urls(self) -> None:
        for found in URL.finditer(self.mask.decode("latin-1")):
            start = found.start()
            url, _ = split_trailing(self.text[start : found.end()])
            cleaned = clean_url(url, self.session.pseudonym if not PLACEHOLDER.search(url) else self._kept, self.engine.parameter(self.depth))
            end = start + len(url)
            if cleaned != url:
                self.spans.append(Span(start, end, "url", 9, cleaned))
            self._blank(start, end)

    def _kept(self, kind: str, value: str) -> str:
        """In a URL that was cleaned before, what is a placeholder stays one."""
        whole = value.replace("\\/", "/")
        shown = re.sub(r"(?i)^[a-z0-9]+://", "", whole)
        if PLACEHOLDER.fullmatch(value) or (PLACEHOLDER.match(shown) and kind == "account"):
            return value
        return self.session.pseudonym(kind, value)

    # -- detectors ---------------------------------------------------------------------------------------------------

    def _rules(self, view: bytes, lowered: bytes) -> None:
        for rule in self.session.rules:
            if rule.needles and not any(needle in lowered for needle in self.engine.needles[rule.id]):
                continue
            group = 1 if rule.program.groups else 0
            done = 0
            for found in rule.program.finditer(view):
                start, end = found.span(group)
                if start < done:
                    continue
                if rule.check is not None and not rule.check(self.text[start:end]):
                    continue
                if rule.unless_after is not None and rule.unless_after.search(self.text[max(0, start - 24) : start]):
                    continue
                if rule.after is not None and not rule.after.search(self.text[max(0, start - 24) : start]):
                    continue
                if rule.wide:
                    start, done = self._widened(start, end, done)
                    end = done
                self.add(start, end, rule.kind, 3)
        if self.session.known is not None:
            for found in self.session.known.finditer(bytes(view_of(self.text))):
                start, end = self._widened(*found.span(1))
                self.add(start, end, "known", 1)

    def _widened(self, start: int, end: int, floor: int = 0) -> tuple[int, int]:
        """Out to the edges of the token, but not to the left of `floor`."""
        text = self.text
        while start > floor and text[start - 1] in _TOKEN_CHARS:
            start -= 1
        right = _RIGHT.match(text, end)
        end = right.end() if right is not None else end
        while end > start and text[end - 1] in ".":
            end -= 1
        return start, end

    def _fields(self, view: bytes) -> None:
        text = self.text
        for field in fields(text, view):
            policy, start, end = field.policy, field.start, field.end
            value = text[start:end]
            if policy.startswith("drop:"):
                part = secret_part(text, start, end, policy)
                if part is None or (policy == "drop:host" and value.lower() in LOOPBACK):
                    continue
                kind = policy[5:]
                if kind == "host" and judged(value.partition(":")[0])[0]:
                    continue
                if kind == "ip" and not re.search(r"[0-9a-fA-F][.:]", value):
                    continue
                if kind in ("account", "user") and not field.quoted and not re.match(r"[\w\xff-\U0010ffff@-]", value):
                    continue
                if kind in ("user", "account") and value.lower() in ("error", "agent", "not", "is", "has", "was", "and", "or", "the", "a"):
                    continue
                if kind == "ip":  # of a list of hops each is a value of its own
                    for hop in re.finditer(r"[^\s,;]+", text[part[0] : part[1]]):
                        self.add(part[0] + hop.start(), part[0] + hop.end(), kind, 2)
                    continue
                self.add(*part, kind, 2)
            elif policy in ("request_id", "id", "hash"):
                self._pardon(policy, start, end)
            elif policy == "host":
                self._host_field(start, end)
            elif policy == "text" and (field.quoted or field.leading) and not re.match(r"\s*[\[{]", value):
                if re.search(r"[A-Za-z]{2}", value) and not value.strip().isdigit():
                    self.add(start, end, "prompt", 2)
            elif policy == "image" and (len(value) > 200 or re.match(r"@|data:|https?:", value)) and field.quoted:
                self.add(start, end, "image", 2)
            elif policy == "image" and value.startswith("@"):
                self.add(start, end, "path", 2)

    def _pardon(self, policy: str, start: int, end: int) -> None:
        value = self.text[start:end].strip()
        start += len(self.text[start:end]) - len(self.text[start:end].lstrip())
        for piece in re.finditer(r"[^\s,;\"'()\[\]]+", value) if policy != "request_id" else [re.match(r"[^\s,\"'()\[\]]+", value)]:
            if piece is None:
                continue
            word = piece[0].rstrip(".,;:")
            if self.engine.is_id(policy, word):
                self.pardons.append((start + piece.start(), start + piece.start() + len(word)))

    def _host_field(self, start: int, end: int) -> None:
        value = self.text[start:end].strip()
        if self.mask[start:end].count(_MARK) or not value or "/" in value:
            return
        host = value.partition(":")[0]
        if re.fullmatch(r"[\w.-]{2,253}", host) and not judged(host)[0] and host.lower() not in ("nginx", "envoy", "haproxy", "caddy", "cloudflare", "openai", "azure", "none", "null", "unknown"):
            stays, label, _ = judged(host)
            if not stays:
                self.add(start, start + (len(label) or len(host)), "host", 4)

    def _ids(self, view: bytes) -> None:
        text = self.text
        if '" ' in text:
            for line in _ACCESS.finditer(view):
                for found in _ACCESS_ID.finditer(text, *line.span(1)):
                    self.pardons.append(found.span(1))
        for found in _SUM_LINE.finditer(text):
            self.pardons.append(found.span(1))
        self.pardons.sort()

    def _hosts(self, view: bytes) -> None:
        text = self.text
        if "." in text:
            for found in _DOTTED.finditer(view):
                start, end = found.span(1)
                name = text[start:end]
                port = found.end() > end
                if start and text[start - 1] in "@/\\" and not text[start - 1] == "@":
                    if text[max(0, start - 2) : start] != "//":
                        continue
                if text[end : end + 1] in ("(", "/") and not port and text[end : end + 1] == "(":
                    continue
                if looks_like_host(name) or (port and re.search(r"[a-z]", name) and not re.search(r"\.(?:py|js|ts|go|java|c|rb|rs|php|html?|sh)$", name)):
                    stays, label, _ = judged(name)
                    if not stays:
                        self.add(start, start + len(label), "host", 6)
        for pattern in (_HOST_WORD, _SYSLOG):
            for match in pattern.finditer(view):
                start, end = match.span(1)
                name, _, port = text[start:end].partition(":")
                if "." in name or name.lower() in LOOPBACK or name.replace("-", "").isdigit():
                    continue
                if _LEVEL.fullmatch(name):
                    continue
                if pattern is _SYSLOG or not (_NO_HOST.fullmatch(name) or SELF_EVIDENT.fullmatch(name)):
                    self.add(start, start + len(name), "host", 6)
        if "-" in text:
            for match in _POD.finditer(view):
                start, end = match.span(1)
                if not SELF_EVIDENT.match(text[start:end]) and not self._pardoned(start, end):
                    self.add(start, end, "host", 7)

    def _pardoned(self, start: int, end: int) -> bool:
        at = bisect_right(self.pardons, (start, len(self.text))) - 1
        return any(self.pardons[i][0] <= start and end <= self.pardons[i][1] for i in range(max(0, at - 1), at + 1))

    def _may_stay(self, start: int, end: int, token: str) -> bool:
        if self._pardoned(start, end) or SELF_EVIDENT.fullmatch(token):
            return True
        before = self.text[max(0, start - 40) : start]
        bare = token.strip("-_=+~*")
        if ID_SHAPES.fullmatch(bare) and _CALLED.search(before) and decoded(bare) is None:
            return True
        return HASHES.fullmatch(bare) is not None and _HASHED.search(before) is not None and decoded(bare) is None

    def _opaque(self, view: bytes) -> None:
        text = self.text
        for found in _TOKEN.finditer(view):
            start, end = found.span(1)
            token = text[start:end]
            lead = token.rpartition("=")[0] if "=" in token.rstrip("=") else ""
            if lead:
                start += len(token[: len(token.rstrip("="))].rpartition("=")[0]) + 1
                token = text[start:end]
            while token and token[0] in "-_+~*=":
                start, token = start + 1, token[1:]
            if len(token) >= MIN_CHARS and is_opaque(token.rstrip("=~*-_")) and not self._may_stay(start, end, token.rstrip("=~*-_")):
                if not self._may_stay(*self._whole(start, end)):
                    self.add(start, end, "opaque", 7)
        for found in _SLASHED.finditer(view):
            start, end = found.span(1)
            token = text[start:end].replace("\\/", "/")
            if len(token) >= 24 and self._slashed_is_opaque(token) and not self._pardoned(start, end) and not self._may_stay(start, end, token):
                self.add(*self._widened(start, end), "opaque", 7)
        for found in _SHORT_BASE64.finditer(view):
            start, end = found.span(1)
            token = text[start:end]
            if not token.islower() or token.isalnum():
                self._encoded(start, end, token)

    def _whole(self, start: int, end: int) -> tuple[int, int, str]:
        """The token with what dots and colons join to it: an id may have parts."""
        while start and self.text[start - 1] in "-_=.:;" + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789":
            start -= 1
        while end < len(self.text) and (self.text[end] in "-_=.:;" or self.text[end].isalnum()):
            end += 1
        token = self.text[start:end].rstrip(".:;")
        return start, start + len(token), token

    def _slashed_is_opaque(self, token: str) -> bool:
        parts = [part for part in token.rstrip("=").split("/") if part]
        if not parts or max(map(len, parts)) < 6:
            return False
        strange = sum(len(part) for part in parts if len(part) >= 4 and is_opaque(part.rjust(16, part[0]) if len(part) < 16 else part) and re.search(r"[A-Z0-9]", part[1:]))
        return strange * 2 >= len(token) and strange >= 12

    def _encoded(self, start: int, end: int, token: str) -> None:
        inside = decoded(token)
        if inside is None or self.depth >= MAX_DEPTH:
            return
        if len(inside) >= 12 or self.engine.finds(inside, self.depth + 2) or (":" in inside and inside.isascii()):
            if not (len(inside) < 12 and not token.endswith("=") and token.isalpha()):
                self.add(*self._widened(start, end), "encoded", 6)

    def _escapes(self, view: bytes) -> None:
        """Tokens with escapes are read as others would read them; a hit takes the whole token as it stands."""
        if self.depth >= MAX_DEPTH:
            return
        text = self.text
        for sign, pattern, decode in _ESCAPED:
            if sign not in text:
                continue
            pieces: list[str] = []
            places: list[tuple[int, int]] = []
            for found in pattern.finditer(view):
                start, end = found.span(1)
                plain = decode(text[start:end])
                if plain != text[start:end]:
                    before = text[max(0, start - 60) : start].rpartition("\n")[2] if text[start - 1 : start] in ("=", ":", " ") and start else ""
                    pieces.append(f"{before}\x00{plain}".replace("\n", " "))
                    places.append((start, end))
            for place, piece in zip(places, pieces, strict=True):
                before, _, plain = piece.partition("\x00")
                if self.engine.finds(plain, self.depth + 2):
                    self.add(*place, "encoded", 6)
        if not text.isascii():
            self._invisible()

    def _invisible(self) -> None:
        """Signs without width, and letters of other alphabets that look like ours, cut a key apart for a pattern."""
        import unicodedata

        for found in _NOT_ASCII.finditer(bytes(self.mask)):
            token = self.text[slice(*found.span(1))]
            plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", token))
            if plain != token and len(token) < 4000 and self.engine.finds(plain, self.depth + 2):
                self.add(*found.span(1), "encoded", 6)
