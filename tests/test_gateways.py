"""Gateways that name themselves: each is known by the headers that were measured or documented, and by no others'."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import evidence
from harness.gateways import Told, gateway_named, gateways, told_by

# Headers of answers as they were measured on loopback or are documented, beside those of the API behind.
OPENAI = {
    "x-request-id": "req_03d95f", "openai-processing-ms": "4821", "openai-version": "2020-10-01",
    "x-ratelimit-limit-requests": "500", "server": "cloudflare", "cf-ray": "95fb86278f70e0d3-MUC",
    "cf-cache-status": "DYNAMIC", "retry-after": "1", "x-envoy-upstream-service-time": "913",
}  # fmt: skip
AZURE = {"apim-request-id": "8f1", "x-request-id": "9a2", "x-ms-region": "East US", "x-ms-client-request-id": "c"}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-litellm-call-id": "1", "x-litellm-model-id": "m", "x-litellm-version": "1.106.2",
          "x-litellm-response-duration-ms": "30.2", "x-litellm-key-spend": "0.0"}, Told("litellm", duration_ms=30.2)),
        ({"x-litellm-call-id": "1", "x-litellm-attempted-retries": "2", "x-litellm-attempted-fallbacks": "1",
          "llm_provider-x-request-id": "req_1", "x-litellm-overhead-duration-ms": "4.5"},
         Told("litellm", overhead_ms=4.5, retries=2, fallbacks=1)),
        ({"x-portkey-cache-status": "DISABLED", "x-portkey-last-used-option-index": "config", **OPENAI,
          "x-portkey-provider": "openai", "x-portkey-retry-attempt-count": "3", "x-portkey-trace-id": "t"},
         Told("portkey", retries=3, cache_hit=False)),
        ({"x-portkey-trace-id": "t", "x-portkey-retry-attempt-count": "-1"}, Told("portkey")),
        ({"x-portkey-trace-id": "t", "x-portkey-cache-status": "semantic hit"}, Told("portkey", cache_hit=True)),
        ({"x-generation-id": "gen-1", "x-provider-name": "OpenAI"}, Told("openrouter")),
        ({"cf-aig-cache-status": "HIT", "cf-aig-log-id": "1", "cf-aig-step": "0", **OPENAI},
         Told("cloudflare_ai_gateway", fallbacks=0, cache_hit=True)),
        ({"cf-aig-step": "1", "cf-aig-cache-status": "MISS"},
         Told("cloudflare_ai_gateway", fallbacks=1, cache_hit=False)),
        ({"x-kong-upstream-latency": "812", "x-kong-proxy-latency": "3"}, Told("kong", 812.0, 3.0)),
        ({"helicone-id": "h", "helicone-cache": "HIT"}, Told("helicone", cache_hit=True)),
        ({"ngrok-aig-request-id": "n", "ngrok-aig-attempts": "3"}, Told("ngrok", retries=2)),
        ({"ngrok-aig-request-id": "n", "ngrok-aig-attempts": "0"}, Told("ngrok", retries=0)),
        ({"x-oneapi-request-id": "20261120"}, Told("new_api")),
        ({"x-api-request-id": "20261120"}, Told("new_api")),
        (OPENAI, Told()),
        (AZURE, Told()),
        ({}, Told()),
    ],
)  # fmt: skip
def test_a_gateway_is_known_by_its_own_headers_and_says_what_it_says(headers: dict[str, str], told: Told) -> None:
    assert told_by(headers) == told


@pytest.mark.parametrize("said", ["", "many", "-1", "nan", "inf", "-inf", "1e999", "0x10", "1,5"])
def test_a_figure_that_is_none_is_not_told(said: str) -> None:
    headers = {"x-litellm-call-id": "1", "x-litellm-attempted-retries": said, "x-litellm-response-duration-ms": said}
    assert told_by(headers) == Told("litellm")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted({h for g in gateways() for h in (*g.headers(), *g.ids)})), st.text()))
def test_any_values_of_known_headers_tell_something_sane(headers: dict[str, str]) -> None:
    told = told_by(headers)
    assert (told.name is None) <= (told == Told())
    for figure in (told.duration_ms, told.overhead_ms, told.retries, told.fallbacks):
        assert figure is None or figure >= 0


def test_no_two_products_are_known_by_the_same_header() -> None:
    known = [name for one in gateways() for name in one.recognise]
    assert len(known) == len(set(known))
    assert len({one.name for one in gateways()}) == len(gateways())


@pytest.mark.parametrize("gateway", gateways(), ids=lambda one: one.name)
def test_an_entry_is_whole_and_its_headers_are_kept_in_events(gateway: object) -> None:
    one = gateway_named(gateway.name)  # type: ignore[attr-defined]
    assert one is gateway
    assert one is not None
    assert one.title
    assert one.recognise
    assert re.fullmatch(r"[a-z][a-z0-9_]*", one.name)
    names = (*one.recognise, *one.headers(), *one.ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert not set(one.headers()) & set(one.ids)
    assert one.cache_hit == tuple(word.upper() for word in one.cache_hit)
    assert bool(one.cache_header) == bool(one.cache_hit)
    assert all(drop.what and drop.source for drop in one.drops)
    kept, ids = evidence.kept_headers([(name, "1") for name in names])
    assert set(one.ids) <= set(ids)
    assert set(one.headers()) <= set(kept) | set(ids)


def test_a_name_that_there_is_not_is_none() -> None:
    assert gateway_named("nobody") is None


def test_the_file_says_what_its_fields_mean() -> None:
    text = (Path(__file__).parents[1] / "harness/data/gateways.yaml").read_text(encoding="utf-8")
    head = text.partition("- name:")[0]
    for field in set(re.findall(r"^  (\w+):", text, re.MULTILINE)) - {"title"}:
        assert field in head, field
