"""`sanitize`: what goes, what stays, in every carrier; twice is once; the same value has the same placeholder."""

# ruff: noqa: E501 - rows of data
from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import subprocess
import sys
import time
import traceback
import urllib.parse
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import EXIT_CODES
from harness.packet import sanitize as module
from harness.packet.sanitize import SanitizerRefused, sanitize, sanitized
from harness.packet.unpacking import members, report_json, sanitize_bytes
from harness.sanitizer.rules import expand
from harness.sanitizer.session import PLACEHOLDER

from .corpus import BY_NAME, BY_SHAPE, FIELDS, ID, KEYS, PEOPLE, Case, cases, halves
from .measure import shares

SALT = b"test"
KEY = "sk-proj-" + expand("{b:40}", 9)
SECRET_TEMPLATES = [template for _, template in (*KEYS, *PEOPLE)]


def test_of_the_corpus_nothing_survives_and_nothing_that_must_stay_is_lost() -> None:
    result = shares(1)
    assert result.survived == []
    assert result.exotic_share <= 0.015
    assert result.lost_share <= 0.005, result.lost[:5]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    template=st.sampled_from(SECRET_TEMPLATES),
    seed=st.integers(0, 10**9),
    carrier=st.sampled_from(sorted(BY_SHAPE)),
    before=st.sampled_from(["", "INFO ", "a b c ", '"x" ', "(", "Übung "]),
    after=st.sampled_from(["", ".", ", and", ")", " end", ";"]),
)
def test_no_secret_nor_half_of_it_survives_in_any_carrier(
    template: str, seed: int, carrier: str, before: str, after: str
) -> None:
    value = expand(template, seed)
    text = BY_SHAPE[carrier](value)
    text = f"{before}\n{text}{after}" if carrier in ("log line", "curl", "percent", "hex", "base64", "query") else text
    out = sanitize(text, salt=SALT)
    assert [form for form in halves(value) if form in out] == []
    assert sanitize(out, salt=b"another") == out
    assert (ID in out) == (ID in text)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(field=st.sampled_from(FIELDS), seed=st.integers(0, 10**9), carrier=st.sampled_from(sorted(BY_NAME)))
def test_a_value_that_only_its_name_betrays_goes_too(field: tuple[str, str, str], seed: int, carrier: str) -> None:
    name, _, template = field
    value = expand(template, seed)
    text = BY_NAME[carrier](name, value)
    out = sanitize(text, salt=SALT)
    if carrier != "form" or ";" not in value:
        assert value not in out
        assert urllib.parse.quote(value, safe="") not in out
    assert sanitize(out, salt=b"another") == out


@settings(max_examples=60, deadline=None)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
                          lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12))  # fmt: skip
def test_json_stays_json_of_the_same_structure(value: object) -> None:
    text = json.dumps([value])
    out = json.loads(sanitize(text, salt=SALT))
    assert type(out) is list


def test_figures_keep_their_digits_and_blanks_stay() -> None:
    text = '{ "total_ms" : 60012.50, "big": 12345678901234567890,\n "a":1e5, "total_ms":60012.50 }'
    assert sanitize(text) == text


def test_a_key_that_is_there_twice_is_looked_at_twice() -> None:
    assert "fox" not in sanitize('{"prompt":"red fox","prompt":"blue fox"}')


def test_lines_stay_lines() -> None:
    text = "".join(case.text.replace("\r", "").replace("\n", " ") + "\n" for case in list(cases(2))[:400])
    assert sanitize(text, salt=SALT).count("\n") == text.count("\n")


def test_jsonl_stays_jsonl_and_har_stays_har() -> None:
    lines = [json.dumps({"request_id": ID, "prompt": f"fox {n}", "total_ms": n}) for n in range(20)]
    out = sanitize("\n".join(lines) + "\n").splitlines()
    assert [json.loads(line)["total_ms"] for line in out] == list(range(20))
    har = BY_NAME["har"]("authorization", f"Bearer {KEY}")
    done = sanitized(har)
    assert done.form == "har"
    assert json.loads(done.text)["log"]["entries"][0]["timings"] == {"wait": 60001.2, "connect": -1}


def test_the_same_value_has_the_same_placeholder_wherever_and_however_it_stands() -> None:
    quoted = urllib.parse.quote(KEY, safe="").replace("-", "%2D")
    text = f"Authorization: Bearer {KEY}\nx {KEY}.\nhttps://api.openai.com/v1/x?api_key={quoted}\n" + json.dumps(
        {"api_key": KEY}
    )
    assert len({found[0] for found in PLACEHOLDER.finditer(sanitize(text))}) == 1
    assert sanitize(text, salt=b"1") != sanitize(text, salt=b"2")
    assert sanitize(text, salt=b"1") == sanitize(text, salt=b"1")


def test_known_values_go_in_every_encoding() -> None:
    value = "Blaue Katze; auf 7"
    for form in (
        value,
        value.upper(),
        urllib.parse.quote(value),
        base64.b64encode(value.encode()).decode(),
        value.encode().hex(),
    ):
        assert form not in sanitize(f"note {form} end", known=[value])


