"""Names of machines in free text."""

from __future__ import annotations

import re

from harness.sanitizer import patterns
from harness.sanitizer.hosts import LOOPBACK, judged, looks_like_host
from harness.sanitizer.opaque import SELF_EVIDENT
from harness.sanitizer.scanbase import Scan
from harness.sanitizer.words import words

_PRODUCTS = words("nginx envoy haproxy caddy cloudflare openai azure none null unknown")


class HostScan(Scan):
    """Dotted names, single names in a machine's place, names of pods."""

    def _host_field(self, start: int, end: int) -> None:
        value = self.text[start:end].strip()
        if self.mask[start:end].count(1) or not value or "/" in value:
            return
        host = value.partition(":")[0]
        if re.fullmatch(r"[\w.-]{2,253}", host) and not judged(host)[0] and host.lower() not in _PRODUCTS:
            stays, label, _ = judged(host)
            if not stays:
                self.add(start, start + (len(label) or len(host)), "host", 4)

    def _hosts(self, view: bytes) -> None:
        text = self.text
        if "." in text:
            for found in patterns.DOTTED.finditer(view):
                start, end = found.span(1)
                name = text[start:end]
                port = found.end() > end
                if start and text[start - 1] in "/\\" and text[max(0, start - 2) : start] != "//":
                    continue
                if text[end : end + 1] == "(" and not port:
                    continue
                if looks_like_host(name) or (
                    port
                    and re.search(r"[a-z]", name)
                    and not re.search(r"\.(?:py|js|ts|go|java|c|rb|rs|php|html?|sh)$", name)
                ):
                    stays, label, _ = judged(name)
                    if not stays:
                        self.add(start, start + len(label), "host", 6)
        for pattern in (patterns.HOST_WORD, patterns.SYSLOG):
            for match in pattern.finditer(view):
                start, end = match.span(1)
                name, _, port = text[start:end].partition(":")
                if "." in name or name.lower() in LOOPBACK or name.replace("-", "").isdigit():
                    continue
                if patterns.LEVEL.fullmatch(name):
                    continue
                if pattern is patterns.SYSLOG or not (patterns.NO_HOST.fullmatch(name) or SELF_EVIDENT.fullmatch(name)):
                    self.add(start, start + len(name), "host", 6)
        if "-" in text:
            for match in patterns.POD.finditer(view):
                start, end = match.span(1)
                if not SELF_EVIDENT.match(text[start:end]) and not self._pardoned(start, end):
                    self.add(start, end, "host", 7)
