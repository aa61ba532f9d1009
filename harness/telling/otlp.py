"""The same figures over OTLP/HTTP (protobuf), by OpenTelemetry's own SDK, once a round.

Headers with secrets come from ``OTEL_EXPORTER_OTLP_HEADERS``, which the SDK reads itself. Names follow OpenTelemetry:
dots, and units beside the name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlunsplit

from harness import __version__
from harness.errors import UsageProblem
from harness.history.model import CellFigures, Standing
from harness.telling.words import BUCKETS_S, OTHER, Labels, by_subject, missing, parts_of

_NEVER_MS = 10.0**9  # the reader exports when it is told to
TIMEOUT_S = 10


def endpoint_of(url: str) -> str:
    """A collector's address → that of its metrics, as the specification has it: a bare address gets ``/v1/metrics``.

    Raises:
        UsageProblem: it is no address.
    """
    parts = parts_of("--otlp", url, "one like http://127.0.0.1:4318")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageProblem("--otlp: write the address of a collector, like http://127.0.0.1:4318")
    if parts.username or parts.password:
        raise UsageProblem("--otlp: no name or password in the address; set OTEL_EXPORTER_OTLP_HEADERS")
    path = parts.path if parts.path.strip("/") else "/v1/metrics"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


class Otlp:
    """One collector."""

    def __init__(self, url: str, scenario: str, timeout_s: int = TIMEOUT_S) -> None:
        endpoint = endpoint_of(url)
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.metrics import CallbackOptions, Observation
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import Resource
        except ImportError as error:
            raise missing("otlp", "--otlp", error) from None
        self._standing: Standing | None = None
        self._timeout_ms = timeout_s * 1000
        self._cells, self._subjects = Labels(), Labels()
        # The reader does not tell whether an export went well, and the SDK says it to the log in words of its own.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        logging.getLogger("opentelemetry").propagate = False

        class Noticed(OTLPMetricExporter):
            well = True

            def export(self, *args: Any, **kwargs: Any) -> MetricExportResult:
                found = super().export(*args, **kwargs)
                self.well = found is MetricExportResult.SUCCESS
                return found

        self._exporter = exporter = Noticed(endpoint=endpoint, timeout=timeout_s)
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=_NEVER_MS)
        resource = Resource.create(
            {"service.name": "harness", "service.version": __version__, "harness.scenario": scenario}
        )
        self._provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("harness.watch", __version__)

        def gauge(name: str, unit: str, sentence: str, read: Any) -> None:
            def observe(_: CallbackOptions) -> Iterable[Observation]:
                standing = self._standing
                return [] if standing is None else [Observation(value, labels) for value, labels in read(standing)]

            meter.create_observable_gauge(name, [observe], unit=unit, description=sentence)

        self._image = meter.create_histogram(
            "harness.final_image", "s", "Time until the final image was here, delivered jobs only.",
            explicit_bucket_boundaries_advisory=list(BUCKETS_S),
        )  # fmt: skip
        self._jobs = meter.create_counter("harness.jobs", "{job}", "Jobs by how they ended.")
        self._limited = meter.create_counter("harness.jobs.rate_limited", "{job}", "Jobs that met a 429.")
        self._usd = meter.create_counter("harness.cost", "{USD}", "US dollars that jobs cost or may have cost.")
        self._rounds = meter.create_counter("harness.rounds", "{round}", "Rounds by how they ended.")
        gauge("harness.round.duration", "s", "How long the last round took.", lambda s: [(_took(s), {})])
        gauge("harness.round.last", "s", "When the last round ended, since 1970.", lambda s: [(s.round.ended_s, {})])
        gauge("harness.final_image.quantile", "s", "Kaplan-Meier quantile of the last day.", self._quantiles)
        gauge("harness.success", "1", "Share of judged jobs of the last day that brought the image.", self._successes)
        gauge("harness.alert.firing", "1", "1 while an alert fires.", self._alerts)

    def tell(self, standing: Standing) -> str | None:
        """Send a round and how things stand after it; what went wrong, or None."""
        self._standing = standing
        self._rounds.add(1, {"status": standing.round.status})
        for job in standing.fresh:
            route = {"route": job.route}
            self._jobs.add(1, route | {"outcome": job.outcome})
            self._limited.add(int(job.rate_limited), route)
            self._usd.add(job.cost_usd or 0.0, route)
            if job.final_image_ms is not None:
                self._image.record(job.final_image_ms / 1000, route | {"quality": job.quality})
        try:
            sent = self._provider.force_flush(timeout_millis=self._timeout_ms)
        except Exception as error:  # noqa: BLE001  whatever the exporter or its transport raise: the watch goes on
            return f"otlp: not sent ({type(error).__name__})"
        if sent and self._exporter.well:
            return None
        return "otlp: the collector did not take it; sums go out again with the next round"

    def close(self) -> None:
        self._provider.shutdown(timeout_millis=self._timeout_ms)

    def _quantiles(self, standing: Standing) -> Iterable[tuple[float, dict[str, str]]]:
        for name, cell in self._named(standing):
            for quantile, found in (("0.5", cell.p50_ms), ("0.95", cell.p95_ms)):
                if found.value is not None and not found.thin:
                    yield found.value / 1000, {"cell": name, "quantile": quantile}

    def _successes(self, standing: Standing) -> Iterable[tuple[float, dict[str, str]]]:
        for name, cell in self._named(standing):
            if cell.success.value is not None:
                yield cell.success.value, {"cell": name}

    def _named(self, standing: Standing) -> Iterable[tuple[str, CellFigures]]:
        """Cells that have a label of their own: a figure of one cell is not that of all others."""
        named = ((self._cells.of(cell.cell), cell) for cell in standing.cells)
        return [(name, cell) for name, cell in named if name != OTHER]

    def _alerts(self, standing: Standing) -> Iterable[tuple[float, dict[str, str]]]:
        for (alert, subject), is_in in by_subject(standing.alerts, self._subjects).items():
            yield float(is_in == "firing"), {"alert": alert, "subject": subject}


def _took(standing: Standing) -> float:
    return standing.round.ended_s - standing.round.began_s
