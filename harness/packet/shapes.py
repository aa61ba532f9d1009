"""Shapes of what must never leave: keys, tokens, cookies, addresses, paths, accounts, opaque runs.

These only find, they never replace: a hit refuses the bundle. So a pattern needs no end, just enough of a start to be
sure, and every repetition is bounded: the scan is linear in the text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator

ALLOWED_HOSTS = frozenset({"api.openai.com", "www.w3.org"})

# Placeholders of the reproduction ("Bearer %s", "$OPENAI_API_KEY") match none of these: they need a value.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("api-key", r"(?<![A-Za-z0-9])(?:sk|rk|pk|sess)[-_](?=[A-Za-z0-9_-]{0,40}[0-9A-Z])[A-Za-z0-9_-]{12}"),
    ("bearer", r"(?i)\bbearer[\s:=]{1,4}[A-Za-z0-9._~+/=-]{8}"),
    ("basic-auth", r"(?i)\bbasic\s{1,4}(?=[A-Za-z]{0,30}[0-9A-Z+/=])[A-Za-z0-9+/]{8}"),
    ("authorization", r"(?i)\b(?:proxy-)?authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?!Bearer %s)[A-Za-z0-9]"),
    ("assigned-secret", r"(?i)(?:api[-_ ]?key|secret|passw(?:or)?d|access[-_ ]?token)[\"']?\s{0,2}[:=]\s{0,2}[\"']?"
                        r"(?!%s|None\b|null\b|os\.)[A-Za-z0-9+/_-]{6}"),
    ("aws-key", r"(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[0-9A-Z]{12}"),
    ("github-token", r"gh[pousr]_[A-Za-z0-9]{16}|github_pat_[A-Za-z0-9_]{16}"),
    ("gitlab-token", r"gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{12}"),
    ("slack-token", r"xox[a-z]-[0-9A-Za-z-]{8}|xapp-[0-9]-[A-Z0-9]{6}"),
    ("google-key", r"AIza[0-9A-Za-z_-]{20}|ya29\.[0-9A-Za-z_-]{10}|GOCSPX-[0-9A-Za-z_-]{10}"),
    ("vendor-token", r"(?<![A-Za-z0-9])(?:hf_|npm_|r8_|dop_v1_|shpat_|whsec_|pypi-)[A-Za-z0-9]{12}"),
    ("jwt", r"eyJ[A-Za-z0-9_-]{6,4000}\.[A-Za-z0-9_-]{4}"),
    ("pem", r"-----BEGIN [A-Z0-9 ]{0,40}-----"),
    ("signed-url", r"(?i)(?:[?&;]|\b)(?:sig|signature|x-amz-(?:signature|credential|security-token)"
                   r"|x-goog-(?:signature|credential)|awsaccesskeyid|key-pair-id)=[A-Za-z0-9%+/_-]"),
    ("azure-sas", r"(?i)shared_?access_?(?:signature|key)|accountkey\s{0,2}="),
    ("cookie", r"(?i)\b(?:set-)?cookie2?[\"']?\s{0,2}[:=]\s{0,2}[\"']?[A-Za-z0-9_.-]"),
    ("cookie", r"(?i)\b(?:_cfuvid|__cf_bm|cf_clearance|sessionid|phpsessid|jsessionid|connect\.sid)\b"),
    ("email", r"[\w.%+-]@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2}"),
    ("home-path", r"(?<![\w.])/(?:home|Users|root|var|srv|opt|mnt|tmp|private|data|work|workspace|app|etc)/[\w.-]"),
    ("home-path", r"(?<![A-Za-z0-9])[A-Za-z]:\\{1,4}[\w .-]|\\\\[\w.-]{1,63}\\{1,2}[\w$.-]"),
    ("internal-host", r"(?i)(?<![\w.-])[a-z0-9](?:[a-z0-9.-]{0,80}[a-z0-9])?"
                      r"\.(?:internal|local|localdomain|lan|corp|intranet|home|private|svc|test|example|invalid)\b"),
    ("account-id", r"(?<![A-Za-z0-9_])(?:org|proj|user|acct|asst|cus|team)[-_](?=[A-Za-z0-9]{0,40}[0-9A-Z])"
                   r"[A-Za-z0-9]{8}"),
    ("mac-address", r"(?i)(?<![0-9a-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9a-f:])"),
    ("data-url", r"(?i)\bdata:[a-z]{1,20}/[a-z0-9.+-]{1,40}[;,]"),
    ("phone", r"(?<![\w.+-])\+[1-9][0-9]{0,2}[ .-]?\(?[0-9]{2,4}\)?(?:[ .-]?[0-9]{2,4}){2,4}(?![\w.])"),
)  # fmt: skip
_COMPILED = tuple((rule, re.compile(pattern)) for rule, pattern in _PATTERNS)

_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20})://([^\s\"'<>`)\]}\\]{0,2000})")
_IPV4 = re.compile(r"(?<![\w.])(?<![A-Za-z]/)(\d{1,3}(?:\.\d{1,3}){3})(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])([0-9A-Fa-f:]{3,39})(?![0-9A-Za-z:])")
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{32,4000}")
_DIGIT, _LETTER, _LOWER, _UPPER = (re.compile(p) for p in ("[0-9]", "[A-Za-z]", "[a-z]", "[A-Z]"))


def _urls(text: str) -> Iterator[str]:
    for found in _URL.finditer(text):
        rest = found[2]
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        if "@" in authority:
            yield "url-userinfo"
        if "?" in rest or "#" in rest:
            yield "url-query"
        if authority.rpartition("@")[2].partition(":")[0].lower() not in ALLOWED_HOSTS:
            yield "url-host"


def _addresses(text: str) -> Iterator[str]:
    """Real addresses only: a version has three parts, or stands behind a product's slash."""
    for found in _IPV4.finditer(text):
        if all(int(part) <= 255 for part in found[1].split(".")):
            yield "ip-address"
    for found in _IPV6.finditer(text):
        candidate = found[1].rstrip(":") if not found[1].endswith("::") else found[1]
        if candidate.count(":") < 2:
            continue
        try:
            ipaddress.IPv6Address(candidate)
        except ValueError:
            continue
        yield "ip-address"


def _opaque(text: str, allowed: Collection[str]) -> Iterator[str]:
    """Long mixed runs: guilty unless they are one of the ids or digests that this bundle is known to hold."""
    for found in _RUN.finditer(text):
        run = found[0]
        if run in allowed or run.strip("=-_/+") in allowed:
            continue
        mixed_case = _LOWER.search(run) and _UPPER.search(run) and len(run) >= 48 and "_" not in run
        if (_DIGIT.search(run) and _LETTER.search(run)) or mixed_case:
            yield "opaque-run"


def find(text: str, allowed: Collection[str] = ()) -> Iterator[str]:
    """The rules that this text breaks. `allowed` are whole tokens that may be opaque; no other rule spares them."""
    for rule, pattern in _COMPILED:
        if pattern.search(text):
            yield rule
    yield from _urls(text)
    yield from _addresses(text)
    yield from _opaque(text, allowed)


def looks_private(text: str) -> bool:
    """Whether any rule is broken by a short foreign text."""
    return next(find(text[:2000]), None) is not None
