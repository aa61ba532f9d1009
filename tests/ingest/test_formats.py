"""Each format's fixture: lines of real servers, documented examples with invented values, and the sightings they are.

The fixtures of nginx, HAProxy, Caddy and Envoy begin with what those wrote themselves; what comes after is by hand.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.ingest.formats import FORMATS, format_named, names, sniff
from harness.ingest.sightings import COLUMNS
from harness.ingest.source import open_source
from tests.conftest import ROOT
from tests.ingest.forms import fixture_of, with_fixtures

# Records of a fixture that are broken on purpose.
BROKEN = {"har": 1, "otlp": 1, "aiperf": 1, "litellm": 1}


def read(name: str, tmp_path: Path, text: str | None = None) -> pd.DataFrame:
    """The sightings of a format's fixture, or of a text in it."""
    path = fixture_of(name)
    if text is not None:
        path = tmp_path / "given.log"
        path.write_text(text, encoding="utf-8")
    assert path is not None
    batch = format_named(name).read(open_source(path, tmp_path))
    assert batch.bad_count == (path == fixture_of(name)) * BROKEN.get(name, 0)
    return batch.table


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("name", [one.name for one in FORMATS])
def test_every_format_has_a_fixture_that_is_recognised_as_it(name: str, tmp_path: Path) -> None:
    path = fixture_of(name)
    assert path is not None, f"tests/ingest/fixtures/{name}.… is missing"
    source = open_source(path, tmp_path)
    form = sniff(source)
    assert form is not None
    assert form.name == name
    batch = form.read(source)
    assert len(batch.table) > 0
    assert batch.bad_count == BROKEN.get(name, 0)
    assert (batch.table["started_at_s"] > at("2024-01-01T00:00:00+00:00")).all()


def test_no_name_of_a_host_a_user_or_an_address_enters_a_sighting(tmp_path: Path) -> None:
    for name in with_fixtures():
        said = read(name, tmp_path).drop(columns=["line"]).to_csv()
        for private in ("203.0.113", "2001:db8", "mary", "example.org", "curl", "?", "Set-Cookie", "127.0.0.1"):
            assert private not in said, (name, private)


