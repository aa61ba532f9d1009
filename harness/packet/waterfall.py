"""``waterfall.svg``: when what happened, one lane an attempt. Numbers and fixed labels only, so nothing to escape."""

from __future__ import annotations

from itertools import pairwise

from harness.packet.facts import AttemptFacts, MarksMs
from harness.packet.schema import EscalationPacket

WIDTH, LEFT, RIGHT, LANE, TOP = 900, 90, 30, 46, 56
_PLOT = WIDTH - LEFT - RIGHT

# From each mark to the next one present: what the time went into, and its colour.
_LEGS: tuple[tuple[str, str, str], ...] = (
    ("started_at_ms", "wait for a connection", "#b0b7c3"),
    ("pool_acquired_at_ms", "dns", "#8c6bb1"),
    ("dns_done_at_ms", "tcp", "#6a51a3"),
    ("tcp_connected_at_ms", "tls", "#54278f"),
    ("tls_done_at_ms", "upload", "#d9a441"),
    ("request_sent_at_ms", "wait for payload", "#c0504d"),
    ("first_payload", "stream or download", "#2e7d6b"),
    ("final_image_at_ms", "after the image", "#9aa5b1"),
)


def legs(marks: MarksMs) -> list[tuple[float, float, str, str]]:
    """(from, to, label, colour) of each leg of an attempt, in ms. A reused connection has no dns, tcp, tls legs."""
    points: list[tuple[float, str, str]] = []
    for name, label, colour in _LEGS:
        if name == "first_payload":
            at = marks.first_event_at_ms if marks.first_event_at_ms is not None else marks.first_body_byte_at_ms
        else:
            at = getattr(marks, name)
        if at is not None and name == "pool_acquired_at_ms" and marks.tcp_connected_at_ms is None:
            label, colour = ("upload", "#d9a441") if marks.request_sent_at_ms is not None else ("connect", "#8c6bb1")
        elif at is not None and name == "pool_acquired_at_ms" and marks.dns_done_at_ms is None:
            label, colour = "tcp", "#6a51a3"  # a literal address is not looked up
        if at is not None and name == "tcp_connected_at_ms" and marks.tls_done_at_ms is None:
            label, colour = "upload or tls", "#d9a441"
        if at is not None:
            points.append((at, label, colour))
    end = marks.ended_at_ms
    if end is None:
        return []
    points.sort(key=lambda point: point[0])
    closed = [*points, (max(end, points[-1][0] if points else end), "", "")]
    return [(one[0], two[0], one[1], one[2]) for one, two in pairwise(closed) if two[0] > one[0]]


def _scale(packet: EscalationPacket) -> tuple[float, float]:
    times = [at for a in packet.attempts for leg in legs(a.marks) for at in leg[:2]]
    low, high = min([0.0, *times]), max([1.0, *times])
    return low, high


def _step(span_ms: float) -> float:
    """A round tick distance that gives four to ten ticks."""
    powers = (digit * 10.0**power for power in range(-3, 12) for digit in (1, 2, 5))
    return next((step for step in powers if span_ms / step <= 10), span_ms)


def waterfall(packet: EscalationPacket) -> str:
    """The SVG of a packet."""
    low, high = _scale(packet)
    span = high - low

    def x(ms: float) -> str:
        return f"{LEFT + (ms - low) / span * _PLOT:.1f}"

    height = TOP + LANE * max(1, len(packet.attempts)) + 92
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'role="img" font-family="sans-serif" font-size="12">',
        "<title>Attempts of one image job over time</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" fill="#222">{packet.verdict.replace("_", " ")}, '
        f"{packet.request.model}, {packet.route.label}</text>",
        f'<text x="{LEFT}" y="38" fill="#555">seconds since the job was started</text>',
    ]
    bottom = TOP + LANE * max(1, len(packet.attempts))
    step = _step(span)
    for tick in (index * step for index in range(int(high / step) + 1)):
        out.append(f'<line x1="{x(tick)}" y1="{TOP}" x2="{x(tick)}" y2="{bottom}" stroke="#e3e6ea"/>')
        out.append(
            f'<text x="{x(tick)}" y="{bottom + 16}" text-anchor="middle" fill="#555">{tick / 1000:g}</text>'
        )  # fmt: skip
    for row, attempt in enumerate(packet.attempts):
        out += _lane(attempt, TOP + row * LANE, x)
    out += _legend(bottom + 36)
    return "\n".join([*out, "</svg>", ""])


def _lane(attempt: AttemptFacts, y: int, x: object) -> list[str]:
    assert callable(x)
    status = attempt.http_status if attempt.http_status is not None else "none"
    out = [
        f'<text x="8" y="{y + 18}" fill="#222">attempt {attempt.number}</text>',
        f'<text x="8" y="{y + 33}" fill="#555" font-size="10">status {status}</text>',
    ]
    for start, end, label, colour in legs(attempt.marks):
        width = f"{max(float(x(end)) - float(x(start)), 0.5):.1f}"
        out.append(
            f'<rect x="{x(start)}" y="{y + 8}" width="{width}" height="22" fill="{colour}">'
            f"<title>{label}: {(end - start) / 1000:.3f} s</title></rect>"
        )
    for at in attempt.marks.partial_image_at_ms:
        out.append(f'<circle cx="{x(at)}" cy="{y + 19}" r="4" fill="#fff" stroke="#222"/>')
    return out


def _legend(y: int) -> list[str]:
    out: list[str] = []
    shown = [(label, colour) for _, label, colour in _LEGS]
    for index, (label, colour) in enumerate(shown):
        left, top = LEFT + index % 4 * 190, y + index // 4 * 20
        out.append(f'<rect x="{left}" y="{top}" width="12" height="12" fill="{colour}"/>')
        out.append(f'<text x="{left + 18}" y="{top + 10}" fill="#222">{label}</text>')
    return out
