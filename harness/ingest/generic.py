"""Any JSONL or CSV of job events, told by a mapping file which column or key is what.

```yaml
side: client                     # client, proxy, gateway or upstream
writer: our-app                  # whose log it is
timezone: Europe/Berlin          # of moments without an offset; UTC unless told
fields:
  started_at_s: {from: started, form: "%Y-%m-%d %H:%M:%S"}   # form: as strptime has it, iso (default), s, ms, us or ns
  duration_ms: {from: took, unit: s}                          # unit of durations: ms (default), s, us, ns
  status: http.status                                          # a path into nested JSON, or a column of a CSV
  client_request_id: ids.client
  gave_up: {from: ended, words: {timeout: self, aborted: client, ok: nobody}}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.errors import UsageProblem
from harness.frame.schema import literal
from harness.ingest.hashes import hashed_column
from harness.ingest.lines import iso_moment, moment, number, read_csv, read_json_lines
from harness.ingest.sightings import COLUMNS, Batch, GaveUp, Side
from harness.ingest.source import Source

# Not to be mapped: what the reader knows itself, and texts that only readers of a known format can make harmless.
_OURS = frozenset({"line", "side", "writer", "body_head", "reply_headers"})
_NO_MOMENT = "its started_at_s is not in the form that the mapping says"
_UNITS = {"ms": 1.0, "s": 1000.0, "us": 1e-3, "ns": 1e-6}
_EPOCHS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class _Field(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    source: str = Field(alias="from", min_length=1)
    unit: Literal["ms", "s", "us", "ns"] = "ms"
    form: str = "iso"
    words: Mapping[str, str] = {}


class _Mapping(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    side: Literal[get_args(Side)]  # type: ignore[valid-type]
    writer: str = "log"
    timezone: str = "UTC"
    fields: Mapping[str, _Field]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("no such time zone; write one like Europe/Berlin") from None
        return name

    @field_validator("fields", mode="before")
    @classmethod
    def _spelled_out(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            raise ValueError("is a mapping: our column → their key")
        strangers = set(given) - (set(COLUMNS) - _OURS)
        if strangers:
            raise ValueError(f"no such column: {sorted(strangers)}; docs/intake.md lists them")
        return {name: {"from": value} if isinstance(value, str) else value for name, value in given.items()}

    @field_validator("fields")
    @classmethod
    def _known_words(cls, given: Mapping[str, _Field]) -> Mapping[str, _Field]:
        means = set(given["gave_up"].words.values()) if "gave_up" in given else set()
        if not means <= set(get_args(GaveUp)):
            raise ValueError(f"words of gave_up mean one of {', '.join(get_args(GaveUp))}")
        return given


def read_mapped(source: Source, mapping: Path) -> Batch:
    """Read a file by a mapping. A CSV has its columns' names in the first line; anything else is JSON lines.

    Raises:
        UsageProblem: the mapping is not one, with its file and field.
    """
    asked = _load(mapping)
    first = next((line for line in source.head.splitlines() if line.strip()), "")
    as_json = first.lstrip().startswith("{")
    columns = {name: _sql(name, one, asked.timezone, as_json=as_json) for name, one in asked.fields.items()}
    begun, fits = asked.fields.get("started_at_s"), "true"
    if begun is not None:  # a beginning that is there and cannot be read is none of 1970
        fits = f"({_text(begun, as_json=as_json)} IS NULL OR {columns['started_at_s']} IS NOT NULL)"
    if as_json:
        read = read_json_lines(source, columns, format="mapped JSON lines", side=asked.side, writer=asked.writer,
                               fits=fits, wrong=f"is no JSON object, or {_NO_MOMENT}")  # fmt: skip
    else:
        needs = tuple(one.source for one in asked.fields.values())
        read = read_csv(source, columns, format="mapped CSV", side=asked.side, writer=asked.writer, needs=needs,
                        fits=fits, wrong=_NO_MOMENT)  # fmt: skip
    # Whatever a mapping calls a hash may be the prompt, or a name.
    hashes = {name: hashed_column(read.table[name]) for name in ("prompt_hash", "user_hash") if name in asked.fields}
    return replace(read, table=read.table.assign(**hashes))


def _load(path: Path) -> _Mapping:
    try:
        return _Mapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UsageProblem(f"{path}:{mark.line + 1 if mark else 1}: is no YAML") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageProblem(f"{path}: {where or 'the file'}: {first['msg']}") from None


def _text(field: _Field, *, as_json: bool) -> str:
    return _json_path(field.source) if as_json else f"nullif({_column(field.source)}, '')"


def _sql(name: str, field: _Field, zone: str, *, as_json: bool) -> str:
    text = _text(field, as_json=as_json)
    if field.words:
        cases = " ".join(f"WHEN {literal(word)} THEN {literal(means)}" for word, means in field.words.items())
        text = f"CASE {text} {cases} END"
    kind, _ = COLUMNS[name]
    if name == "path":
        # A URL may be given for it: no host and no query.
        return f"nullif(regexp_extract({text}, '^(?:[a-z]+://[^/?#]*)?([^?#]*)', 1), '')"
    if name == "started_at_s":
        return _moment(text, field.form, zone)
    if kind == "text":
        return text
    if name.endswith("_ms"):
        return number(text, _UNITS[field.unit])
    flag = f"CASE lower({text}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
    return f"coalesce({number(text)}, {flag})"


def _moment(text: str, form: str, zone: str) -> str:
    if form in _EPOCHS:
        return number(text, _EPOCHS[form])
    if form == "iso":
        return _iso(text, zone)
    if "%z" in form or "%Z" in form:
        return moment(text, form)
    return f"epoch(timezone('{zone}', try_strptime({text}, {literal(form)})))"


def _iso(text: str, zone: str) -> str:
    """SQL for seconds since 1970: with an offset, or without one in `zone`. Null for any other text, so also for one
    that ends in a name like EST, which the cast would pass over."""
    plain = f"replace(regexp_replace({text}, '^([0-9-]{{10}})T', '\\1 '), ',', '.')"
    plain = f"regexp_replace({plain}, '\\[[A-Za-z_/+-]+\\]$', '')"
    plain = f"regexp_replace(regexp_replace({plain}, ' ?(?:UTC|GMT|Z|z)$', '+00'), ' ([+-][0-9:]+)$', '\\1')"
    day = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    cases = f"WHEN regexp_matches({plain}, '{day} [0-9:.]+[+-][0-9]{{2}}(:?[0-9]{{2}})?$') THEN {iso_moment(plain)}"
    bare = f"regexp_matches({plain}, '{day}( [0-9:.]+)?$')"
    return f"CASE {cases} WHEN {bare} THEN epoch(timezone('{zone}', try_cast({plain} AS TIMESTAMP))) END"


def _json_path(dotted: str) -> str:
    """A key of that very name, else a path into what is nested."""
    dotted = dotted.replace('"', "")  # DuckDB's paths know no way to write one
    paths = ["$" + _step(dotted)]
    if "." in dotted:
        paths.append("$" + "".join(map(_step, dotted.split("."))))
    found = ", ".join(f"json_extract_string(doc, {literal(path)})" for path in paths)
    return f"nullif(coalesce({found}), '')"


def _step(key: str) -> str:
    return f'."{key}"'


def _column(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
