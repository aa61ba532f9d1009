"""The sanitizer: which structure a text has, and what becomes of each of its leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from harness.sanitizer import carriers, tables
from harness.sanitizer.document import Place, clean_json, is_json
from harness.sanitizer.fields import secret_part
from harness.sanitizer.hosts import LOOPBACK, judged
from harness.sanitizer.names import normal, policy_of
from harness.sanitizer.opaque import HASHES, ID_SHAPES, REQUEST_ID, SELF_EVIDENT, decoded, is_opaque
from harness.sanitizer.opaquescan import MAX_DEPTH
from harness.sanitizer.prose import has_words, is_machine_talk
from harness.sanitizer.rules import Likely
from harness.sanitizer.session import PLACEHOLDER, Session
from harness.sanitizer.spans import replaced
from harness.sanitizer.textscan import TextScan
from harness.sanitizer.urls import clean_query

BLOCK_CHARS = 60_000
PROSE_WORDS = 8  # in a row, in a line of a log
_HARMLESS = re.compile(r"[A-Za-z][a-z]{0,11}(?:[ _-][a-z]{1,10}){0,2}|[-+]?[0-9]{1,10}(?:\.[0-9]{1,6})?(?:ms|s|%)?|")
_QUERY = re.compile(r"[\w.\-%\[\]]{1,80}=[^\s&]*(?:&[\w.\-%\[\]]{1,80}=[^\s&]*)+")
_SECRET_KINDS = frozenset({"key", "cookie"})
_INHERITED = frozenset({"key", "cookie", "account", "user", "person", "host", "prompt", "email", "phone", "url"})
_LABELS = frozenset(
    {
        "id",
        "name",
        "value",
        "slug",
        "title",
        "label",
        "key",
        "data",
        "text",
        "alias",
        "ref",
        "code",
        "number",
        "uuid",
        "message",
    }
)
_NUMBER_KINDS = frozenset({"account", "user", "phone", "key", "person", "cookie", "ip"})


class Engine:
    """One call's way through a text. `likely` holds the detectors that are on."""

    def __init__(self, likely: Likely, session: Session) -> None:
        self.session = session
        self.likely = likely
        self._leaves: dict[tuple[str, tuple[str, ...], str], str] = {}
        self._quiet = 0

    # -- whole texts -------------------------------------------------------------------------------------------------

    def document(self, text: str, form: str) -> str:
        """A whole input of a known form."""
        if form in ("har", "json"):
            return self.json(text, 0)
        if form == "multipart":
            return carriers.multipart(text, self)
        if form == "form":
            ending = text[len(text.rstrip()) :]
            return clean_query(text.rstrip(), self.parameter(1)) + ending
        separator = tables.separator_of(text) if form == "text" else None
        if separator is not None:
            return tables.table(text, separator, self)
        return "".join(self.lines(text, 0))

    def lines(self, text: str, depth: int) -> Iterable[str]:
        """Free text block by block; a line that is JSON by itself (JSONL, SSE) is read as JSON."""
        for block in carriers.blocks(text, BLOCK_CHARS):
            yield self.text(block, depth)

    def json(self, text: str, depth: int) -> str:
        """A JSON text."""
        if depth > MAX_DEPTH:
            return '"<cut:00000000>"' if not PLACEHOLDER.search(text) or len(text) > 60 else text
        return clean_json(
            text, lambda value, place: self.leaf(value, place, depth), lambda key: self.key(key, depth), self.number
        )

    def text(self, text: str, depth: int, prose_words: int = PROSE_WORDS) -> str:
        """Free text."""
        if not text.strip():
            return text
        return replaced(text, TextScan(self, text, depth, prose_words).run(), self.session.pseudonym)

    def finds(self, text: str, depth: int) -> bool:
        """Whether there is anything in this view that must go. Nothing is counted."""
        if depth > MAX_DEPTH + 1:
            return True
        stripped = text.strip()
        scratch = Session(self.session.rules, salt=b"view")
        scratch.known = self.session.known
        return Engine(self.likely, scratch).leaf_text(stripped, "", depth, 4) != stripped

    # -- leaves ------------------------------------------------------------------------------------------------------

    def key(self, key: str, depth: int) -> str:
        """The name of a field: it may be somebody's address or a token itself."""
        if len(key) < 3 or re.fullmatch(r"[A-Za-z][a-z_-]{0,30}", key):
            return key
        return self.text(key, depth + 1, 4)

    def number(self, token: str, place: Place) -> str | None:
        """A number that is somebody's: an account, a channel, a telephone."""
        policy = self._policy(place)
        if policy is None or not policy.startswith("drop:") or policy[5:] not in _NUMBER_KINDS:
            return None
        if "." in token and policy[5:] != "person":
            return None
        return self.session.pseudonym(policy[5:], token)

    def leaf(self, value: str, place: Place, depth: int) -> str:
        """A string of a JSON text."""
        if len(value) < 200:
            memo = (place.name, place.above[:3], value)
            known = self._leaves.get(memo)
            if known is None:
                known = self._leaf(value, place, depth)
                if len(self._leaves) < 50_000:
                    self._leaves[memo] = known
            elif known != value:
                self.session.counts[known[1:].partition(":")[0] if PLACEHOLDER.fullmatch(known) else "text"] += 1
            return known
        return self._leaf(value, place, depth)

    def _policy(self, place: Place) -> str | None:
        own = policy_of(place.name)
        if own is not None and own.startswith("drop:"):
            return own
        if own is None or normal(place.name) in _LABELS:
            for index, name in enumerate(place.above):
                policy = policy_of(name) if name else None
                kind = policy[5:] if policy is not None and policy.startswith("drop:") else ""
                if kind in _INHERITED and (own is None or kind != "prompt"):
                    return policy
                if policy is not None and index and not policy.startswith("drop"):
                    break
        return own

    def _leaf(self, value: str, place: Place, depth: int) -> str:
        policy = self._policy(place)
        if policy == "drop:phone" and normal(place.name) == "cell" and re.search(r"[A-Za-z]{2}.*/", value):
            policy = "id"  # nginx/high/1024x1024: one of a matrix, no telephone
        stripped = value.strip()
        if not stripped or PLACEHOLDER.fullmatch(stripped):
            return value
        if (policy is None or policy in ("plain", "prose", "id", "hash")) and _HARMLESS.fullmatch(value):
            return value
        if policy is not None and policy.startswith("drop:"):
            return self._dropped(value, policy)
        if policy in ("request_id", "id", "hash") and self.is_id(policy, stripped):
            return value
        if policy == "host" and re.fullmatch(r"[\w.-]+(?::\d+)?", stripped):
            stays, label, rest = judged(stripped.partition(":")[0])
            if stays or stripped.lower() in LOOPBACK:
                return value
            return self.session.pseudonym("host", label) + rest + stripped[len(stripped.partition(":")[0]) :]
        har_body = "mimeType" in place.siblings or (
            place.above
            and place.above[0] in ("postData", "content")
            and place.name == "text"
            and "mimeType" in place.siblings
        )
        if policy == "text" and not har_body and not self._structured(stripped):
            return self.session.pseudonym("prompt", value) if has_words(stripped) else self.text(value, depth + 1)
        if (
            policy == "image"
            and not self._structured(stripped)
            and (
                re.fullmatch(r"[A-Za-z0-9+/_=\s\\-]{64,}", value)
                or re.match(r"(?i)data:|https?:|/|[a-z]:\\|file:", stripped)
                or len(value) > 2000
            )
        ):
            return self.session.pseudonym("image", value)
        words = {"prose": 6, "plain": 6, "id": 3, "hash": 3}.get(policy or "", 4)
        if (
            (place.name == "text" or place.name == "body")
            and har_body
            and re.fullmatch(r"[A-Za-z0-9+/=\s]{64,}", value)
        ):
            return self.session.pseudonym("image", value)
        return self.leaf_text(value, place.name, depth, words)

    def _structured(self, text: str) -> bool:
        return text[:1] in '{["' and len(text) > 1 and _safe_is_json(text)

    def _dropped(self, value: str, policy: str) -> str:
        part = secret_part(value, 0, len(value), policy)
        if part is None:
            return value
        start, end = part
        rest = PLACEHOLDER.sub("", value[start:end])
        if rest != value[start:end] and not rest.strip(" ,;&:=/\"'"):
            return value
        if policy == "drop:host":
            host = value.strip().partition(":")[0]
            if judged(host)[0]:
                return value
        if policy == "drop:ip" and not re.search(r"[0-9a-fA-F][.:]", value):
            return self.leaf_text(value, "", 1, 4)
        if policy == "drop:ip" and value.strip() in LOOPBACK:
            return value
        if policy == "drop:ip":  # of a list of hops each is a value of its own
            return re.sub(
                r"[^\s,;]+",
                lambda hop: hop[0] if PLACEHOLDER.fullmatch(hop[0]) else self.session.pseudonym("ip", hop[0]),
                value,
            )
        return value[:start] + self.session.pseudonym(policy[5:], value[start:end]) + value[end:]

    def leaf_text(self, value: str, name: str, depth: int, words: int) -> str:
        """A string by its own structure: JSON, a form, a multipart body, or text."""
        stripped = value.strip()
        if depth > MAX_DEPTH:
            return value if len(stripped) < 12 and _HARMLESS.fullmatch(stripped) else "<cut:00000000>"
        if stripped[:1] in ("{", "[", '"') and len(stripped) > 1 and _safe_is_json(stripped):
            cleaned = self.json(stripped, depth + 1)
            return value if cleaned == stripped else value.replace(stripped, cleaned, 1)
        if carriers.is_multipart(value):
            return carriers.multipart(value, self)
        if "=" in value and "&" in value and _QUERY.fullmatch(stripped):
            return clean_query(value, self.parameter(depth + 1))
        if len(value) > 2 * BLOCK_CHARS:
            return "".join(self.lines(value, depth + 1))
        opaque = (
            " " not in stripped and len(stripped) >= 16 and is_opaque(stripped) and not SELF_EVIDENT.fullmatch(stripped)
        )
        if opaque and re.fullmatch(r"[A-Za-z0-9+/_=-]+", stripped):
            return self.session.pseudonym("opaque", value)
        del name
        if words < 6 and has_words(stripped) >= words and len(stripped) > 14 and self._is_prompt(stripped):
            return self.session.pseudonym("text", value)
        return self.text(value, depth + 1, words)

    def _is_prompt(self, text: str) -> bool:
        """Prose under a name that promises none."""
        if is_machine_talk(text) or not re.search(r"[^\x00-\x7f]{4}|[A-Za-z]{2,} [A-Za-z]", text):
            return False
        letters = sum(character.isalpha() or character in " ,.'’!?-" for character in text[:2000])
        plain = re.findall(r"(?:^|\s)[(\"']?[^\W\d_][\w'’-]*[,.!?;:)\"']*(?=\s|$)", text[:2000])
        return letters >= 0.85 * len(text[:2000]) and (len(plain) >= 4 or not text.isascii())

    def parameter(self, depth: int) -> Callable[[str, str], str]:
        """Judge of a query's or a form's value."""

        def judge(value: str, name: str) -> str:
            if not name:
                return value if _HARMLESS.fullmatch(value) else self.leaf_text(value, "", depth + 1, 4)
            if name.lower() == "key":  # in a query it is one, in JSON it is a word
                return self._dropped(value, "drop:key")
            return self.leaf(value, Place(name), depth + 1)

        return judge

    def is_id(self, policy: str, value: str) -> bool:
        """Whether a value has the form that its name promises, and hides nothing in it."""
        if SELF_EVIDENT.fullmatch(value):
            return True
        shape = {"request_id": REQUEST_ID, "id": ID_SHAPES, "hash": HASHES}[policy]
        if shape.fullmatch(value) is None or (decoded(value) is not None and not value.isdigit()):
            return False
        if policy == "request_id" and not (ID_SHAPES.fullmatch(value) or HASHES.fullmatch(value)):
            return self.text(
                value.replace("=", "-").replace(":", "-"), MAX_DEPTH - 1, 0
            ) is not None and not self._breaks_a_rule(value)
        return not self._breaks_a_rule(value)

    def _breaks_a_rule(self, value: str) -> bool:
        view = value.encode("ascii", "replace")
        lowered = view.lower()
        for rule in self.likely.of(lowered):
            found = rule.program.search(view)
            if found is not None and (
                rule.check is None or rule.check(value[slice(*found.span(1 if rule.program.groups else 0))])
            ):
                return True
        return False


def _safe_is_json(text: str) -> bool:
    try:
        return is_json(text)
    except RecursionError:
        return False
