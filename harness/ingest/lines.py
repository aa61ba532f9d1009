"""Logs of one record a line, in one pass of DuckDB: a format is a table of SQL expressions, not a loop.

A plain-text format is an expression with named groups (RE2, so linear in the line); a JSON one is a line of JSON. What
each column of a sighting is made of is SQL over `part` (the groups, as a struct of text) or `doc` (the line's JSON).
A million lines take seconds, and no line becomes a Python object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import duckdb

from harness.errors import UsageProblem
from harness.ingest.sightings import TOLD, Batch, Setback, Side, complete
from harness.ingest.source import MAX_LINE, Source


def json_text(path: str) -> str:
    """SQL for a JSON value as text, null where it is absent, empty, or a dash. `path` as DuckDB has it: ``$.a.b``."""
    return f"nullif(nullif(json_extract_string(doc, '{path}'), ''), '-')"


class Keys:
    """Values that are taken out of a line of JSON in one go: parsing it anew for each of many is what costs."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def text(self, path: str) -> str:
        """What `json_text` gives."""
        if path not in self.paths:
            self.paths.append(path)
        return f"nullif(nullif(keyed[{self.paths.index(path) + 1}], ''), '-')"

    def prepared(self) -> str:
        """SQL for all of them."""
        paths = ", ".join(f"'{path}'" for path in self.paths)
        return f", json_extract_string(try_cast(line AS JSON), [{paths}]) AS keyed"


def number(expression: str, scale: float = 1.0) -> str:
    """SQL for a number, scaled; null for what is none, and for the -1 by which logs say "not reached"."""
    as_number = f"try_cast({expression} AS DOUBLE)"
    return f"CASE WHEN {as_number} >= 0 THEN {as_number} * {scale!r} END"


def last_number(expression: str, scale: float = 1.0) -> str:
    """The last of nginx's lists (``0.001, 60.002`` of several upstreams, or ``a : b`` of internal redirects)."""
    return number(f"trim(regexp_extract({expression}, '([^,:]+)\\s*$', 1))", scale)


def moment(expression: str, form: str) -> str:
    """SQL for seconds since 1970 from a text in strptime's `form`; null where it does not fit."""
    return f"epoch(try_strptime({expression}, '{form}'))"


def iso_moment(expression: str) -> str:
    """SQL for seconds since 1970 from an ISO 8601 text; one without an offset is taken as UTC."""
    # The cast reads an offset, and takes a text without one in the session's zone, which `_connect` sets to UTC.
    return f"epoch(try_cast(replace({expression}, 'T', ' ') AS TIMESTAMPTZ))"


def read_text_lines(
    source: Source, pattern: str, columns: Mapping[str, str], *, format: str, side: Side, writer: str
) -> Batch:
    """Lines that `pattern` describes as a whole; lines that it does not are set aside.

    `columns`: sighting column → SQL over `part.<group>` (text; empty where the group did not take part).
    """
    groups = list(re.compile(pattern).groupindex)
    names = ", ".join(f"'{name}'" for name in groups)
    # RE2 in DuckDB numbers groups and does not know names.
    numbered = re.sub(r"\(\?P<\w+>", "(", pattern)
    prepared = f"regexp_extract(line, '{_quoted(numbered)}', [{names}])"
    fits = f"regexp_matches(line, '{_quoted(numbered)}')"
    return _read(source, f"{prepared} AS part", fits, columns, "is not in this format", format, side, writer)


def read_json_lines(source: Source, columns: Mapping[str, str], *, format: str, side: Side, writer: str,
                    fits: str = "true", keys: Keys | None = None) -> Batch:  # fmt: skip
    """Lines of JSON. `columns`: sighting column → SQL over `doc`; `fits`: SQL that holds for a line of this format.

    `keys`: what these speak of besides `doc`.
    """
    prepared = "try_cast(line AS JSON) AS doc" + (keys.prepared() if keys is not None else "")
    whole = f"doc IS NOT NULL AND json_type(doc) = 'OBJECT' AND coalesce({fits}, false)"
    return _read(source, prepared, whole, columns, "is no JSON object of this format", format, side, writer)


