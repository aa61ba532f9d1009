"""``name=value`` behind a log line's fixed part: how people add ids and timers to nginx, Apache and HAProxy."""

from __future__ import annotations

from collections.abc import Sequence

ID_NAMES = {
    "request_id": ("rid", "req_id", "request_id", "unique_id"),
    "client_request_id": ("crid", "http_x_client_request_id", "x_client_request_id", "client_request_id"),
    "upstream_request_id": ("up_rid", "upstream_http_x_request_id", "x_request_id"),
    "trace": ("tp", "http_traceparent", "traceparent"),
}


def named(rest: str, names: Sequence[str]) -> str:
    """SQL for the value of the first of these names in `rest` (SQL). Quotes are taken off, lists are kept whole."""
    alternatives = "|".join(names)
    value = '("[^"]*"|[0-9.-]+(?:(?:, | : )[0-9.-]+)+|\\S+)'
    return f"nullif(nullif(trim(regexp_extract({rest}, '(?:^|[ ,])(?:{alternatives})[=:]{value}', 1), '\"'), ''), '-')"


def has(rest: str, names: Sequence[str]) -> str:
    """SQL for whether one of these names is there at all, with a value or with a dash."""
    return f"regexp_matches({rest}, '(^|[ ,])({'|'.join(names)})[=:]')"
