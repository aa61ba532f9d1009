"""Names and values in free text: ``name=value``, ``Name: value``, ``"name": "value"``, ``--name value``, at any escape.

Finds where a value ends, which is the hard part: a quoted one at its own quote (escaped as deep as the opening one), a
header at its line's end, one among others before the next name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.sanitizer.names import policy_of
from harness.sanitizer.rules import compiled
from harness.sanitizer.words import words

_ASSIGNED = compiled(
    r"([A-Za-z_$\xff][\w.\-$\xff]*(?:\[[\w\-]*\])*)"
    r"((?:\\{0,8}[\"'`])?\]?[ \t]{0,3}(?:=>|:=|==|=|:)[ \t]{0,20})"
)
_OPTION = compiled(r"(?:^|\s)-{1,2}([A-Za-z][\w\-]{1,40})([ \t]+)")
_NEXT = re.compile(r"[\s,;|]+[\"'\[({]?[A-Za-z_][\w.\-]{1,40}[\"']?\s?[=:]|\t| \| ")
_NARROW = re.compile(r"[\s&\"'`<>]|[,;)\]}](?=[\s\"'&)\]},;]|$)|[,;](?=[A-Za-z_][\w.\-]{0,40}[=:])")
_BLOCK = re.compile(r"[|>][+-]?\d?[ \t]*(?:#.*)?$")
# What a value may be wrapped in: ``SecretStr('…')``, ``Some("…")``, ``[]string{"…"}``, ``string(12) "…"``, ``<<"…">>``;
# and the type that may stand before it: ``apiKey: string = '…'``.
_WRAPPED = re.compile(
    r"(?:&?[A-Za-z_][\w.<>\[\]]{0,30} ?= ?)?(?:(?:\[\])?[A-Za-z_][\w.:<>]{0,40}[(\[{] ?(?:\w{1,30}=)?|<<){0,3}"
    r"(?=\\{0,8}[\"'`])|\s{0,4}string\(\d+\) (?=\")"
)
_PORT = re.compile(r"\d{2,5}(?=[\s/\"',;)\]]|$)")
_LOOKED_UP = re.compile(r"(?i)env|input|getpass|\.get\w*\(|lookup")  # what stands in it is a name, not the value
_CALLED = re.compile(r"(?:[A-Z]\w{0,30}[(\[]){1,3}(?=[^\s\"'()\[\]]{3,200}[)\]])")
_SCHEME = re.compile(
    r"(?:(?i:bearer|basic|digest|token|key|apikey|negotiate|ntlm|hmac|aws4-hmac-sha256|hawk|sharedaccesssignature|sharedkey)"
    r"(?:\s+|%20|\+|:\s?))+"
)
_HARMLESS = re.compile(
    r"(?i)(?:null|none|nil|true|false|undefined|yes|no|on|off|\$\{?[A-Za-z_]\w*(?::[?-][^}\s]*)?\}?|os\.\w+.*|process\.env\.\w+|%s(?:\\n)?|\*{3,}|\[?redacted\]?"
    r"|<[a-z_ -]{1,30}>|\.{3}|…|-|\"\"|''|\{\}|\[\]|\{\{[^}]*\}\}|\{[A-Za-z_][\w.]*\}"
    r"|empty|missing|present|set|unset|hidden|x{3,}|~)"
)
# Without quotes these words stand before a colon in sentences too ("invalid content: …").
_GENERIC = words(
    """content system subject question completion suffix text input inputs messages instruction instructions negative
    sub team company state user project account tenant customer channel pool client session node instance
    image output result data name address contact sender recipient author resource case auth token password secret
    pass key signature sig proxy hook callback webhook namespace cluster peer"""
)


@dataclass(frozen=True)
class Field:
    """A value in a text, its name's policy, and whether it stood in quotes."""

    name: str
    policy: str
    start: int
    end: int
    quoted: bool
    leading: bool = False


def fields(text: str, view: bytes) -> Iterator[Field]:
    """Every value whose name has a policy, in order."""
    for pattern, is_option in ((_ASSIGNED, False), (_OPTION, True)):
        last = 0
        line_end = -1
        for found in pattern.finditer(view):
            start, name_end = found.span(1)
            if start < last:  # inside a value that goes anyway
                continue
            name = text[start:name_end]
            policy = "drop:key" if name == "key" and text[start - 1 : start] in ("?", "&") else policy_of(name)
            if policy is None or policy in ("plain", "prose", "url", "path"):
                continue
            if is_option and not policy.startswith("drop"):
                continue
            begin = found.end()
            if begin >= len(text):
                continue
            separator = text[name_end:begin]
            if "." in name and separator == ":" and _PORT.match(text, begin):
                continue  # www.example.org:443 is a machine, and no organisation called 443 …
            if begin > line_end or line_end < 0:
                line_end = text.find("\n", begin)
                line_end = len(text) if line_end < 0 else line_end
            stop = line_end if policy.startswith("drop") or policy in ("text", "image") else min(line_end, begin + 400)
            field = _value(text, stop, name, policy, start, begin, separator, is_option)
            if field is not None:
                last = field.end if policy.startswith("drop") else last
                yield field


