"""What the scan of free text looks for besides the rules: tokens, names of machines, ids in their places, escapes."""

# ruff: noqa: E501 - a pattern is a line
from __future__ import annotations

import re
from urllib.parse import unquote

from harness.sanitizer.rules import compiled
from harness.sanitizer.session import unentitied, unescaped

TOKEN = compiled(r"([A-Za-z0-9_\-+=~*]{16,})")
SLASHED = compiled(r"([A-Za-z0-9+]{2,}(?:\\?/[A-Za-z0-9+]*){1,}(?:[A-Za-z0-9+/]*)={0,2})")
SHORT_BASE64 = compiled(r"(?:^|[^A-Za-z0-9+/_=-])([A-Za-z0-9+/_-]{10,}={0,2})")
DOTTED = compiled(
    r"((?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z][A-Za-z0-9-]{0,23})(?::[0-9]{2,5})?"
)
HOST_WORD = compiled(
    r"(?i)(?:^|[\s\[(\"'])(?:host|hostname|upstream|server|node|pod|peer|backend|connect(?:ed|ing)? to|resolv\w+(?: host)?:?|dial tcp|lookup|machine|instance|worker|on host|from host"
    r"|via|could not resolve host:|getaddrinfo \w+|remote host|proxy)[ \"'(:=]{1,3}((?:[a-z0-9]+-)*[a-z]*[0-9-]+[a-z0-9-]*(?::[0-9]{2,5})?|[a-z][a-z0-9-]{2,60}:[0-9]{2,5})(?:[^a-z0-9.-]|$)"
)
LEVEL = re.compile(
    r"(?i)error|info|warn|warning|debug|trace|fatal|critical|notice|crit|alert|emerg|err|severe|verbose|panic|stderr|stdout"
)
NO_HOST = re.compile(r"(?i)(?:[a-z]+-)?(?:\d+(?:ms|s|x\d+)?|[a-z]{1,2}\d|http2?|tls1?|h2)")
SYSLOG = compiled(
    r"(?m)^(?:<\d{1,3}>\d?\s?)?(?:[A-Z][a-z]{2}\s+\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) ([A-Za-z][\w.-]{1,80}) [\w./-]{1,48}(?:\[\d+\])?:? "
)
POD = compiled(
    r"(\b[a-z][a-z0-9-]{1,50}-[a-f0-9]{8,10}-[a-z0-9]{5}\b|\b[a-z][a-z0-9-]{2,40}-(?:prod|staging|stage|eu|us|dev|internal|prd)-?[0-9]{1,4}\b)"
)
CALLED = re.compile(
    r"(?i)(?:request|trace|correlation|span|call|job|task|run|generation|prediction|response|ray|transaction|operation|invocation|batch|completion|attempt|idempotency|message|event|unique)"
    r"(?:[ _-]?(?:id|ids|key|no|uuid|number)[\"'\])]{0,2}\s?(?:[:=#]|is|was|of)?\s?[\"'(\[<`]{0,2}|s?(?: |: ?| ?#|=)[\"'\[<`(]?)(?:[\w.-]{1,12}[-_:])?$"
)
HASHED = re.compile(
    r"(?i)(?:sha-?\d{1,3}|md5|digest|checksum|hash|fingerprint|etag)(?:sum)?[\"'\])]{0,2}\s?(?:[:=]|is|of|\()?\s?[\"'(\[`]{0,2}(?:W/\")?$"
)
SUM_LINE = re.compile(r"(?m)^([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}) [ *](?=[\w.-]{1,80}$)")
ACCESS = compiled(r'("(?:[A-Z]{3,8}) [^"\n]*" [0-9]{1,3} (?:[0-9-]|[A-Z]{2,})[^\n]*)')
# HAProxy's captured headers, between its queues and the request.
CAPTURED = compiled(r'[0-9]+/\+?[0-9]+ [0-9]+/[0-9]+ ((?:\{[^}\n]*\} ?){1,2})(?:\S+ )?"[A-Z]{3,8} ')
CAPTURED_ID = re.compile(
    r"(?:^|[{|])([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{32}|00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})(?=[}|])"
)
ACCESS_ID = re.compile(r"(?:^|[\s\"=])([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=$|[\s\"])")
# (signs without which there is nothing to do, the token around an escape, what undoes it)
ESCAPED = (
    ("%", compiled(r"([^\s\"'<>?=&,;(){}\x01]*%[0-9A-Fa-f]{2}[^\s\"'<>?=&,;(){}\x01]*)"), lambda text: unquote(text, errors="replace")),
    ("&", compiled(r"([^\s\"'<>\x01]*&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,10});[^\s\"'<>\x01]*)"), unentitied),
    ("\\", compiled(r"([^\s\"'<>\x01]*\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|/)[^\s\"'<>\x01]*)"), unescaped),
    ("=", compiled(r"([^\s\"'<>\x01]*=[0-9A-F]{2}[^\s\"'<>\x01]*)"), lambda text: re.sub(r"=([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), text)),
)  # fmt: skip
NOT_ASCII = compiled(r"([^\s\x01]*\xff[^\s\x01]*)")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff\u202a-\u202e]")
