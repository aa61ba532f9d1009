"""What of a foreign text may enter an event."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest

from harness.evidence import kept_headers
from harness.wire.scrub import Scrubber, fingerprint

PROMPT = "A small bakery at dawn, bread in the window"
SECRET = "topsecret" + "-value-" + "42"


@pytest.mark.parametrize(
    "echo",
    [
        PROMPT,
        PROMPT.upper(),
        PROMPT[5:25],
        json.dumps(PROMPT)[1:-1].replace("a", "\\u0061"),
        quote(PROMPT),
        html.escape(PROMPT).replace("e", "&#101;"),
    ],
)
def test_a_text_that_repeats_the_prompt_is_dropped_whole(echo: str) -> None:
    assert Scrubber(prompt=PROMPT).head(f"Your prompt was: {echo}") is None


def test_keys_accounts_addresses_and_tokens_are_cut_out() -> None:
    key, token = "sk-" + "proj-" + "a1B2" * 10, "eyJ" + "hbGciOi" * 4 + ".abc.def"
    text = f"Bad key {key} of org-AbCd1234 for me@example.com at 10.2.3.4, Bearer {token}, see https://a.b/c?d=e"
    head = Scrubber(prompt=PROMPT).head(text)
    assert head is not None
    for hidden in (key, "org-AbCd1234", "me@example.com", "10.2.3.4", token, "?d=e"):
        assert hidden not in head
    assert head.startswith("Bad key [key] of [account]")


def test_the_jobs_own_secrets_are_cut_out_and_escaped_ones_drop_the_text() -> None:
    scrubber = Scrubber(prompt=PROMPT, secrets=[SECRET])
    assert scrubber.head(f"value {SECRET}.") == "value [secret]."
    assert scrubber.head("value " + SECRET.replace("t", "%74")) is None


def test_request_ids_and_plain_sentences_survive() -> None:
    text = "Rate limit reached. Limit 5, Used 5, Requested 1. Include the request ID req_" + "0a" * 16
    assert Scrubber(prompt=PROMPT).head(text) == text


def test_a_head_is_bounded() -> None:
    assert len(Scrubber(prompt=PROMPT).head("word " * 100_000) or "") == 300


def test_a_fingerprint_is_the_same_for_messages_that_differ_in_digits_only() -> None:
    assert fingerprint("try again in 12s") == fingerprint("try again in 99s")
    assert fingerprint("try again in 12s") != fingerprint("try later")


def test_only_allow_listed_headers_are_kept() -> None:
    headers = [
        ("set-cookie", "a=b"),
        ("authorization", "Bearer x"),
        ("openai-organization", "acme"),
        ("x-litellm-model-api-base", "http://inner:1"),
        ("x-request-id", "req_1"),
        ("retry-after", "3"),
        ("x-ratelimit-limit-requests", "5"),
        ("server", "x" * 1000),
    ]
    evidence, ids = kept_headers(headers)
    assert set(evidence) == {"retry-after", "x-ratelimit-limit-requests", "server"}
    assert len(evidence["server"]) == 200
    assert ids == {"x-request-id": "req_1"}


@pytest.mark.parametrize(
    "path", ["/app/server/proxy.py", "/usr/lib/python3/dist-packages/x/y.py", "/srv/node_modules/a-b/index.mjs"]
)
def test_the_files_of_a_traceback_are_nobodys_business(path: str) -> None:
    head = Scrubber(prompt="a prompt that nobody repeats").head(f'File "{path}", line 3, in call')
    assert head == 'File "[path]", line 3, in call'


def test_the_path_of_an_endpoint_stays() -> None:
    text = "Invalid URL (POST /v1/images/generations)"
    assert Scrubber(prompt="a prompt that nobody repeats").head(text) == text