def _value(
    text: str, line_end: int, name: str, policy: str, start: int, begin: int, separator: str, is_option: bool
) -> Field | None:
    if line_end > begin and text[line_end - 1] == "\r":
        line_end -= 1
    wide_quote = policy.startswith("drop") or policy in ("text", "image")
    quoted = _quoted(text, begin, line_end, wide=wide_quote)
    if quoted is None and policy.startswith("drop"):
        wrapped = _WRAPPED.match(text, begin) or _CALLED.match(text, begin)
        if wrapped is not None and wrapped.end() > begin and not _LOOKED_UP.search(wrapped[0]):
            begin = wrapped.end()
            line_end = max(line_end, text.find("\n", begin) if "\n" in wrapped[0] else line_end)
            quoted = _quoted(text, begin, line_end, wide=wide_quote)
    if quoted is not None:
        return Field(name, policy, *quoted, quoted=True)
    if begin == line_end and separator.strip() != ":":
        return None
    line_start = text.rfind("\n", max(0, start - 80), start) + 1
    near = line_start > 0 or start < 80
    lead = text[line_start:start] if near else text[start - 2 : start]
    at_start = (
        near
        and len(lead) < 60
        and re.fullmatch(
            r"\s*(?:[-*<>#$+]\s{0,8})*(?:export |set |env |ENV |ARG |setenv |-H ?|--header |[\"'`])*\s*", lead
        )
        is not None
    )
    if ((at_start or separator.strip() == ":") and _BLOCK.match(text[begin:line_end])) or (
        begin == line_end and at_start
    ):
        block = _block(text, line_start, line_end, begin == line_end)
        if block is None:
            return None
        return Field(name, policy, *block, quoted=True)
    simple = name.lower().rpartition("-")[2] if name.startswith("-") else name.lower()
    in_a_sentence = (
        ":" in separator and simple in _GENERIC and not at_start and text[start - 1 : start] not in ("'", '"')
    )
    credential = policy == "drop:key" and re.match(r"\S*[0-9A-Z]\S*(?:$|[\s,;)])", text[begin:line_end][:200])
    if in_a_sentence and policy not in ("request_id", "id", "hash") and not credential:
        return None
    wide = not is_option and (
        at_start
        or policy in ("drop:prompt", "text", "drop:cookie")
        or text[start - 1 : start] in ("'", '"')
        or (policy == "drop:key" and _SCHEME.match(text, begin))
    )
    end = _unquoted(text, begin, line_end, wide=bool(wide), at_start=at_start)
    if is_option and text[begin : begin + 1] == "-":
        return None
    while end > begin and text[end - 1] in " \t":
        end -= 1
    if start and text[start - 1] in "'\"`":  # -H 'Name: value': the quote in front closes it
        depth = _slashes(text, start - 1) if text[start - 2 : start - 1] == "\\" else 0
        close = text.find("\\" * depth + text[start - 1], begin, min(line_end, begin + 20_000))
        if close >= 0:
            end = close
    return Field(name, policy, begin, end, quoted=False, leading=at_start) if end > begin else None


def _slashes(text: str, at: int) -> int:
    """How many backslashes stand directly in front of a position."""
    count = 0
    while at - count > 0 and text[at - count - 1] == "\\":
        count += 1
    return count


def _quoted(text: str, begin: int, line_end: int, *, wide: bool) -> tuple[int, int] | None:
    """The inside of a quoted value that starts here. The closing quote is escaped exactly as deep as the opening."""
    at = begin
    while at < line_end and text[at] in "bBrRuUf$[(@" and at - begin < 3:
        at += 1
    slashes = at
    while slashes < line_end and text[slashes] == "\\":
        slashes += 1
    if slashes >= len(text) or text[slashes] not in "\"'`":
        return None
    quote, depth = text[slashes], slashes - at
    if text.startswith(quote * 3, slashes) and depth == 0:
        end = text.find(quote * 3, slashes + 3)
        return slashes + 3, (end if end >= 0 else min(len(text), slashes + 20_000))
    limit = min(len(text), slashes + 20_000) if wide else line_end
    opened = slashes + 1
    seek = opened
    while True:
        close = text.find(quote, seek, limit)
        if close < 0:
            return opened, line_end
        count = 0
        while close - count - 1 >= opened and text[close - count - 1] == "\\":
            count += 1
        if (count == depth) if depth else count % 2 == 0:
            if close > line_end and not re.match(r"[\s,;)\]}:]|$", text[close + 1 : close + 2]):
                return opened, line_end
            return opened, close - count if depth else close
        seek = close + 1


def _unquoted(text: str, begin: int, line_end: int, *, wide: bool, at_start: bool) -> int:
    if not wide:
        found = _NARROW.search(text, begin, line_end)
        return found.start() if found else line_end
    found = _NEXT.search(text, begin, line_end)
    if found is None:
        return line_end
    if at_start and text[found.start()] == ";":  # a cookie's own pairs
        return line_end
    return found.start()


def _block(text: str, line_start: int, line_end: int, mapping: bool) -> tuple[int, int] | None:
    """The lines below that are further in: a block scalar of YAML. A mapping below a bare name is judged by itself."""
    indent = len(text[line_start:line_end]) - len(text[line_start:line_end].lstrip(" -"))
    at = line_end + 1
    end = at
    first = None
    while at < len(text) and at - line_end < 20_000:
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        line = text[at:stop]
        if line.strip():
            if len(line) - len(line.lstrip(" ")) <= indent:
                break
            if mapping and re.match(r"\s*(?:-\s*)?[\w\"'-]+\s*:(?:\s|$)", line):
                return None
            first = at + len(line) - len(line.lstrip()) if first is None else first
            end = stop
        at = stop + 1
    return (first, end) if first is not None and end > first else None


def secret_part(text: str, start: int, end: int, policy: str) -> tuple[int, int] | None:
    """Of a dropped value what must go: not the scheme in front, and nothing at all when there is only a placeholder."""
    if policy == "drop:key":
        scheme = _SCHEME.match(text, start, end)
        if scheme is not None and scheme.end() < end:
            start = scheme.end()
    value = text[start:end].strip().strip("\"'`,;")
    if not value or _HARMLESS.fullmatch(value):
        return None
    return start, end
