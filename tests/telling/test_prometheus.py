"""`/metrics`, read by the real Prometheus."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.errors import UsageProblem
from harness.telling.prometheus import Metrics, address_of
from harness.telling.words import MOST_LABELS, OTHER

from .worlds import alert, fresh, get_json, standing, until


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no {name} on the path; CI must ask the real one")
        pytest.skip(f"no {name} on the path")
    return found


def told() -> Metrics:
    metrics = Metrics("watch")
    metrics.tell(standing())
    return metrics


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float | None:
    return samples(text).get((f"harness_{name}", frozenset(labels.items())))


def test_a_round_is_counted_and_the_standing_is_gauged() -> None:
    text = told().text()
    assert value(text, "jobs_total", route="direct", outcome="image") == 1
    assert value(text, "jobs_total", route="direct", outcome="cut") == 1
    assert value(text, "jobs_rate_limited_total", route="direct") == 1
    assert value(text, "cost_usd_total", route="direct") == pytest.approx(0.006)
    assert value(text, "rounds_total", status="complete") == 1
    assert value(text, "rounds_missed_total") == 2
    assert value(text, "round_duration_seconds") == 42.5
    assert value(text, "last_round_timestamp_seconds") == 1e9 + 42.5
    assert value(text, "spent_usd", period="total") == 2.5
    assert value(text, "final_image_p50_seconds", cell="direct/low") == 5.2


def test_a_cut_job_is_in_no_bucket_and_is_counted_beside_them() -> None:
    text = told().text()
    assert value(text, "final_image_seconds_count", route="direct", quality="low") == 1
    assert value(text, "final_image_seconds_bucket", route="direct", quality="low", le="5.0") == 0
    assert value(text, "final_image_seconds_bucket", route="direct", quality="low", le="10.0") == 1
    assert value(text, "jobs_cut_total", route="direct") == 1
    limits = [float(one) for one in re.findall(r'_bucket\{le="([\d.]+)"', text)]
    assert (min(limits), max(limits)) == (1, 600)


def test_a_thin_quantile_is_absent_and_no_old_figure_stands_for_what_is_no_longer_known() -> None:
    metrics = told()
    assert value(metrics.text(), "final_image_p95_seconds", cell="direct/low") is None
    metrics.tell(standing(cells=(), fresh=()))
    assert "final_image_p50_seconds{" not in metrics.text()


def test_an_alert_is_in_one_state() -> None:
    text, subject = told().text(), "p50(final_image_ms){route=direct} < 4s"
    states = {
        state: value(text, "alert_state", alert="ImageLatency", subject=subject, state=state)
        for state in ("not_enough", "inactive", "pending", "firing")
    }
    assert states == {"not_enough": 0, "inactive": 0, "pending": 0, "firing": 1}


def test_labels_stay_few_however_many_cells_and_routes_there_are() -> None:
    metrics = Metrics("watch")
    jobs = tuple(fresh(route=f"route-{number}") for number in range(500))
    alerts = tuple(alert(subject=f"cell-{number}") for number in range(500))
    metrics.tell(standing(fresh=jobs, alerts=alerts))
    text = metrics.text()
    assert len(re.findall(r"^harness_jobs_total\{", text, re.MULTILINE)) == MOST_LABELS + 1
    assert value(text, "jobs_total", route=OTHER, outcome="image") == 500 - MOST_LABELS
    assert len(re.findall(r"^harness_alert_state\{", text, re.MULTILINE)) == 4 * (MOST_LABELS + 1)


def test_of_what_shares_the_last_label_a_quiet_one_hides_none_that_fires_and_no_cell_stands_for_others() -> None:
    metrics = Metrics("watch")
    alerts = [alert(subject=f"cell-{number}", state="inactive") for number in range(200)]
    alerts[150] = alert(subject="cell-150")
    cells = [msgspec.structs.replace(standing().cells[0], cell=f"cell-{number}") for number in range(200)]
    metrics.tell(standing(alerts=tuple(alerts), cells=tuple(cells)))
    text = metrics.text()
    assert value(text, "alert_state", alert="ImageLatency", subject=OTHER, state="firing") == 1
    assert value(text, "alert_state", alert="ImageLatency", subject=OTHER, state="inactive") == 0
    assert value(text, "success_ratio", cell="cell-49") == 0.95
    assert value(text, "success_ratio", cell=OTHER) is None


def test_promtool_finds_nothing_to_object_to() -> None:
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=told().text(), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_port_is_on_loopback_unless_told_otherwise() -> None:
    assert address_of("9464") == ("127.0.0.1", 9464)
    assert address_of("0.0.0.0:9464") == ("0.0.0.0", 9464)
    assert address_of("[::1]:0") == ("::1", 0)
    for bad in ("", "host", "host:", "1:99999", "http://x:1"):
        with pytest.raises(UsageProblem, match="--metrics"):
            address_of(bad)


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageProblem, match="cannot listen"):
        Metrics("watch").serve("127.0.0.1", taken.getsockname()[1])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_the_real_prometheus_scrapes_it(tmp_path: Path) -> None:
    prometheus = program("prometheus")
    port, close = told().serve("127.0.0.1", 0)
    own = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: harness, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )
    command = [prometheus, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}",
               f"--web.listen-address=127.0.0.1:{own}", "--log.level=error"]  # fmt: skip
    api = f"http://127.0.0.1:{own}/api/v1"

    def asked(query: str) -> dict[str, str]:
        found = get_json(f"{api}/query?query={query}")["data"]["result"]
        return {one["metric"].get("outcome", ""): one["value"][1] for one in found}

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: asked("harness_jobs_total"))
            (target,) = get_json(f"{api}/targets")["data"]["activeTargets"]
            assert (target["health"], target["lastError"]) == ("up", "")
            assert asked("harness_jobs_total") == {"image": "1", "cut": "1", "error": "1"}
            assert asked("harness_last_round_timestamp_seconds") == {"": "1000000042.5"}
            histogram = asked("histogram_quantile(0.5,harness_final_image_seconds_bucket)")
            assert 5 <= float(histogram[""]) <= 10
            metadata = get_json(f"{api}/metadata?metric=harness_final_image_seconds")["data"]
            assert metadata["harness_final_image_seconds"][0]["type"] == "histogram"
        finally:
            process.terminate()
            process.wait(timeout=30)
            close()
