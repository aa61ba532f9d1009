"""Canaries in every open field of every input: none comes out, in no encoding, and what matters still does."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.conditions import RunConditions
from harness.diagnosis.model import Diagnosis, JobVerdict
from harness.errors import HarnessError, LeakRefused
from harness.events import JobEvent
from harness.packet import extract, ids, preview, verify_packet, write_packet
from harness.packet.canary import CANARY, _closed, poison, poisoned
from harness.packet.choose import choose
from harness.packet.inputs import read_inputs
from harness.packet.known import base64_forms, searchable
from harness.packet.narrow import Narrower
from harness.packet.public import public_text
from harness.packet.views import views

from .builder import API_ID, OUR_ID, RAY, conditions, diagnosis, event, events, verdicts, write_run

MARK = "kAnArIe7"


def open_strings(value: Any, *, keys: bool = True) -> Iterator[str]:
    """Every string of a record that stands in a field of type text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, msgspec.Struct):
        hints = get_type_hints(type(value))
        for name in value.__struct_fields__:
            if not _closed(hints[name]):
                yield from open_strings(getattr(value, name), keys=keys)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from open_strings(key) if keys else ()
            yield from open_strings(item, keys=keys)
    elif isinstance(value, tuple):
        for item in value:
            yield from open_strings(item, keys=keys)


def assert_absent(canary: str, text: str) -> None:
    folded = canary.casefold()
    for view in views(text):
        assert folded not in view.casefold()
    assert not any(form in text for form in base64_forms(canary))


@pytest.mark.parametrize("behind", [False, True], ids=["in place", "behind"])
def test_the_poisoner_reaches_every_open_field(behind: bool) -> None:
    for record in (*events(), conditions(), diagnosis(), *verdicts()):
        strings = list(open_strings(poison(record, behind=behind), keys=not behind))
        assert strings
        assert all(CANARY in one for one in strings)


@pytest.mark.parametrize("behind", [False, True], ids=["in place", "behind"])
def test_a_wholly_poisoned_run_gives_a_packet_without_a_canary(tmp_path: Path, behind: bool) -> None:
    run = write_run(
        tmp_path / "poisoned",
        jobs=[poison(one, behind=behind) for one in events()],
        said=[poison(one, behind=behind) for one in verdicts()],
        found=poison(diagnosis(), behind=behind),
        under=poison(conditions(), behind=behind),
    )
    for one in events():
        shown = preview(run, poison(one.job_id, behind=behind))
        assert_absent(CANARY, shown)
        assert_absent("falcon", shown)


def test_the_twins_of_every_job_still_make_packets(run_dir: Path) -> None:
    inputs = read_inputs(run_dir)
    for one in inputs.events:
        assert len(list(poisoned(inputs, choose(inputs, one.job_id)))) == 2


def test_a_hole_in_wall_one_is_found_by_the_canary(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real value would pass the scan: only the canary shows that the field copies what it is given."""
    monkeypatch.setitem(ids.PATTERNS, "cf-ray", re.compile(".*"))  # type: ignore[index]
    with pytest.raises(LeakRefused, match="canary in packet"):
        write_packet(run_dir)
    assert not (run_dir / "packet.zip").exists()


def test_when_a_value_slips_past_the_schema_the_failure_holds_no_data(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Narrower, "model", lambda _, value: value)
    with pytest.raises(HarnessError, match=r"no packet was made: model does not fit") as caught:
        write_packet(run_dir)
    assert "Zq7" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not (run_dir / "packet.zip").exists()


HOSTILE = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.sampled_from(
        ["\x00", "\\u0000", "</text><script>", "' ; rm -rf ~ #", "$(id)", "`id`", '"}', "%00", "\u202e", "{{7*7}}",
         "@@MODEL@@", "\nX-Injected: 1", "|a|b|", "BODY\n", "A" * 5000, "${OPENAI_API_KEY}", "gpt-image-2", "req_0"]
    ),
)  # fmt: skip


def planted(value: Any, hostile: Iterator[str]) -> Any:
    """The record with a marked hostile string in every open field; places for real ids and words are kept apart."""
    if isinstance(value, str):
        return f"{MARK}{next(hostile)}{MARK}"
    if isinstance(value, msgspec.Struct):
        hints = get_type_hints(type(value))
        names = [name for name in value.__struct_fields__ if not _closed(hints[name])]
        return msgspec.structs.replace(value, **{name: planted(getattr(value, name), hostile) for name in names})
    if isinstance(value, dict):
        return {planted(key, hostile): planted(item, hostile) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(planted(item, hostile) for item in value)
    return value


def cycle(strings: list[str]) -> Iterator[str]:
    while True:
        yield from strings


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strings=st.lists(HOSTILE, min_size=1, max_size=12), which=st.sampled_from(events()))
def test_no_hostile_text_leaves_and_ids_timings_sizes_and_model_do(
    tmp_path: Path, strings: list[str], which: JobEvent
) -> None:
    hostile = cycle(strings)
    job = planted(which, hostile)
    kept = msgspec.structs.replace(
        job,
        model="gpt-image-2",
        size="2048x2048",
        attempts=tuple(
            msgspec.structs.replace(
                one,
                request_id=API_ID,
                client_request_id=OUR_ID,
                ids={**one.ids, "cf-ray": RAY},
            )
            for one in job.attempts
        ),
    )
    said = msgspec.structs.replace(planted(verdicts()[1], hostile), job_id=kept.job_id)
    under: RunConditions = planted(conditions(), hostile)
    found: Diagnosis = planted(diagnosis(), hostile)
    run = write_run(tmp_path / "run", jobs=[kept], said=[said], found=found, under=under)
    target = write_packet(run, tmp_path / "p.zip")
    verify_packet(target)
    whole = target.read_bytes()
    assert MARK.encode() not in whole
    with zipfile.ZipFile(target) as archive:
        text = "\n".join(archive.read(name).decode("ascii") for name in archive.namelist())
    assert_absent(MARK, text)
    for value in {one for one in strings if len(one.encode()) >= 8 and searchable(one, public_text())}:
        for form in (value, quote(value, safe=""), value.encode().hex()):
            assert form not in text
    packet = extract(run)
    assert packet.clocks.total_ms == which.total_ms
    assert packet.request.model == "gpt-image-2"
    for part in (API_ID, OUR_ID, RAY, f'"total_ms": {which.total_ms}', '"width": 2048'):
        assert part in text


@pytest.mark.parametrize(
    "secret",
    [
        "sk-" + "proj-Ab3dEf6hIj9lMn2pQr5tUv8xYz",
        "anna.meier@falcon-motors.com",
        "https://hooks.falcon.dev/cb?sig=abc",
        "10.20.30.40",
        "org-" + "AbCdEf0123456789AbCdEf01",
        "/home/anna/falcon",
    ],
)
def test_a_secret_in_any_one_field_stays_behind(tmp_path: Path, secret: str) -> None:
    job = event("j2", error_type=secret, error_code=secret, model=secret, quality=secret, endpoint=secret,
                route_owner=secret, timezone=secret, notes=(secret,), prompt_text=secret)  # fmt: skip
    fields = {"layer": secret, "product": secret, "setting": secret, "cap_kind": secret, "settle": secret}
    said = JobVerdict(job_id="j2", verdict="false_timeout", grade="inferred", excluded=(secret,), **fields)
    shown = preview(write_run(tmp_path / "r", jobs=[job], said=[said]))
    assert_absent(secret, shown)
