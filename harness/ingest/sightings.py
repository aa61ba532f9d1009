"""What one record of somebody's log says of one exchange: the one table that every reader of a format gives.

One row a record. A reader fills the columns that its format tells and leaves out the others; `complete` adds them as
"not said". What is not said is NaN or None, never 0. Moments are seconds since 1970 (UTC) by the writer's own clock,
which may be wrong by minutes: `harness.ingest.join` measures by how much. Durations are ms from the record's own start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

Side = Literal[
    "client",  # whoever asked: a browser's HAR, a load generator, an application's own log
    "proxy",  # something in between that passes bytes on: nginx, HAProxy, a CDN
    "gateway",  # something in between that makes requests of its own: LiteLLM
    "upstream",  # whoever did the work
]
GaveUp = Literal["client", "self", "upstream", "nobody"]  # as the record itself says; None: it does not say
Kind = Literal["number", "text"]

COLUMNS: Mapping[str, tuple[Kind, str]] = {
    "line": ("number", "line of the file, or number of the entry in it, from 1"),
    "side": ("text", "client, proxy, gateway or upstream"),
    "writer": ("text", "the product that wrote it, as the layer catalog names it: nginx, haproxy, …"),
    "started_at_s": ("number", "when it began, seconds since 1970 by the writer's clock"),
    "started_step_s": ("number", "how coarse that moment is: 1 for a log in whole seconds"),
    "duration_ms": ("number", "from its beginning to its end as this side saw it"),
    "connect_ms": ("number", "DNS, TCP and TLS to the next hop, or a browser's own"),
    "request_sent_at_ms": ("number", "last byte of the request sent, or received by this side"),
    "first_byte_at_ms": ("number", "first byte of the answer, since the start"),
    "first_partial_image_at_ms": ("number", "first partial image whole, since the start"),
    "final_image_at_ms": ("number", "the image whole, since the start"),
    "upstream_ms": ("number", "how long the next hop took, as this side saw it"),
    "upstream_first_byte_ms": ("number", "the next hop's first byte, as this side saw it"),
    "upstream_status": ("number", "the next hop's last status"),
    "upstream_calls": ("number", "how often the next hop was asked for this one record"),
    "server_ms": ("number", "what the answer's headers say the server took"),
    "status": ("number", "HTTP status; NaN where no answer came"),
    "gave_up": ("text", "client, self, upstream or nobody, where the record says who ended it"),
    "gave_up_word": ("text", "the record's own word for that: sH--, UT, 499, ClientClosed, …"),
    "finished": ("number", "1: the work was done; 0: it was not; NaN: not said"),
    "client_request_id": ("text", "the id that the caller chose"),
    "request_id": ("text", "the API's own request id"),
    "call_id": ("text", "the gateway's or the proxy's id of this exchange"),
    "trace_id": ("text", "W3C or vendor trace id"),
    "route": ("text", "a name for the way it went, where the record has one; no host"),
    "method": ("text", "GET, POST, …"),
    "path": ("text", "path without query"),
    "model": ("text", "model asked for"),
    "quality": ("text", "quality asked for"),
    "size": ("text", "WIDTHxHEIGHT asked for"),
    "output_format": ("text", "format asked for"),
    "n": ("number", "images asked for"),
    "stream": ("number", "1: an event stream was asked for"),
    "bytes_up": ("number", "request bytes"),
    "bytes_down": ("number", "answer bytes that this side sent on or received"),
    "images": ("number", "images that the answer held"),
    "image_bytes": ("number", "their bytes"),
    "usage_input_tokens": ("number", "tokens in"),
    "usage_output_tokens": ("number", "tokens out"),
    "cost_usd": ("number", "what the record says it cost"),
    "retries": ("number", "further tries that this side made by itself"),
    "error_type": ("text", "type of a JSON error"),
    "error_code": ("text", "code of a JSON error"),
    "failure": ("text", "exception names, outermost first, joined by ' < '"),
    "body_kind": ("text", "json, sse, html, text, binary or empty"),
    "body_head": ("text", "at most 300 characters of an answer that is neither JSON nor a stream"),
    "reply_headers": ("text", "JSON object of the answer's headers that `harness.evidence` would keep"),
    "user_hash": ("text", "salted hash of who asked, never a name"),
    "prompt_hash": ("text", "salted hash of the prompt"),
    "prompt_chars": ("number", "length of the prompt"),
}
"""Every column of the table: its kind and what it holds."""


TOLD = 1000  # setbacks that are told one by one; more are counted


@dataclass(frozen=True)
class Setback:
    """A record that could not be read: where, and why, in words of ours. Never its text."""

    line: int
    reason: str


@dataclass(frozen=True)
class Batch:
    """What a reader found in one file: `table` with the columns `COLUMNS`, and what it had to set aside."""

    format: str
    table: pd.DataFrame
    bad: tuple[Setback, ...] = ()
    bad_count: int = 0  # all of them, also those beyond `TOLD`


def complete(columns: Mapping[str, Any], *, rows: int, side: Side, writer: str) -> pd.DataFrame:
    """The whole table from the columns that a format has. `side` and `writer` stand where no column says otherwise.

    Raises:
        KeyError: a column that is not in `COLUMNS`.
    """
    strangers = set(columns) - set(COLUMNS)
    if strangers:
        raise KeyError(f"no such column: {sorted(strangers)}")
    given = {"side": np.full(rows, side, dtype=object), "writer": np.full(rows, writer, dtype=object), **columns}
    table: dict[str, Any] = {}
    for name, (kind, _) in COLUMNS.items():
        values = given.get(name)
        if kind == "number":
            table[name] = np.full(rows, np.nan) if values is None else _numbers(values, _MOST.get(name, 1e15))
        else:
            texts = np.full(rows, None, dtype=object) if values is None else _texts(values)
            if name == "gave_up":
                texts[~np.isin(texts, get_args(GaveUp))] = None
            table[name] = pd.Series(texts, dtype=object)  # else pandas makes it a column of its own, with NaN in it
    return pd.DataFrame(table, copy=False)


# No status, moment or count is larger. What is, or is below 0, is no such quantity, whatever the log calls it.
_MOST = {"started_at_s": 253_402_300_799.0, "status": 999.0, "upstream_status": 999.0} | dict.fromkeys(
    ("n", "retries", "prompt_chars", "images", "upstream_calls"), 1e9
)


def _numbers(values: Any, most: float) -> Any:
    found = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where((found >= 0) & (found <= most), found, np.nan)


def _texts(values: Any) -> Any:
    texts = pd.Series(values).astype(object).to_numpy(copy=True)
    texts[pd.isna(texts)] = None
    return texts