@pytest.mark.parametrize(
    "text",
    ["Authorization: Bearer $OPENAI_API_KEY", '"api_key": null', "password=", "api_key=os.environ['OPENAI_API_KEY']", "http://localhost:8080", "127.0.0.1:3000",
     "2026-11-20 10:15:30,250", "v1.22.1", "gpt-image-1", "1024x1536", "proxy_send_timeout 60s;", "total_ms=118400.25", "status=504", "retry-after: 20",
     "<key:0123abcd>", "prompt_tokens: 12", "std::vector<int>", "12:30:45", "a@b", "main.py", "asyncio.run", "self.name"],
)  # fmt: skip
def test_harmless_text_is_left_alone(text: str) -> None:
    assert sanitize(text) == text


def test_caps_put_a_marker_and_not_the_value() -> None:
    deep = '{"a":' * 200 + '"fox"' + "}" * 200
    out = sanitize(deep)
    assert "fox" not in out
    assert "<cut:" in out
    json.loads(out)
    nested = json.dumps({"prompt": "red fox", "k": KEY})
    for _ in range(9):
        nested = json.dumps({"x": nested})
    assert "red fox" not in sanitize(nested)
    assert KEY not in sanitize(nested)
    assert "fox" not in sanitize("[" * 100_000 + '"fox"')


def test_an_error_of_ours_holds_no_input(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> str:
        raise ValueError("geheim " + KEY)

    monkeypatch.setattr(module.Engine, "document", broken)
    with caplog.at_level(logging.DEBUG), pytest.raises(SanitizerRefused) as caught:
        sanitize("x " + KEY)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(caught.value)
    assert KEY not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert caught.value.exit_code == 5
    assert 5 in EXIT_CODES


def test_nul_is_refused_with_its_offset_alone() -> None:
    with pytest.raises(SanitizerRefused, match="offset 3") as caught:
        sanitize("abc\x00" + KEY)
    assert KEY not in str(caught.value)


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


LINE = f"Authorization: Bearer {KEY}\nx-request-id: {ID}\n"


@pytest.mark.parametrize(
    "data",
    [LINE.encode(), gzip.compress(LINE.encode()), LINE.encode("utf-16"), LINE.encode("utf-16-le"), LINE.encode("utf-8-sig"), gzip.compress(LINE.encode("utf-16")),
     zipped(a=LINE.encode(), b=gzip.compress(LINE.encode())), LINE.encode() + b"\xff\xe9 latin"],
    ids=["plain", "gzip", "utf-16", "utf-16-le", "bom", "both", "zip", "latin-1"],
)  # fmt: skip
def test_bytes_are_decoded_and_sanitized(data: bytes) -> None:
    out = sanitize_bytes(data).text
    assert KEY not in out
    assert ID in out


@pytest.mark.parametrize(
    "data",
    [b"abc\x00def\x01", b"\x1f\x8b\x08broken", b"PK\x03\x04broken", b"\x89PNG\r\n\x1a\n", gzip.compress(LINE.encode())[:-9], b"\xff\xfea", zipped(a=zipped(b=zipped(c=zipped(d=zipped(e=b"x")))))],
    ids=["nul", "gzip", "zip", "png", "cut gzip", "half utf-16", "bombs"],
)  # fmt: skip
def test_bytes_that_cannot_be_read_are_refused(data: bytes) -> None:
    with pytest.raises(SanitizerRefused) as caught:
        members(data)
    assert caught.value.__context__ is None or KEY not in repr(caught.value.__context__)


def test_the_report_counts_by_kind_and_shows_no_value() -> None:
    report = report_json(sanitize_bytes(LINE.encode()))
    assert json.loads(report)["by_kind"] == {"key": 1}
    assert KEY not in report


def test_the_verb_reads_stdin_and_refuses_with_its_exit_code() -> None:
    run = [sys.executable, "-m", "harness", "sanitize", "--report"]
    done = subprocess.run(run, input=LINE.encode(), capture_output=True, check=True)
    assert ID.encode() in done.stdout
    assert KEY.encode() not in done.stdout + done.stderr
    refused = subprocess.run(run, input=b"a\x00b" + KEY.encode(), capture_output=True, check=False)
    assert (refused.returncode, refused.stdout) == (5, b"")
    assert KEY.encode() not in refused.stderr


HOSTILE = {
    "one letter": "a", "dotted": "a.", "keys": "sk-", "braces": '{"a":', "open lists": "[", "escapes": "\\u0041", "percent": "%25", "quotes": '"', "names": "password=",
    "schemes": "http://", "colons": ":", "entities": "&amp;", "ats": "a@", "slashes": "\\", "prompts": 'prompt="', "not ascii": "é prompt: ü ", "almost placeholders": "<key:",
    "pem": "-----BEGIN A-----", "yaml": "prompt: |\n  a\n", "ids": "request_id=", "multipart": '--b\nContent-Disposition: form-data; name="a"\n\n', "base64": "QUJD", "hex": "4142", "dashes": "a-", "forms": "a=b&",
}  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_hostile_repeats_take_linear_time(unit: str) -> None:
    """No bound on a clock: four times the text must not take much more than four times as long (quadratic: 16)."""

    def took(size: int) -> float:
        text = unit * (size // len(unit))
        begun = time.process_time()
        sanitize(text, salt=SALT)
        return time.process_time() - begun

    took(2_000)
    small = max(took(15_000), 0.01)
    assert took(60_000) < 12 * small + 0.5


def test_a_case_shows_what_it_is() -> None:
    assert isinstance(next(cases(1)), Case)