def read_csv(
    source: Source, columns: Mapping[str, str], *, format: str, side: Side, writer: str,
    header: Sequence[str] | None = None, separator: str | None = None, comment: str = "", needs: Sequence[str] = (),
) -> Batch:  # fmt: skip
    """A CSV, with its columns' names in its first line or in `header`. SQL over ``"name"`` (text, null when empty).

    `line` is the number of the record. `separator` None: DuckDB finds it out. Lines that begin with `comment` are
    passed over. `needs`: names that `columns` speak of, for a message that says which are not there.
    """
    file = f"'{_quoted(str(source.path))}'"
    options = "all_varchar = true, store_rejects = true, rejects_limit = 0, null_padding = false, strict_mode = true"
    if header is not None:
        names = ", ".join(f"'{name}': 'VARCHAR'" for name in header)
        options += f", header = false, auto_detect = false, columns = {{{names}}}"
        options += ", quote = '\"', escape = '\"'"
    else:
        options += ", header = true"
    options += f", delim = '{_quoted(separator)}'" if separator else ""
    options += f", comment = '{_quoted(comment)}'" if comment else ""
    chosen = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
    with _connect() as connection:
        try:
            table = connection.execute(
                f"SELECT row_number() OVER () AS line, {chosen} FROM read_csv({file}, {options})"
            ).df()
            lost = connection.execute("SELECT DISTINCT line FROM reject_errors ORDER BY 1").fetchall()
        except duckdb.BinderException:
            shown = connection.execute(f"DESCRIBE SELECT * FROM read_csv({file}, {options})").fetchall()
            there = {str(name).casefold() for name, *_ in shown}
            missing = [name for name in needs if name.casefold() not in there]
            raise UsageProblem(
                f"{source.name}: "
                + (f"has no column {', '.join(missing)}" if missing else f"lacks a column of {format}")
            ) from None
        except duckdb.Error as error:
            raise UsageProblem(f"{source.name}: cannot be read as {format} ({type(error).__name__})") from None
    found = {str(name): table[name] for name in table.columns}
    bad = tuple(Setback(int(number), "has another number of columns") for (number,) in lost[:TOLD])
    whole = complete(found, rows=len(table), side=side, writer=writer)
    return Batch(format, whole, (*source.bad, *bad)[:TOLD], len(source.bad) + len(lost))


def _read(
    source: Source, prepared: str, fits: str, columns: Mapping[str, str], wrong: str, format: str, side: Side,
    writer: str,
) -> Batch:  # fmt: skip
    numbered = f"""
        SELECT row_number() OVER () AS line_number, line
        FROM read_csv('{_quoted(str(source.path))}', columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '',
            escape = '', header = false, auto_detect = false, max_line_size = {MAX_LINE + 1024},
            null_padding = true, strict_mode = false)
    """
    with _connect() as connection:
        try:
            connection.execute(
                f"CREATE TEMP TABLE lines AS SELECT *, ({fits}) AS fits FROM (SELECT *, {prepared} FROM ({numbered}))"
            )
            chosen = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
            table = connection.execute(
                f"SELECT line_number AS line, {chosen} FROM lines WHERE fits ORDER BY line_number"
            ).df()
            unread = "FROM lines WHERE NOT fits AND trim(line) <> ''"
            lost = connection.execute(f"SELECT line_number {unread} ORDER BY 1 LIMIT {TOLD}").fetchall()
            count = connection.execute(f"SELECT count(*) {unread}").fetchone() or (0,)
        except duckdb.Error as error:
            # DuckDB's messages quote the input, which may hold secrets.
            raise UsageProblem(f"{source.name}: cannot be read as {format} ({type(error).__name__})") from None
    found = {str(name): table[name] for name in table.columns}
    bad = tuple(Setback(int(number), wrong) for (number,) in lost)
    whole = complete(found, rows=len(table), side=side, writer=writer)
    return Batch(format, whole, (*source.bad, *bad)[:TOLD], len(source.bad) + int(count[0]))


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _quoted(text: str) -> str:
    return text.replace("'", "''")
