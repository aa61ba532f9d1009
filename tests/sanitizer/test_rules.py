"""Every row of the tables finds what it says, leaves what it says, and is missed when it is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.packet.sanitize import sanitize, sanitized
from harness.sanitizer import textscan
from harness.sanitizer.names import EXACT, policy_of
from harness.sanitizer.registry import RULES
from harness.sanitizer.rules import Rule, expand, likely
from harness.sanitizer.textscan import TextScan

SALT = b"test"
TRUE = [(rule, example) for rule in RULES for example in rule.true]
FALSE = [(rule, example) for rule in RULES for example in rule.false]


def hits(rule: Rule, text: str) -> list[str]:
    """What this rule alone finds."""
    from harness.sanitizer.engine import Engine
    from harness.sanitizer.session import Session

    scan = TextScan(Engine(likely((rule,)), Session((rule,), salt=SALT)), text, 99, 0)
    scan._rules(bytes(scan.mask), bytes(scan.mask).lower())
    return [text[span.start : span.end] for span in scan.spans]


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_true_example(rule: Rule) -> None:
    assert rule.true


@pytest.mark.parametrize(("rule", "example"), TRUE, ids=[f"{rule.id} {n}" for n, (rule, _) in enumerate(TRUE)])
def test_a_rule_finds_its_true_examples(rule: Rule, example: str) -> None:
    for seed in range(5):
        assert hits(rule, expand(example, seed)), "nothing found"


@pytest.mark.parametrize(("rule", "example"), FALSE, ids=[f"{rule.id} {n}" for n, (rule, _) in enumerate(FALSE)])
def test_a_rule_leaves_its_false_examples(rule: Rule, example: str) -> None:
    assert hits(rule, example) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_without_a_rule_one_of_its_examples_comes_out_differently(rule: Rule) -> None:
    """The mutation test: a detector that no example needs is a detector that could rot."""
    others = tuple(one for one in RULES if one.id != rule.id)
    texts = [expand(example, 3) for example in rule.true]
    with_it = [sanitized(text, salt=SALT, form="text") for text in texts]
    without = [sanitized(text, salt=SALT, form="text", rules=others) for text in texts]
    assert [(one.text, one.counts) for one in with_it] != [(one.text, one.counts) for one in without]


ID = "req_0123456789abcdef0123456789abcdef"
KEY = "sk-proj-" + expand("{b:30}", 5)
MECHANISMS: list[tuple[str, str, str]] = [
    ("_embedded", 'x {"a":{"value":"hunter2xyz","name":"x-api-key"}}', "hunter2xyz"),
    ("_urls", "see http://gateway:8080/x?y=1", "gateway"),
    ("_fields", 'password="hunter two"', "hunter"),
    ("_hosts", "on db.acme.internal now", "db.acme"),
    ("_opaque", expand("blob {b:40}", 2), expand("{b:40}", 2)),
    ("_escapes", "x: " + "".join(f"\\u{ord(c):04x}" for c in KEY), "\\u0073"),
    ("_encoded", "x YW5uYTpnZWg= y", "YW5uYTpnZWg"),
    ("_invisible", "x \uff53\uff4b-\uff11\uff12\uff13\uff14", "\uff12\uff13"),
]


@pytest.mark.parametrize(("method", "text", "secret"), MECHANISMS, ids=[row[0] for row in MECHANISMS])
def test_without_a_way_of_looking_something_survives(
    method: str, text: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert secret not in sanitize(text, salt=SALT)
    nothing: Callable[..., Any] = lambda *_: None  # noqa: E731
    monkeypatch.setattr(TextScan, method, nothing)
    assert secret in sanitize(text, salt=SALT)


def test_without_the_eye_for_prose_a_prompt_in_a_line_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "INFO a red fox is sleeping under the old birch tree in golden light"
    assert "birch" not in sanitize(text, salt=SALT)
    monkeypatch.setattr(textscan, "prose_spans", lambda *_: [])
    assert "birch" in sanitize(text, salt=SALT)


def test_without_ids_in_access_lines_the_request_id_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    line = (
        '- - - [20/Nov/2026:10:15:30 +0000] "POST /v1/x HTTP/1.1" 504 167 "-" "curl/8" 60.001 ' + "9f86d081884c7d65" * 2
    )
    assert "9f86d081884c7d65" in sanitize(line, salt=SALT)
    monkeypatch.setattr(TextScan, "_ids", lambda *_: None)
    assert "9f86d081884c7d65" not in sanitize(line, salt=SALT)


NAMES = sorted(name for name, policy in EXACT.items() if policy.startswith("drop:"))


def test_every_dropped_name_drops_in_json_and_its_absence_would_show() -> None:
    import json

    for name in NAMES:
        value = "10.1.2.3" if EXACT[name] == "drop:ip" else "Quimby-Zorn"
        out = sanitize(json.dumps({name: value}), salt=SALT)
        assert value not in out, name
        assert value not in sanitize(json.dumps({name.title().replace("_", "-"): value}), salt=SALT), name


@pytest.mark.parametrize(
    ("name", "policy"),
    [("X-Request-Id", "request_id"), ("total_tokens", "plain"), ("maxTokens", "plain"), ("apiKey", "drop:key"),
     ("stripeWebhookSecret", "drop:key"), ("customer_ref_no", "drop:account"), ("HTTP_X_FORWARDED_FOR", "drop:ip"),
     ("x-ratelimit-limit-tokens", "plain"), ("somethingElse", None), ("negativePrompt", "drop:prompt"),
     ("prompt_tokens", "plain"), ("prompt_sha256", "hash"), ("sessionToken", "drop:key"), ("cookie_count", "plain")],
)  # fmt: skip
def test_names_are_judged_whatever_their_spelling(name: str, policy: str | None) -> None:
    assert policy_of(name) == policy
