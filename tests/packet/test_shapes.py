"""Detectors: what must never leave is found in every disguise, and a bundle's ordinary words are not."""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from harness.packet.shapes import find, looks_private
from harness.packet.views import views

from .builder import API_ID, RAY, UUID

# Assembled, so that this file itself holds no string that a secret scanner of a repository would stop at.
KEY = "sk-" + "proj-Ab3dEf6hIj9lMn2pQr5t"
SECRETS: list[tuple[str, str]] = [
    ("api-key", KEY),
    ("api-key", "sk-" + "0123456789abcdefABCDEF012345678901234567"),
    ("api-key", "sess-" + "0123456789abcdefABCD"),
    ("bearer", "Bearer " + "abcdefgh12345678"),
    ("bearer", "bearer: " + "abcdefgh"),
    ("basic-auth", "Basic " + "YW5uYTpnZWhlaW0="),
    ("authorization", "Authorization: Negotiate YII"),
    ("assigned-secret", "api_key=" + "0123456789"),
    ("assigned-secret", '"password": "' + "correcthorse" + '"'),
    ("aws-key", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("github-token", "ghp_" + "0123456789abcdefABCDEF0123456789abcd"),
    ("github-token", "github_pat_" + "11ABCDEFG0123456789abcdef"),
    ("gitlab-token", "glpat-" + "0123456789abcdefABCD"),
    ("slack-token", "xoxb-" + "123456789012-abcdefABCDEF"),
    ("google-key", "AIza" + "SyA0123456789abcdefABCDEF0123456789"),
    ("vendor-token", "hf_" + "0123456789abcdefABCDEF"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"),
    ("pem", "-----BEGIN RSA PRIVATE KEY-----"),
    ("signed-url", "?sv=2024&sig=" + "abc%2Bdef"),
    ("signed-url", "X-Amz-Signature=" + "0123abcd"),
    ("azure-sas", "SharedAccessSignature=" + "sr"),
    ("azure-sas", "AccountKey=" + "Zm9v"),
    ("cookie", "Set-Cookie: sid=1"),
    ("cookie", "_cfuvid=abc"),
    ("url-userinfo", "https://anna:geheim@api.openai.com/v1"),
    ("url-query", "https://api.openai.com/v1?token=1"),
    ("url-host", "https://hooks.falcon.dev/callback"),
    ("url-host", "redis://10.0.0.9:6379"),
    ("email", "anna@falcon-motors.com"),
    ("email", "jörg.müller@falcon-motors.com"),
    ("home-path", "/home/anna/run"),
    ("home-path", "/Users/anna"),
    ("home-path", r"C:\Users\anna"),
    ("home-path", r"\\fileserver\share"),
    ("internal-host", "edge-7.falcon.internal"),
    ("internal-host", "relay.default.svc.cluster.local"),
    ("account-id", "org-" + "AbCdEf0123456789AbCdEf01"),
    ("account-id", "proj_" + "AbCdEf0123456789"),
    ("account-id", "user-" + "a1b2c3d4e5f6"),
    ("ip-address", "10.0.0.17"),
    ("ip-address", "fe80::1ff:fe23:4567:890a"),
    ("ip-address", "2001:db8::8a2e:370:7334"),
    ("mac-address", "02:42:ac:11:00:02"),
    ("data-url", "data:image/png;base64,iVBORw0KGgo="),
    ("opaque-run", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"),
    ("opaque-run", "0123456789abcdef0123456789abcdef"),
]
DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "in quotes": lambda text: f'"{text}"',
    "trailing full stop": lambda text: f"see {text}.",
    "trailing comma": lambda text: f"{text}, and",
    "trailing bracket": lambda text: f"({text})",
    "json escapes": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "escaped slashes": lambda text: text.replace("/", "\\/"),
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "every byte percent": lambda text: "".join(f"%{b:02x}" for b in text.encode()),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "named entities": html.escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after other bytes": lambda text: base64.b64encode(b"x: " + text.encode()).decode(),
    "base64url in words": lambda text: f"id {base64.urlsafe_b64encode(text.encode()).decode()} end",
    "hex": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize(("rule", "secret"), SECRETS, ids=[f"{rule} {n}" for n, (rule, _) in enumerate(SECRETS)])
def test_a_secret_is_found_in_every_disguise(rule: str, secret: str) -> None:
    found = {name: {one for view in views(hide(secret)) for one in find(view)} for name, hide in DISGUISES.items()}
    assert [name for name, rules in found.items() if rule not in rules] == []


@pytest.mark.parametrize(
    "text",
    [
        "nginx/1.22.1",
        "Chrome/120.0.0.0",
        "version 3.52.0 of openai, Python 3.11.2",
        "2026-11-20T10:25:30.000+02:00",
        "first byte 60.011 s, total 60.013 s",
        "https://api.openai.com/v1",
        'xmlns="http://www.w3.org/2000/svg"',
        "printf 'Authorization: Bearer %s\\n' \"$OPENAI_API_KEY\"",
        ': "${OPENAI_API_KEY:?set OPENAI_API_KEY first}"',
        "api_key=os.environ['OPENAI_API_KEY']",
        "image_generation_user_error, organization_spend_limit_exceeded",
        "nginx.ingress.kubernetes.io/proxy-read-timeout",
        "proxy.config.http.transaction_no_activity_timeout_out",
        "one_off: 2 of 3 jobs; 12:30:45",
        "/dev/null",
        '--form "image[]=@$work/reference-1.png;type=image/png"',
        RAY,
    ],
)
def test_the_ordinary_words_of_a_bundle_are_left_alone(text: str) -> None:
    assert [rule for view in views(text) for rule in find(view)] == []


def test_an_opaque_token_is_spared_only_when_it_is_a_known_id_of_the_bundle() -> None:
    assert list(find(f"`{API_ID}`", {API_ID})) == []
    assert list(find(f"`{API_ID}`", {UUID})) == ["opaque-run"]
    assert list(find(f"{UUID}x{API_ID}", {UUID, API_ID})) == ["opaque-run"]


def test_being_allowed_spares_no_other_rule() -> None:
    assert "api-key" in set(find(KEY, {KEY}))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "a." * 300_000 + "@",
        "@" * 300_000,
        "sk-" * 200_000,
        "1." * 300_000,
        ":" * 300_000 + "f",
        "http://" * 100_000,
        "\\u0041" * 100_000,
        "%25" * 200_000,
        "&amp;" * 100_000,
        "eyJ" * 200_000,
        "a-" * 300_000 + ".internal",
        "bearer " * 100_000,
    ],
    ids=range(13),
)
def test_hostile_text_is_scanned_in_linear_time(text: str) -> None:
    begun = time.process_time()
    for view in views(text):
        looks_private(view[:2000])
        list(find(view))
    assert time.process_time() - begun < 6
