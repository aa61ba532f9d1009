"""Everything that must go from a piece of free text: one collection of spans over one byte view."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.sanitizer import patterns
from harness.sanitizer.fields import fields, secret_part
from harness.sanitizer.hosts import LOOPBACK, judged
from harness.sanitizer.hostscan import HostScan
from harness.sanitizer.opaquescan import MAX_DEPTH, OpaqueScan
from harness.sanitizer.prose import prose_spans
from harness.sanitizer.scanbase import view_of
from harness.sanitizer.session import PLACEHOLDER
from harness.sanitizer.spans import Span
from harness.sanitizer.urls import URL, clean_url, split_trailing

if TYPE_CHECKING:
    pass

_MARK = 1  # stands in the view for what is dealt with

_EMBEDDED = re.compile(r'[{\[]\s{0,40}(?:["{\[]|[}\]])')
_DECODER = json.JSONDecoder()

Pseudonym = Callable[[str, str], str]


class TextScan(HostScan, OpaqueScan):
    """One text and what was found in it."""

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
            named = body[0] == "[" and text[end : end + 4].lstrip()[:1] in ("=", ":")  # PHP's ["name"]=> "value"
            if end - start > 2 and not named and not (body[0] == "[" and body[1:2] not in '{"['):
                self.spans.append(Span(start, end, "blob", 9, cleaned))
                self._blank(start, end)
            at = end

    def _urls(self) -> None:
        for found in URL.finditer(self.mask.decode("latin-1")):
            start = found.start()
            url, _ = split_trailing(self.text[start : found.end()])
            cleaned = clean_url(
                url,
                self.session.pseudonym if not PLACEHOLDER.search(url) else self._kept,
                self.engine.parameter(self.depth),
            )
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
        for rule in self.engine.likely.of(lowered):
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
                if kind == "phone" and field.name.lower() == "cell" and re.search(r"[A-Za-z]{2}.*/", value):
                    continue
                if kind in ("account", "user") and not field.quoted and not re.match(r"[\w\xff-\U0010ffff@-]", value):
                    continue
                if kind in ("user", "account") and value.lower() in (
                    "error",
                    "agent",
                    "not",
                    "is",
                    "has",
                    "was",
                    "and",
                    "or",
                    "the",
                    "a",
                ):
                    continue
                if kind == "ip":  # of a list of hops each is a value of its own
                    for hop in re.finditer(r"[^\s,;]+", text[part[0] : part[1]]):
                        self.add(part[0] + hop.start(), part[0] + hop.end(), kind, 2)
                    continue
                self.add(part[0], part[1], kind, 2)
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
        for piece in (
            re.finditer(r"[^\s,;\"'()\[\]]+", value)
            if policy != "request_id"
            else [re.match(r"[^\s,\"'()\[\]]+", value)]
        ):
            if piece is None:
                continue
            word = piece[0].rstrip(".,;:")
            if self.engine.is_id(policy, word):
                self.pardons.append((start + piece.start(), start + piece.start() + len(word)))

    def _ids(self, view: bytes) -> None:
        text = self.text
        if '" ' in text:
            for line in patterns.ACCESS.finditer(view):
                for found in patterns.ACCESS_ID.finditer(text, *line.span(1)):
                    self.pardons.append(found.span(1))
        if "} " in text:
            for line in patterns.CAPTURED.finditer(view):
                for found in patterns.CAPTURED_ID.finditer(text, *line.span(1)):
                    self.pardons.append(found.span(1))
        for found in patterns.SUM_LINE.finditer(text):
            self.pardons.append(found.span(1))
        self.pardons.sort()

    def _escapes(self, view: bytes) -> None:
        """Tokens with escapes are read as others would read them; a hit takes the whole token as it stands."""
        if self.depth >= MAX_DEPTH:
            return
        text = self.text
        for sign, pattern, decode in patterns.ESCAPED:
            if sign not in text:
                continue
            pieces: list[str] = []
            places: list[tuple[int, int]] = []
            for found in pattern.finditer(view):
                start, end = found.span(1)
                if sign == "=" and self._splits_a_field(start, end):
                    continue
                plain = decode(text[start:end])
                if plain != text[start:end]:
                    before = (
                        text[max(0, start - 60) : start].rpartition("\n")[2]
                        if text[start - 1 : start] in ("=", ":", " ") and start
                        else ""
                    )
                    pieces.append(f"{before}\x00{plain}".replace("\n", " "))
                    places.append((start, end))
            for place, piece in zip(places, pieces, strict=True):
                before, _, plain = piece.partition("\x00")
                if self.engine.finds(plain, self.depth + 2):
                    self.add(*place, "encoded", 6)
        if not text.isascii():
            self._invisible()

    def _splits_a_field(self, start: int, end: int) -> bool:
        """Whether a sign of equality stands between a name and an id that may stay: ``id=12ab…`` is no ``=12``."""
        first = bisect_right(self.pardons, (start, len(self.text)))
        for place in range(first, len(self.pardons)):
            at, until = self.pardons[place]
            if at >= end:
                break
            if until <= end and self.text[at - 1] == "=":
                return True
        return False

    def _invisible(self) -> None:
        """Signs without width, and letters of other alphabets that look like ours, cut a key apart for a pattern."""
        import unicodedata

        for found in patterns.NOT_ASCII.finditer(bytes(self.mask)):
            token = self.text[slice(*found.span(1))]
            plain = unicodedata.normalize("NFKC", patterns.INVISIBLE.sub("", token))
            if plain != token and len(token) < 4000 and self.engine.finds(plain, self.depth + 2):
                self.add(found.start(1), found.end(1), "encoded", 6)