# Per format: line → columns. A column that is None is one that is not said.
EXPECTED: dict[str, dict[int, dict[str, Any]]] = {
    "nginx": {
        9: {"path": "/v1/images/edits", "status": 200, "upstream_calls": 2, "upstream_status": 200, "call_id":
            "c1ffcd91a7be415998f93aacbf863d14", "client_request_id": None, "duration_ms": 31_250,
            "upstream_first_byte_ms": 31_100, "gave_up": None, "started_at_s": at("2026-11-21T10:32:29.750+00:00")},
        10: {"path": "", "method": None, "status": 400, "duration_ms": 10},
        11: {"path": "", "status": 400, "duration_ms": None},
        # Without the moment of the upstream's header nobody can tell whose 504 it was.
        12: {"status": 504, "gave_up": None, "duration_ms": None, "path": "/v1/images/generations"},
    },
    "haproxy": {
        11: {"gave_up": "self", "gave_up_word": "sH--", "started_at_s": at("2026-11-21T11:39:20.050+00:00"),
             "duration_ms": 30_047, "connect_ms": 2, "request_sent_at_ms": 12, "upstream_ms": 30_030,
             "first_byte_at_ms": None, "path": "/v1/images/generations",
             "client_request_id": "00000000-0000-4000-8000-000000000001"},
        12: {"gave_up": "client", "gave_up_word": "CD--", "first_byte_at_ms": 201, "status": 200},
        13: {"gave_up": "self", "gave_up_word": "sD--"},
        14: {"gave_up": "upstream", "gave_up_word": "SD--"},
        15: {"gave_up": "client", "gave_up_word": "cD--"},
        16: {"gave_up": "self", "gave_up_word": "cR--", "status": 408, "path": ""},
        17: {"gave_up": None, "status": 403},
        18: {"gave_up": None, "status": 200, "path": "/stats"},
        19: {"gave_up": None, "status": None},  # killed in the middle: no whole answer
        20: {"gave_up": "self", "gave_up_word": "sC--", "connect_ms": None, "retries": None},
        21: {"gave_up": "nobody", "duration_ms": None, "bytes_down": 9000},
    },
    "caddy": {
        6: {"gave_up": "upstream", "gave_up_word": "connection refused", "status": 502},
        8: {"gave_up": "upstream", "gave_up_word": "EOF"},
        9: {"gave_up": None, "status": 504},
        10: {"gave_up": "client", "status": None},
        13: {"gave_up": "self", "gave_up_word": "dial tcp …: i/o timeout", "duration_ms": 3000.5,
             "started_at_s": at("2026-11-21T11:40:57.4995+00:00"),
             "client_request_id": "00000000-0000-4000-8000-000000000006"},
        14: {"gave_up": None, "duration_ms": 62_500, "status": 200,
             "request_id": "req_00000000000000000000000000000007",
             "reply_headers": '{"server":"nginx","content-type":"application/json"}'},
        15: {"gave_up": "self", "gave_up_word": "504", "duration_ms": 929},
    },
    "envoy": {
        9: {"gave_up": "self", "gave_up_word": "response_flags UT", "duration_ms": 15_001, "status": 504,
            "call_id": "00000000-0000-4000-8000-000000000002", "started_at_s": at("2026-11-21T11:40:00.123+00:00")},
        10: {"gave_up": "self", "gave_up_word": "UF connection_timeout", "status": 503},
        11: {"gave_up": "self", "gave_up_word": "SI", "status": 200, "upstream_first_byte_ms": 812},
        12: {"gave_up": "self", "gave_up_word": "response_flags UT"},
    },
    "envoy-json": {
        4: {"gave_up": "upstream", "gave_up_word": "UF"},
        6: {"gave_up": "upstream", "gave_up_word": "UC"},
        7: {"gave_up": "client", "gave_up_word": "DC", "status": None},
        8: {"gave_up": "self", "gave_up_word": "response_flags UT"},
    },
    "apache": {
        1: {"started_at_s": at("2026-11-21T11:42:00+00:00"), "duration_ms": 31_250.4,
            "client_request_id": "00000000-0000-4000-8000-000000000008", "gave_up": None},
        2: {"status": 502, "duration_ms": 60_001.2, "gave_up": None},
        3: {"gave_up": "client", "gave_up_word": "aborted"},
        4: {"path": "", "status": 408, "bytes_down": None},
    },
    "alb": {
        1: {"gave_up": "nobody", "duration_ms": 31_250, "first_byte_at_ms": 31_201, "upstream_status": 200,
            "trace_id": "1-6560a0a3-000000000000000000000001", "started_at_s": at("2026-11-21T11:43:00.100+00:00")},
        2: {"gave_up": "self", "gave_up_word": "504", "duration_ms": 60_050, "upstream_ms": None},
        3: {"gave_up": "client", "gave_up_word": "460", "duration_ms": 10_000},
        4: {"gave_up": "upstream", "gave_up_word": "502"},
        5: {"gave_up": "nobody", "status": 504, "duration_ms": 300},  # an old line, without the later fields
        6: {"path": "", "status": 400},
    },
    "cloudfront": {
        3: {"gave_up": "nobody", "duration_ms": 31_250, "first_byte_at_ms": 31_100, "started_step_s": 1},
        4: {"gave_up": "self", "gave_up_word": "OriginCommError", "started_at_s":
            at("2026-11-21T11:50:59.987+00:00")},
        5: {"gave_up": "client", "gave_up_word": "ClientCommError", "status": None},
        6: {"gave_up": "upstream", "gave_up_word": "OriginConnectError"},
        7: {"gave_up": "nobody", "status": 504},
    },
    "cloudflare": {
        1: {"gave_up": "nobody", "duration_ms": 31_250, "connect_ms": 30, "upstream_first_byte_ms": 31_100,
            "started_step_s": 0.001, "client_request_id": "00000000-0000-4000-8000-000000000009",
            "call_id": "8a0000000000001a"},
        2: {"gave_up": "self", "gave_up_word": "EdgeResponseStatus 524", "duration_ms": 120_050,
            "started_at_s": at("2026-11-21T12:01:00.250+00:00"), "upstream_first_byte_ms": None},
        3: {"gave_up": "self", "gave_up_word": "EdgeResponseStatus 522", "started_step_s": 1, "duration_ms": 19_000},
        4: {"gave_up": "upstream", "started_step_s": 1},
        5: {"gave_up": "client", "gave_up_word": "EdgeResponseStatus 499"},
        6: {"gave_up": "nobody", "status": 504},
    },
    "vercel": {
        1: {"status": 200, "duration_ms": 31_250.4, "path": "/v1/images/generations", "bytes_down": 240_410},
        3: {"gave_up": "self", "gave_up_word": "Vercel Runtime Timeout Error: Task timed out after 300 seconds",
            "duration_ms": 300_000, "status": 504, "started_at_s": at("2026-11-21T12:11:39.900+00:00")},
        4: {"path": "/index.html", "duration_ms": None},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_records_of_a_fixture_are_as_expected(name: str, tmp_path: Path) -> None:
    table = read(name, tmp_path).set_index("line")
    for line, columns in EXPECTED[name].items():
        for column, value in columns.items():
            found = table.loc[line, column]
            nothing = found is None or (isinstance(found, float) and math.isnan(found))
            if value is None:
                assert nothing, (name, line, column, found)
            elif isinstance(value, str):
                assert found == value, (name, line, column)
            else:
                assert found == pytest.approx(value, abs=1e-3), (name, line, column)


def test_a_failed_step_is_never_taken_for_zero(tmp_path: Path) -> None:
    for name in with_fixtures():
        table = read(name, tmp_path).select_dtypes("number")
        assert not (table < 0).any().any(), name


def test_what_a_drain_posts_as_arrays_is_read_like_lines(tmp_path: Path) -> None:
    path = fixture_of("vercel")
    assert path is not None
    records = [json.loads(line) for line in path.read_text().splitlines()]
    plain = read("vercel", tmp_path).drop(columns="line")
    for text in (json.dumps(records), json.dumps(records, indent=2), json.dumps(records[:2]) + "\n"
                 + json.dumps(records[2:])):  # fmt: skip
        pd.testing.assert_frame_equal(read("vercel", tmp_path, text).drop(columns="line"), plain)


def test_cloudfronts_fields_may_come_in_another_order_and_number(tmp_path: Path) -> None:
    text = "#Fields: time date cs-uri-stem sc-status x-edge-detailed-result-type time-taken x-edge-result-type\n"
    text += "11:51:30\t2026-11-21\t/v1/images/generations\t504\tOriginCommError\t30.013\tError\n"
    (row,) = read("cloudfront", tmp_path, text).to_dict("records")
    assert (row["gave_up"], row["duration_ms"]) == ("self", pytest.approx(30_013))
    as_json = {"date": "2026-11-21", "time": "11:51:30", "sc-status": "504", "time-taken": "30.013",
               "x-edge-result-type": "Error", "x-edge-detailed-result-type": "OriginCommError"}  # fmt: skip
    (row,) = read("cloudfront", tmp_path, json.dumps(as_json)).to_dict("records")
    assert (row["gave_up"], row["duration_ms"]) == ("self", pytest.approx(30_013))


def test_caddys_error_line_alone_is_a_record_too(tmp_path: Path) -> None:
    path = fixture_of("caddy")
    assert path is not None
    lines = [line for line in path.read_text().splitlines() if '"http.log.error"' in line]
    table = read("caddy", tmp_path, "\n".join(lines))
    assert list(table["gave_up"]) == ["upstream", "upstream", "self"]
    assert list(table["status"]) == [502, 502, 504]


@pytest.mark.parametrize(
    ("duration", "ms"),
    [("0.5", 500), ('"1m2.5s"', 62_500), ('"929µs"', 0.929), ("929000000", 929), ('"2h0m1s"', 7.201e6)],
)
def test_caddys_durations_are_read_in_every_form(duration: str, ms: float, tmp_path: Path) -> None:
    line = (
        '{"level":"info","ts":1795261320.5,"logger":"http.log.access","msg":"handled request","request":{"uri":"/x"},'
        f'"duration":{duration},"status":200,"size":1}}'
    )
    assert read("caddy", tmp_path, line)["duration_ms"][0] == pytest.approx(ms)


@pytest.mark.parametrize(
    "stamp", ['"2026-11-21T11:42:00.500Z"', "1795261320.5", "1795261320500", "1795261320500000000"]
)
def test_a_moment_is_read_in_every_form(stamp: str, tmp_path: Path) -> None:
    line = f'{{"EdgeStartTimestamp":{stamp},"EdgeResponseStatus":200}}'
    assert read("cloudflare", tmp_path, line)["started_at_s"][0] == pytest.approx(1795261320.5, abs=1e-3)


def test_a_bare_number_behind_apaches_line_is_microseconds_where_apache_is_named(tmp_path: Path) -> None:
    line = '10.0.0.1 - - [21/Nov/2026:11:42:00 +0000] "POST /v1/images/generations HTTP/1.1" 200 9 "-" "-" 31250400'
    (row,) = read("apache", tmp_path, line).to_dict("records")
    assert (row["duration_ms"], row["writer"]) == (pytest.approx(31_250.4), "apache")


def test_the_page_about_logs_has_every_format_and_every_column() -> None:
    page = (ROOT / "docs" / "intake.md").read_text(encoding="utf-8")
    assert [name for name in names() if f"| `{name}` |" not in page] == []
    assert [name for name, (kind, says) in COLUMNS.items() if f"| `{name}` | {kind} | {says} |" not in page] == []
