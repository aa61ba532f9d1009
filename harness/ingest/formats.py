"""The formats that can be read, in the order in which they are tried: adding one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import UsageProblem
from harness.ingest import aiperf, apache, aws, caddy, cloudflare, envoy, haproxy, har, litellm, nginx, otlp, vercel
from harness.ingest.sightings import Batch
from harness.ingest.source import Source


@dataclass(frozen=True)
class Format:
    """`fits` looks at a file's first 64 K characters; `read` gives its records."""

    name: str
    title: str
    fits: Callable[[str], bool]
    read: Callable[[Source], Batch]


# What says most of itself comes first: a JSON log whose keys are somebody's own before plain text.
FORMATS: tuple[Format, ...] = (
    Format("har", "HAR 1.2 of a browser", har.is_har, har.read_har),
    Format("otlp", "OpenTelemetry spans as OTLP JSON", otlp.is_otlp, otlp.read_otlp),
    Format("aiperf", "AIPerf's profile_export.jsonl", aiperf.is_aiperf, aiperf.read_aiperf),
    Format("litellm", "LiteLLM request log as JSON lines", litellm.is_litellm, litellm.read_litellm),
    Format("cloudflare", "Cloudflare Logpush, HTTP requests", cloudflare.fits, cloudflare.read),
    Format("vercel", "Vercel log drain (JSON)", vercel.fits, vercel.read),
    Format("caddy", "Caddy's JSON log", caddy.fits, caddy.read),
    Format("cloudfront", "CloudFront standard log", aws.fits_cloudfront, aws.read_cloudfront),
    Format("envoy-json", "Envoy access log as JSON lines", envoy.fits_json, envoy.read_json),
    Format("nginx-json", "nginx access log as JSON lines", nginx.is_json, nginx.read_json),
    Format("haproxy", "HAProxy HTTP log", haproxy.fits, haproxy.read),
    Format("alb", "AWS Application Load Balancer access log", aws.fits_alb, aws.read_alb),
    Format("envoy", "Envoy access log, default text", envoy.fits_text, envoy.read_text),
    Format("apache", "Apache access log (combined, with D=%D behind it)", apache.fits, apache.read),
    Format("nginx", "nginx access log (combined, with name=value behind it)", nginx.is_combined, nginx.read_combined),
)


MAPPED = "mapped"  # by a mapping file of the user's own


def names() -> tuple[str, ...]:
    """What --log-format can be."""
    return (*(one.name for one in FORMATS), MAPPED)


def sniff(source: Source) -> Format | None:
    """The format of a file; null where none fits."""
    return next((one for one in FORMATS if one.fits(source.head)), None)


def format_named(name: str) -> Format:
    """A format by its name.

    Raises:
        UsageProblem: there is none of that name.
    """
    for one in FORMATS:
        if one.name == name:
            return one
    raise UsageProblem(f"--log-format {name}: no such format; there are {', '.join(names())}")
