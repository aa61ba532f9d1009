"""Secrets and people in what carries them besides JSON and headers: tables, wrapped values, settings set by a blank."""

from __future__ import annotations

import pytest

from harness.packet.sanitize import sanitize
from harness.sanitizer.rules import expand

SALT = b"test"
PASSWORD = expand("{l:6}7{l:3}", 4) + "!"  # short, and without any shape
NAME = expand("{l:10}", 5)
ID = "req_0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "carrier",
    [
        "Settings(api_key='x', password=SecretStr('{}'), timeout=60.0)",
        "password=SecretStr(secret_value='{}')",
        'Config {{ password: Some("{}"), n: 1 }}',
        'api_key: Some(Secret("{}"))',
        "password=Optional[{}], n=1",
        'http.Header{{"X-Api-Key":[]string{{"{}"}}}}',
        '["api_key"]=>\n  string(12) "{}"',
        "const apiKey: string = '{}';",
        'let api_key: &str = "{}";',
        "Headers([('x-request-id', 'r'), ('x-api-key', '{}')])",
    ],
)
@pytest.mark.parametrize("before", ["", "2026-11-21 10:00:00,123 DEBUG app: "], ids=["alone", "in a log"])
def test_a_secret_goes_whatever_its_language_wraps_it_in(carrier: str, before: str) -> None:
    out = sanitize(before + carrier.format(PASSWORD), salt=SALT)
    assert PASSWORD[:-1] not in out
    assert sanitize(out, salt=b"another") == out


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_the_cells_of_a_table_are_judged_by_their_column(separator: str, newline: str) -> None:
    head = ["request_id", "user", "customer", "prompt", "api_key", "model", "size", "took_ms", "status", "error"]
    row = [ID, NAME, "Falcon Motors", f'"a red ""{NAME}""{newline}by night"', PASSWORD, "gpt-image-1", "1024x1024",
           "60012.5", "504", "upstream timed out"]  # fmt: skip
    text = newline.join(separator.join(cells) for cells in (head, row, row)) + newline
    out = sanitize(text, salt=SALT)
    for gone in (NAME, "Falcon", "red", "night", PASSWORD):
        assert gone not in out
    lines = out.split(newline)
    assert lines[0] == separator.join(head)
    assert lines[1] == lines[2]
    for number in (0, 5, 6, 7, 8, 9):
        assert lines[1].split(separator)[number] == row[number]
    assert sanitize(out, salt=b"another") == out


def test_what_only_begins_like_a_table_stays_text() -> None:
    text = "INFO,start\nINFO,end\n"
    assert sanitize(text, salt=SALT) == text


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-20 10:00:00,123 INFO token count 12 total_tokens=1532 input_tokens=40",
        "access token expires_in 3600s, session token age 60s, token type bearer",
        "password authentication failed (SQLSTATE 28P01)",
        "API key  missing (401); per token gpt-image-1.5 costs",
        'proxy_set_header Host api.openai.com; proxy_set_header Connection "";',
        "ENV NODE_VERSION 20.11.0",
        "GET /v1/users/me HTTP/1.1",
        "max_output_tokens | 4096 |",
        '{"cell": "nginx/high/1024x1536", "http_status": 504}',
        "cell=nginx/high/1024x1536 total_ms=60003.0",
    ],
)
def test_figures_words_and_models_beside_such_names_stay(line: str) -> None:
    assert sanitize(line, salt=SALT) == line
