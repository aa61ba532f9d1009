"""Figures over OTLP/HTTP, decoded by OpenTelemetry's own messages."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from harness.errors import UsageProblem
from harness.telling.otlp import Otlp, endpoint_of

from .test_prometheus import free_port
from .worlds import receiver, standing


def metrics_in(body: bytes) -> dict[str, Any]:
    request = ExportMetricsServiceRequest()
    request.ParseFromString(body)
    (resource,) = request.resource_metrics
    named = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (named["service.name"], named["harness.scenario"]) == ("harness", "watch")
    return {one.name: one for scope in resource.scope_metrics for one in scope.metrics}


def test_a_round_reaches_the_collector_as_protobuf() -> None:
    with receiver() as (url, got):
        otlp = Otlp(url, "watch")
        assert otlp.tell(standing()) is None
        assert otlp.tell(standing()) is None
        otlp.close()
    path, headers, body = got[1]
    assert (path, headers["content-type"]) == ("/v1/metrics", "application/x-protobuf")
    metrics = metrics_in(body)
    (image,) = metrics["harness.final_image"].histogram.data_points
    assert (image.count, image.sum) == (2, pytest.approx(10.4))
    assert (min(image.explicit_bounds), max(image.explicit_bounds)) == (1, 600)
    assert metrics["harness.final_image"].unit == "s"
    jobs = {
        next(a.value.string_value for a in one.attributes if a.key == "outcome"): one.as_int
        for one in metrics["harness.jobs"].sum.data_points
    }
    assert jobs == {"image": 2, "cut": 2, "error": 2}
    (quantile,) = metrics["harness.final_image.quantile"].gauge.data_points
    assert quantile.as_double == 5.2
    assert sorted(one.as_double for one in metrics["harness.alert.firing"].gauge.data_points) == [0, 1]


def test_a_collector_that_is_not_there_is_said_and_the_watch_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    otlp = Otlp(f"http://127.0.0.1:{free_port()}", "watch", timeout_s=1)
    assert "otlp" in (otlp.tell(standing()) or "")
    otlp.close()
    assert "Traceback" not in capfd.readouterr().err


def test_an_address_gets_the_path_of_the_specification_unless_it_has_one() -> None:
    assert endpoint_of("http://127.0.0.1:4318") == "http://127.0.0.1:4318/v1/metrics"
    assert endpoint_of("https://collector.example.com/otel/v1/metrics").endswith("/otel/v1/metrics")
    for bad in ("127.0.0.1:4318", "grpc://x", "http://user:word@127.0.0.1:4318", "http://[::1", "http://h:99999"):
        with pytest.raises(UsageProblem, match="--otlp"):
            endpoint_of(bad)
