"""One event as a waterfall in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.events import Attempt, JobEvent
from harness.metrics import connected_at_ms, payload_at_ms

WIDEST = 60
LEGEND = 48  # columns that the words and figures beside the bars take


def draw(event: JobEvent, console: Console | None = None) -> None:
    """Print outcome, ids and a bar for every leg of the last attempt. Durations carry units."""
    console = console or Console(highlight=False)
    style = "green" if event.outcome == "image" else "red"
    status = "no response" if event.http_status is None else f"HTTP {event.http_status}"
    console.print(Text.assemble((event.outcome, style), f"  {status}  {event.cell}  {event.total_ms or 0:,.0f} ms"))
    if event.error_code or event.error_type:
        console.print(f"  error: {event.error_type} {event.error_code}", markup=False)
    if event.time_scale != 1:
        console.print(f"  simulated world, {event.time_scale:g} times faster; the times below are the world's")
    attempt = event.attempts[-1]
    if event.request_id:
        console.print(f"  request id: {event.request_id}", markup=False)
    console.print(f"  client request id: {attempt.client_request_id}", markup=False)
    table = Table(box=None, pad_edge=True)
    for column, justify in (("leg", "left"), ("from", "right"), ("took", "right"), ("", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    width = max(8, min(WIDEST, console.width - LEGEND))
    whole = max(attempt.marks.rendered_at_ms or 0, attempt.marks.ended_at_ms, 1e-9)
    for name, start, end in legs(attempt):
        left = min(round(start / whole * width), width - 1)
        length = max(1, min(round((end - start) / whole * width), width - left))
        table.add_row(name, f"{start:,.0f} ms", f"{end - start:,.1f} ms", " " * left + "█" * length)
    console.print(table)
    facts = [f"{event.bytes_down:,} bytes down", f"stamps: {attempt.stamp_source}"]
    if event.clock_error_ms is not None:
        facts.append(f"within {event.clock_error_ms:,.1f} ms")
    if event.server_ms is not None:
        facts.append(f"server says {event.server_ms:,.0f} ms")
    if event.host_lag_ms:
        facts.append(f"our loop ran up to {event.host_lag_ms:,.1f} ms late")
    if event.cost_usd is not None:
        facts.append(f"{event.cost_usd:.4f} USD ({event.cost_basis})")
    console.print("  " + " · ".join(facts), markup=False)
    for image in event.images:
        problems = "; ".join(image.problems) or "as asked"
        console.print(f"  image: {image.format} {image.width}x{image.height}, {image.image_bytes:,} bytes: {problems}")


def legs(attempt: Attempt) -> list[tuple[str, float, float]]:
    """(name, start ms, end ms) of every leg that happened, in order."""
    m = attempt.marks
    finals = m.final_images
    payload = payload_at_ms(m)
    found = [
        ("wait for connection", m.started_at_ms, m.pool_acquired_at_ms),
        ("DNS", m.pool_acquired_at_ms, m.dns_done_at_ms),
        ("TCP", m.pool_acquired_at_ms if m.dns_done_at_ms is None else m.dns_done_at_ms, m.tcp_connected_at_ms),
        ("TLS", m.tcp_connected_at_ms, m.tls_done_at_ms),
        ("upload", connected_at_ms(m), m.request_sent_at_ms),
        ("wait to first byte", m.request_sent_at_ms, m.first_byte_at_ms),
        ("headers to payload", m.first_byte_at_ms, payload),
        *((f"partial image {i}", s.first_byte_at_ms, s.whole_at_ms) for i, s in enumerate(m.partial_images)),
        ("wait for final image", m.partial_images[-1].whole_at_ms if m.partial_images else None,
         finals[0].first_byte_at_ms if finals else None),
        ("download final image", finals[-1].first_byte_at_ms if finals else None, m.final_image_at_ms),
        ("render", m.final_image_at_ms, m.rendered_at_ms),
    ]  # fmt: skip
    if m.final_image_at_ms is None:
        last = max(x for x in (payload, m.first_byte_at_ms, m.request_sent_at_ms, m.started_at_ms) if x is not None)
        found.append(("until it ended", last, m.ended_at_ms))
    return [(name, start, end) for name, start, end in found if start is not None and end is not None]
