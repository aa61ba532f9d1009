"""What counts as the same verdict, for each kind of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.shrinking.model import Sighting
from harness.shrinking.symptom import kind_of, shows

CUT = Sighting(
    verdict="false_timeout", outcome="error", layer="edge", product="nginx", cap_s=60.0, http_status=504,
    total_ms=60_100.0,
)  # fmt: skip
REFUSED = Sighting(
    verdict="parameter_mismatch", outcome="error", http_status=400, error_code="invalid_value", error_param="size",
    total_ms=400.0,
)  # fmt: skip
SLOW = Sighting(verdict="long_model_wait", outcome="image", clock="wait_ms", total_ms=120_000.0)
SHORT = Sighting(verdict="incomplete_stream", outcome="cut", http_status=200)


def test_each_verdict_has_its_kind() -> None:
    assert [kind_of(one) for one in (CUT, REFUSED, SLOW, SHORT)] == ["timeout", "refusal", "slow", "other"]
    assert kind_of(Sighting(verdict="undetermined", outcome="error", http_status=500)) == "refusal"


@pytest.mark.parametrize("target", [CUT, REFUSED, SLOW, SHORT])
def test_a_job_shows_what_it_showed(target: Sighting) -> None:
    assert shows(target, target, 2.0) is True


@pytest.mark.parametrize(
    ("target", "changes", "same"),
    [
        (CUT, {"layer": "gateway"}, False),
        (CUT, {"product": "caddy"}, False),
        (CUT, {"cap_s": 100.0}, False),
        (CUT, {"cap_s": None}, True),
        (CUT, {"total_ms": 61_000.0}, True),
        (CUT, {"verdict": "undetermined", "layer": None, "product": None, "cap_s": None}, True),
        (CUT, {"verdict": "undetermined", "layer": None, "total_ms": 30_000.0}, False),
        (CUT, {"verdict": "undetermined", "layer": None, "http_status": 502}, False),
        (CUT, {"verdict": "ok", "outcome": "image", "http_status": 200}, False),
        (REFUSED, {"error_code": "unknown_parameter"}, False),
        (REFUSED, {"error_param": "background"}, False),
        (REFUSED, {"http_status": 403}, False),
        (REFUSED, {"total_ms": 9000.0}, True),
        (SLOW, {"total_ms": 61_000.0}, True),
        (SLOW, {"total_ms": 59_000.0}, False),
        (SLOW, {"clock": "upload_ms"}, False),
        (SLOW, {"verdict": "route_owner_delay"}, True),
        (SLOW, {"verdict": "upload_bound"}, False),
        (SHORT, {"verdict": "empty_success"}, False),
    ],
)
def test_what_differs_decides(target: Sighting, changes: dict[str, Any], same: bool) -> None:
    assert shows(target, msgspec.structs.replace(target, **changes), 2.0) is same


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "retry_pressure", "http_status": 429},
        {"verdict": "quota"},
        {"verdict": "client_bound"},
        {"outcome": "unreachable", "verdict": "undetermined"},
        {"outcome": "cancelled", "verdict": "undetermined"},
    ],
)
def test_an_end_of_its_own_says_nothing_of_the_shape(changes: dict[str, Any]) -> None:
    assert shows(SLOW, msgspec.structs.replace(SLOW, **changes), 2.0) is None


@pytest.mark.parametrize("total_ms", [59_500.0, 61_800.0])
def test_a_layer_that_the_evidence_could_not_name_is_known_by_the_time_of_its_end(total_ms: float) -> None:
    unnamed = msgspec.structs.replace(CUT, layer="a layer not named by the evidence", product=None, cap_s=None)
    seen = msgspec.structs.replace(CUT, total_ms=total_ms)
    assert shows(unnamed, seen, 2.0) is True
    assert shows(seen, unnamed, 2.0) is True
    assert shows(unnamed, msgspec.structs.replace(seen, total_ms=100_000.0), 2.0) is False


def test_a_rate_limit_that_is_itself_the_verdict_counts() -> None:
    limited = Sighting(verdict="retry_pressure", outcome="error", http_status=429, error_code="rate_limit_exceeded")
    assert shows(limited, limited, 2.0) is True
