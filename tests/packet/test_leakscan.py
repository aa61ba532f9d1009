"""Wall 3: known values of this run and machine, in every form, and what a refusal says."""

from __future__ import annotations

import base64
import getpass
import json
import socket
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import LeakRefused
from harness.packet.known import (
    KnownValue,
    Needle,
    environment_values,
    machine_values,
    run_values,
    searchable,
)
from harness.packet.leakscan import Hit, refuse, scan
from harness.packet.public import public_text

from .builder import PROMPT, conditions, events

SECRET = "Blaue Katze; auf 7 Dächern"


def rules(text: str, *values: str, rule: str = "known") -> set[str]:
    hits = scan({"a.txt": text.encode()}, known=[KnownValue(rule, value) for value in values])
    return {hit.rule for hit in hits} & {rule}


FORMS = {
    "raw": SECRET,
    "upper case": SECRET.upper(),
    "json": json.dumps(SECRET),
    "json in json": json.dumps(json.dumps(SECRET)),
    "percent": quote(SECRET),
    "percent twice": quote(quote(SECRET)),
    "hex": SECRET.encode().hex().upper(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 one byte in": base64.b64encode(b"x" + SECRET.encode()).decode(),
    "base64 two bytes in": base64.b64encode(b"xy" + SECRET.encode()).decode(),
    "base64url": base64.urlsafe_b64encode(b"??>" + SECRET.encode() + b"tail").decode(),
    "base64 of base64": base64.b64encode(base64.b64encode(SECRET.encode())).decode(),
    "entities": SECRET.replace("ä", "&auml;").replace(" ", "&#32;"),
    "repr": repr(SECRET.encode()),
    "with line breaks for spaces": "Blaue\\u0020Katze;\\u0020auf 7 D\\u00e4chern",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_known_value_is_found_in_every_form(form: str) -> None:
    assert rules(f'{{"note": "{FORMS[form]}"}}', SECRET)


def test_text_without_the_value_is_clean() -> None:
    assert not rules("Blaue Katzen auf Dächern", SECRET)


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=8, max_size=60),
    before=st.binary(max_size=5),
    after=st.binary(max_size=5),
)
def test_whatever_the_secret_base64_and_hex_do_not_hide_it(secret: str, before: bytes, after: bytes) -> None:
    needle = Needle(KnownValue("x", secret))
    data = before + secret.encode() + after
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(), data.hex()):
        assert needle.found_in(text, text.casefold(), text)


def test_a_short_or_everyday_value_counts_only_as_a_word_of_its_own() -> None:
    assert rules("signed by ada.", "ada")
    assert not rules("metadata", "ada")
    assert rules("user runner wrote", "runner")
    assert not rules("forerunners", "runner")


def test_a_short_value_is_not_looked_for_inside_an_id() -> None:
    uuid = "0f8fad5b-beef-469f-a165-70867728950e"
    known = [KnownValue("user-name", "beef")]
    assert scan({"a": uuid.encode()}, known=known, allowed={uuid}) == []
    assert Hit("member 1", "user-name") in scan({"a": b"beef wrote this"}, known=known)


@pytest.mark.parametrize(
    "value",
    ["ab", "12345678", "2026-11-20", "2026-11-20T10:25:30", "gpt-image-2", "1024x1024", "Nginx", "proxy_read_timeout"],
)
def test_values_that_a_packet_says_in_the_open_are_not_searched_for(value: str) -> None:
    assert not searchable(value, public_text())


@pytest.mark.parametrize("value", ["falcon", "123456789012", "anna", "root", "s3cr3t-value"])
def test_everything_else_is(value: str) -> None:
    assert searchable(value, public_text())


def test_secrets_of_the_environment_are_known_by_name_and_by_shape() -> None:
    environ = {
        "OPENAI_API_KEY": "not-key-shaped-but-secret",
        "FALCON_PLAIN": "sk-" + "proj-Ab3dEf6hIj9lMn2pQr5t",
        "OPENAI_BASE_URL": "https://relay.falcon.dev/v1",
        "HTTPS_PROXY": "http://anna:geheim99@proxy.falcon.dev:3128",
        "OPENAI_ORG_ID": "falconmotors",
        "AUTH_MODE": "none",
        "LANG": "C.UTF-8",
        "PLAIN": "a harmless sentence",
    }
    values = {one.value for one in environment_values(environ)}
    assert values >= {
        "not-key-shaped-but-secret", environ["FALCON_PLAIN"], "relay.falcon.dev", "proxy.falcon.dev", "geheim99",
        "falconmotors",
    }  # fmt: skip
    assert not values & {"none", "C.UTF-8", "a harmless sentence"}


def test_user_host_and_home_are_known() -> None:
    values = {one.value for one in machine_values()}
    assert {getpass.getuser(), socket.gethostname()} <= values


def test_the_runs_own_names_prompts_and_paths_are_known(tmp_path: Path) -> None:
    values = {one.value for one in run_values(tmp_path / "acme-launch", conditions(), events())}
    assert values >= {PROMPT, "falcon-launch-check", "edge-falcon.corp", "ingress-falcon", "acme-launch"}
    assert str(tmp_path / "acme-launch") in values


def test_names_are_scanned_and_a_foreign_name_is_not_repeated() -> None:
    hits = scan({"anna@falcon-motors.com.txt": b"fine"}, names={"packet.md"})
    assert {hit.rule for hit in hits} >= {"email", "unlisted-member"}
    assert all("anna" not in hit.member for hit in hits)


@pytest.mark.parametrize("data", [b"a\x00b", "naïve".encode(), b"\x1f\x8b\x08", "p\u0430cket".encode(), b"a\rb\x1b[0m"])
def test_anything_but_plain_text_is_refused(data: bytes) -> None:
    assert Hit("a", "not-plain-text") in scan({"a": data}, names={"a"})


def test_a_member_beyond_the_cap_is_refused() -> None:
    assert Hit("a", "member-too-large") in scan({"a": b" " * 4_000_001}, names={"a"})


def test_a_refusal_names_rule_and_member_and_never_the_value() -> None:
    hits = scan({"packet.md": b"mail anna@falcon-motors.com"}, names={"packet.md"})
    with pytest.raises(LeakRefused) as caught:
        refuse(hits)
    assert caught.value.exit_code == 5
    assert "email in packet.md" in str(caught.value)
    assert "anna" not in str(caught.value)


def test_no_hit_no_refusal() -> None:
    refuse([])


def test_a_known_value_does_not_show_itself() -> None:
    assert "geheim" not in repr(KnownValue("environment-secret", "geheim"))


@pytest.mark.parametrize(
    ("text", "rule"),
    [("User: anna  Password: hunter2", "sanitizer-key"), ("customer_id=4711", "sanitizer-account"),
     ("on worker-7d9f8b6c5d-x2k4p", "sanitizer-host"), ("渠道 17", "sanitizer-account")],
)  # fmt: skip
def test_what_wall_two_would_take_out_refuses_the_bundle(text: str, rule: str) -> None:
    assert rule in {hit.rule for hit in scan({"a": text.encode()}, names={"a"})}


def test_what_wall_two_leaves_is_no_hit() -> None:
    text = "x-request-id: req_0123456789abcdef0123456789abcdef took 60.012 s, status 504, model gpt-image-1"
    allowed = {"req_0123456789abcdef0123456789abcdef"}
    assert scan({"a": text.encode()}, names={"a"}, allowed=allowed) == []
