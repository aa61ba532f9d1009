"""Wall 1 is a shape: these tests hold the shape itself, whatever is put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from harness.diagnosis.catalog import load_catalog
from harness.metrics import METRICS
from harness.packet import EscalationPacket, extract
from harness.packet.facts import Clocks
from harness.packet.ids import PATTERNS, AnchoredId, IdHeader, fits
from harness.packet.layers import CLASS_OF, product_of, setting_of

from .builder import API_ID, RAY, UUID


def strings_of(schema: dict[str, Any], where: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every place of a JSON Schema that admits a string, and what holds it."""
    if schema.get("type") == "string":
        yield where, schema
    for key in ("properties", "$defs"):
        for name, part in schema.get(key, {}).items():
            yield from strings_of(part, f"{where}.{name}")
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for part in schema.get(key, []):
            yield from strings_of(part, where)
    if isinstance(schema.get("items"), dict):
        yield from strings_of(schema["items"], f"{where}[]")


def objects_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    yield from schema.get("$defs", {}).values()


def test_no_field_admits_free_text() -> None:
    schema = EscalationPacket.model_json_schema()
    held = list(strings_of(schema))
    assert len(held) > 50
    loose = [
        where
        for where, part in held
        if not ("enum" in part or "const" in part or "pattern" in part or part.get("format") == "date-time")
    ]
    assert loose == []


def test_every_pattern_is_anchored_at_both_ends_and_admits_no_space() -> None:
    patterns = {part["pattern"] for _, part in strings_of(EscalationPacket.model_json_schema()) if "pattern" in part}
    assert patterns
    for pattern in patterns:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert " " not in pattern
        assert "." not in pattern.replace(r"\.", "")


def test_every_object_of_the_schema_refuses_unknown_fields() -> None:
    for part in objects_of(EscalationPacket.model_json_schema()):
        if part.get("type") == "object":
            assert part["additionalProperties"] is False


def test_a_packet_survives_its_own_json(run_dir: Path) -> None:
    packet = extract(run_dir)
    assert EscalationPacket.model_validate_json(packet.model_dump_json()) == packet


def test_a_packet_cannot_be_changed_or_extended(run_dir: Path) -> None:
    packet = extract(run_dir)
    with pytest.raises(ValidationError):
        packet.verdict = "ok"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        EscalationPacket.model_validate({**packet.model_dump(), "note": "call me"})


def test_a_validation_error_does_not_repeat_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        AnchoredId.model_validate({"header": "x-request-id", "value": "sk-proj-very-secret-0123456789"})
    assert "secret" not in str(caught.value)


def test_the_clocks_are_those_of_the_metrics_table() -> None:
    assert set(Clocks.model_fields) == {metric.name for metric in METRICS}


def test_every_id_header_has_a_shape_of_its_own() -> None:
    assert set(get_args(IdHeader)) == set(PATTERNS)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-request-id", API_ID),
        ("x-request-id", UUID),
        ("apim-request-id", UUID),
        ("cf-ray", RAY),
        ("cf-ray", "95fb86278f70e0d3"),
        ("x-litellm-call-id", UUID),
        ("x-portkey-trace-id", UUID),
        ("x-client-request-id", UUID),
        ("x-client-request-id", "0123456789abcdef0123456789abcdef"),
        ("x-amzn-trace-id", "Root=1-5f84c7a2-0123456789abcdef01234567"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("x-generation-id", "gen-1747000000-AbCdEfGhIjKlMnOpQrSt"),
    ],
)
def test_an_id_in_the_form_of_its_header_is_an_id(header: str, value: str) -> None:
    assert fits(header, value)
    AnchoredId.model_validate({"header": header, "value": value})


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-request-id", "sk-proj-0123456789abcdef0123456789abcdef"),
        ("x-request-id", "req_anna"),
        ("x-request-id", API_ID + "\n"),
        ("cf-ray", UUID),
        ("apim-request-id", API_ID),
        ("authorization", API_ID),
        ("set-cookie", UUID),
        ("x-litellm-call-id", "10.0.0.17"),
        ("openai-organization", UUID),
        ("x-portkey-trace-id", "anna@falcon.example"),
    ],
)
def test_a_value_without_its_headers_form_is_no_id(header: str, value: str) -> None:
    assert not fits(header, value)
    with pytest.raises(ValidationError):
        AnchoredId.model_validate({"header": header, "value": value})


def test_every_product_and_setting_of_the_shipped_catalog_has_its_word() -> None:
    for layer in load_catalog():
        assert product_of(layer.product) in CLASS_OF or layer.product == "unknown", layer.product
        assert setting_of(layer.setting) != "other", layer.setting


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("nginx", "nginx"),
        ("nginx/1.22.1", "nginx"),
        ("nginx_proxy_read_timeout", "nginx"),
        ("AmazonALB", "aws_alb"),
        ("cloudflare", "cloudflare"),
        ("render-farm-7.corp", "other"),
        ("falcon-relay", "other"),
        ("", None),
        (None, None),
    ],
)
def test_a_layer_is_called_by_its_products_public_name(text: str | None, product: str | None) -> None:
    assert product_of(text) == product
