"""HAR 1.2 as JSON Schema, written out from the format's text (http://www.softwareishard.com/blog/har-12-spec/).

What the text calls optional is optional; fields that begin with an underscore are anybody's own. Numbers of `timings`
and of sizes are -1 where they do not apply.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_SIZE = {"type": "integer", "minimum": -1}
_MS = {"type": "number", "minimum": -1}
_MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """No other names but those of anybody's own."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional, "comment": _TEXT},
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_PAIR = _object({"name": _TEXT, "value": _TEXT})
_COOKIE = _object({"name": _TEXT, "value": _TEXT}, path=_TEXT, domain=_TEXT, expires=_TEXT, httpOnly={}, secure={})
_REQUEST = _object(
    {
        "method": _TEXT,
        "url": {"type": "string", "pattern": "^https?://[^/]+/"},
        "httpVersion": _TEXT,
        "cookies": _list(_COOKIE),
        "headers": _list(_PAIR),
        "queryString": _list(_PAIR),
        "headersSize": _SIZE,
        "bodySize": _SIZE,
    },
    postData=_object({"mimeType": _TEXT}, text=_TEXT, params=_list(_object({"name": _TEXT}, value=_TEXT))),
)
_RESPONSE = _object(
    {
        "status": {"type": "integer", "minimum": 0},
        "statusText": _TEXT,
        "httpVersion": _TEXT,
        "cookies": _list(_COOKIE),
        "headers": _list(_PAIR),
        "content": _object({"size": _SIZE, "mimeType": _TEXT}, compression=_SIZE, text=_TEXT, encoding=_TEXT),
        "redirectURL": _TEXT,
        "headersSize": _SIZE,
        "bodySize": _SIZE,
    }
)
_ENTRY = _object(
    {
        "startedDateTime": _MOMENT,
        "time": {"type": "number", "minimum": 0},
        "request": _REQUEST,
        "response": _RESPONSE,
        "cache": {"type": "object"},
        "timings": _object({"send": _MS, "wait": _MS, "receive": _MS}, blocked=_MS, dns=_MS, connect=_MS, ssl=_MS),
    },
    pageref=_TEXT,
    serverIPAddress=_TEXT,
    connection=_TEXT,
)
_PAGE = _object({"startedDateTime": _MOMENT, "id": _TEXT, "title": _TEXT, "pageTimings": {"type": "object"}})
_NAMED = _object({"name": _TEXT, "version": _TEXT})

HAR_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        {
            "log": _object(
                {"version": {"const": "1.2"}, "creator": _NAMED, "entries": _list(_ENTRY)},
                browser=_NAMED,
                pages=_list(_PAGE),
            )
        }
    ),
}
