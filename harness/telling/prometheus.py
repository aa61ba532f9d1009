"""`/metrics`: counters of what this process saw, gauges of how the history stands. On loopback unless told otherwise.

Names end in their base unit and counters in ``_total``: https://prometheus.io/docs/practices/naming/. A job that was
cut is in no bucket of the histogram, because nobody knows how long it would have taken; it is counted beside it, and
``harness_final_image_p50_seconds`` (Kaplan-Meier over the last day) takes it as what it is. Times are those of the
measured world.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import __version__
from harness.errors import UsageProblem
from harness.history.model import Standing
from harness.telling.words import BUCKETS_S, OTHER, STATES, Labels, by_subject, missing

LOOPBACK = "127.0.0.1"


def address_of(text: str) -> tuple[str, int]:
    """ "9464" or "0.0.0.0:9464" → host and port; 0 is a free one.

    Raises:
        UsageProblem: it is no address.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535 or (not host) != (":" not in text) or "/" in host:
        raise UsageProblem(f"--metrics: {text!r} is no address; write 9464 (on loopback) or HOST:9464")
    return host.strip("[]") or LOOPBACK, int(port)


class Metrics:
    """The metrics of one watch. `serve` opens the port, `tell` takes in a round."""

    def __init__(self, scenario: str) -> None:
        try:
            import prometheus_client as client
        except ImportError as error:
            raise missing("watch", "--metrics", error) from None
        self._client = client
        self.registry = registry = client.CollectorRegistry()
        self._cells, self._routes, self._subjects = Labels(), Labels(), Labels()

        def made(kind: Any, name: str, sentence: str, labels: tuple[str, ...] = (), **more: Any) -> Any:
            return kind(f"harness_{name}", sentence, labels, registry=registry, **more)

        counter, gauge = client.Counter, client.Gauge
        self._image = made(
            client.Histogram, "final_image_seconds", "Time until the final image was here, delivered jobs only.",
            ("route", "quality"), buckets=BUCKETS_S,
        )  # fmt: skip
        self._jobs = made(counter, "jobs", "Jobs by how they ended.", ("route", "outcome"))
        self._cut = made(counter, "jobs_cut", "Jobs whose clock was cut, so that they are in no bucket.", ("route",))
        self._limited = made(
            counter, "jobs_rate_limited", "Jobs that met a 429, answered in the end or not.", ("route",)
        )
        self._usd = made(counter, "cost_usd", "US dollars that jobs cost or may have cost.", ("route",))
        self._images = made(counter, "images", "Images delivered.", ("route",))
        self._rounds = made(counter, "rounds", "Rounds by how they ended.", ("status",))
        self._missed = made(counter, "rounds_missed", "Rounds that fell out: the one before took too long, or a cap.")
        self._took = made(gauge, "round_duration_seconds", "How long the last round took, of this machine's time.")
        self._last = made(gauge, "last_round_timestamp_seconds", "When the last round ended.")
        self._p50, self._p95 = (
            made(gauge, f"final_image_{name}_seconds", "Kaplan-Meier, last day; absent where not estimable.", ("cell",))
            for name in ("p50", "p95")
        )
        self._success = made(
            gauge, "success_ratio", "Share of judged jobs of the last day that brought the image.", ("cell",)
        )
        self._each = made(gauge, "image_cost_usd", "US dollars for each delivered image of the last day.", ("cell",))
        self._alert = made(gauge, "alert_state", "1 for the state that an alert is in.", ("alert", "subject", "state"))
        self._spent = made(gauge, "spent_usd", "US dollars spent: today (UTC) and in all.", ("period",))
        made(client.Info, "watch", "What is watched.").info({"scenario": scenario, "version": __version__})

    def tell(self, standing: Standing) -> None:
        """Take in a round and how things stand after it."""
        one = standing.round
        self._rounds.labels(one.status).inc()
        self._missed.inc(one.missed)
        self._took.set(one.ended_s - one.began_s)
        self._last.set(one.ended_s)
        for job in standing.fresh:
            route = self._routes.of(job.route)
            self._jobs.labels(route, job.outcome).inc()
            self._limited.labels(route).inc(int(job.rate_limited))
            self._cut.labels(route).inc(int(job.cut))
            self._usd.labels(route).inc(job.cost_usd or 0.0)
            self._images.labels(route).inc(job.images if job.outcome == "image" else 0)
            if job.final_image_ms is not None:
                self._image.labels(route, job.quality).observe(job.final_image_ms / 1000)
        for gauge in (self._p50, self._p95, self._success, self._each, self._alert):
            gauge.clear()  # what is no longer known is absent, and no old figure stands for it
        for cell in standing.cells:
            name = self._cells.of(cell.cell)
            if name == OTHER:
                continue  # a figure of one cell is not that of all others
            for gauge, found in ((self._p50, cell.p50_ms), (self._p95, cell.p95_ms)):
                if found.value is not None and not found.thin:
                    gauge.labels(name).set(found.value / 1000)
            if cell.success.value is not None:
                self._success.labels(name).set(cell.success.value)
            if cell.usd_per_image.value is not None:
                self._each.labels(name).set(cell.usd_per_image.value)
        for (alert, subject), is_in in by_subject(standing.alerts, self._subjects).items():
            for state in STATES:
                self._alert.labels(alert, subject, state).set(int(is_in == state))
        self._spent.labels("day").set(standing.spent_today_usd)
        self._spent.labels("total").set(standing.spent_total_usd)

    def serve(self, host: str, port: int) -> tuple[int, Callable[[], None]]:
        """Open the port; gives the port and how to close it again.

        Raises:
            UsageProblem: it cannot be opened.
        """
        try:
            server, thread = self._client.start_http_server(port, host, self.registry)
        except OSError as error:
            raise UsageProblem(f"--metrics: cannot listen on {host}:{port} ({error.strerror or error})") from None

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return int(server.server_port), close

    def text(self) -> str:
        """The page as Prometheus gets it."""
        return bytes(self._client.generate_latest(self.registry)).decode()
