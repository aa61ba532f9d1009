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
from harness.frame.schema import literal
from harness.ingest.sightings import TOLD, Batch, Setback, Side, complete
from harness.ingest.source import MAX_LINE, Source

_ONE_VALUE = re.compile(r"json_extract_string\(doc, '((?:[^']|'')*)'\)")


def json_text(path: str) -> str:
    """SQL for a JSON value as text, null where it is absent, empty, or a dash. `path` as DuckDB has it: ``$.a.b``."""
    return f"nullif(nullif(json_extract_string(doc, '{path}'), ''), '-')"


def json_key(*keys: str) -> str:
    """The same for a value under these keys, one in the other, whatever characters they have."""
    return json_text("$" + "".join(f'."{key}"' for key in keys))


def number(expression: str, scale: float = 1.0) -> str:
    """SQL for a number, scaled; null for what is none, and for the -1 by which logs say "not reached"."""
    as_number = f"try_cast({expression} AS DOUBLE)"
    return f"CASE WHEN {as_number} >= 0 THEN {as_number} * {scale!r} END"


def last_number(expression: str, scale: float = 1.0) -> str:
    """The last of nginx's lists (``0.001, 60.002`` of several upstreams, or ``a : b`` of internal redirects)."""
    return number(f"trim(regexp_extract({expression}, '([^,:]+)\\s*$', 1))", scale)


def moment(expression: str, form: str) -> str:
    """SQL for seconds since 1970 from a text in strptime's `form`; null where it does not fit."""
    return f"epoch(try_strptime({expression}, {literal(form)}))"


def iso_moment(expression: str) -> str:
    """SQL for seconds since 1970 from an ISO 8601 text; one without an offset is taken as UTC."""
    # The cast reads an offset, and takes a text without one in the session's zone, which `_connect` sets to UTC.
    return f"epoch(try_cast(replace({expression}, 'T', ' ') AS TIMESTAMPTZ))"


def any_moment(expression: str) -> str:
    """SQL for seconds since 1970 from ISO 8601, or from a number whose size says s, ms, µs or ns."""
    bare = f"try_cast({expression} AS DOUBLE)"
    scaled = f"CASE WHEN {bare} > 1e17 THEN {bare} / 1e9 WHEN {bare} > 1e14 THEN {bare} / 1e6 " + (
        f"WHEN {bare} > 1e11 THEN {bare} / 1e3 WHEN {bare} > 0 THEN {bare} END"
    )
    return f"coalesce({scaled}, {iso_moment(expression)})"


def method_of(request: str) -> str:
    """SQL for the method of a request line (``POST /v1/images HTTP/1.1``); null for what is none."""
    return f"nullif(regexp_extract({request}, '^([A-Z]{{3,16}}) ', 1), '')"


def path_of(address: str) -> str:
    """SQL for the path of an address: without scheme, host and query; empty for what is no path."""
    found = f"regexp_extract({address}, '^(?:[a-z]{{2,6}}://[^/?#]*)?(/[^?# ]*)', 1)"
    return f"coalesce({found}, '')"


def requested(request: str) -> str:
    """SQL for the path of a request line; empty where it is none, so that garbage is no request of images."""
    return path_of(f"regexp_extract({request}, '^[A-Z]{{3,16}} ([^ ]*)', 1)")


def trace_of(header: str) -> str:
    """SQL for the trace id in a W3C traceparent."""
    return f"nullif(regexp_extract({header}, '^[0-9a-f]{{2}}-([0-9a-f]{{32}})-', 1), '')"


def read_text_lines(
    source: Source, pattern: str, columns: Mapping[str, str], *, format: str, side: Side, writer: str,
    passed_over: str = "false",
) -> Batch:  # fmt: skip
    """Lines that `pattern` describes as a whole; lines that it does not are set aside.

    `columns`: sighting column → SQL over `part.<group>` (text; empty where the group did not take part).
    `passed_over`: SQL over `line` for lines that are no records and no flaws either.
    """
    # A group around all of it says whether the line fits, without a second search.
    groups = ["fitting", *re.compile(pattern).groupindex]
    names = ", ".join(f"'{name}'" for name in groups)
    # RE2 in DuckDB numbers groups and does not know names.
    numbered = re.sub(r"\(\?P<\w+>", "(", pattern)
    prepared = f"regexp_extract(line, {literal(f'({numbered})')}, [{names}])"
    return _read(source, f"{prepared} AS part", "part.fitting <> ''", columns, "is not in this format", format, side,
                 writer, passed_over=passed_over)  # fmt: skip


def read_cells(
    source: Source, separator: str, count: int, columns: Mapping[str, str], *, format: str, side: Side, writer: str,
    comment: str = "#",
) -> Batch:  # fmt: skip
    """Lines of `count` cells without quoting. `columns`: sighting column → SQL over ``cells[<number from 1>]``."""
    prepared = f"string_split(line, {literal(separator)}) AS cells"
    return _read(
        source, prepared, f"len(cells) = {count}", columns, "has another number of cells", format, side, writer,
        passed_over=f"starts_with(line, {literal(comment)})",
    )  # fmt: skip


def read_json_lines(source: Source, columns: Mapping[str, str], *, format: str, side: Side, writer: str,
                    fits: str = "true", passed_over: str = "false", beside: Mapping[str, str] | None = None,
                    arrays: bool = False, wrong: str = "is no JSON object of this format") -> Batch:  # fmt: skip
    """Lines of JSON. `columns`: sighting column → SQL over `doc`; `fits`: SQL that holds for a line of this format.

    `passed_over`: SQL over `doc` for lines that are no records and no flaws either. `beside`: further names that
    `columns` and `fits` may use → SQL over `doc` and `line_number`, window functions included. `arrays`: a line may be
    an array of objects, or the file as a whole one.
    """
    whole = f"doc IS NOT NULL AND json_type(doc) = 'OBJECT' AND coalesce({fits}, false)"
    paths: dict[str, int] = {}

    def found(sql: str) -> str:
        return _ONE_VALUE.sub(lambda one: f"found[{paths.setdefault(one[1], len(paths) + 1)}]", sql)

    columns = {name: found(sql) for name, sql in columns.items()}
    beside = {name: found(sql) for name, sql in (beside or {}).items()}
    whole, passed_over = found(whole), found(passed_over)
    # All values of a line at once: a call for each would parse the line again and again.
    listed = ", ".join(f"'{path}'" for path in paths)
    prepared = "try_cast(line AS JSON) AS doc" + (f", json_extract_string(doc, [{listed}]) AS found" if paths else "")
    return _read(source, prepared, whole, columns,
                 wrong, format, side, writer, passed_over=passed_over, beside=beside, arrays=arrays)  # fmt: skip


def read_csv(
    source: Source, columns: Mapping[str, str], *, format: str, side: Side, writer: str,
    header: Sequence[str] | None = None, separator: str | None = None, comment: str = "", needs: Sequence[str] = (),
    fits: str = "true", wrong: str = "",
) -> Batch:  # fmt: skip
    """A CSV, with its columns' names in its first line or in `header`. SQL over ``"name"`` (text, null when empty).

    `line` is the number of the record. `separator` None: DuckDB finds it out. Lines that begin with `comment` are
    passed over. `needs`: names that `columns` speak of, for a message that says which are not there. `fits`: SQL that
    holds for a record, and what is `wrong` with one for which it does not.
    """
    file = literal(source.path)
    options = "all_varchar = true, store_rejects = true, rejects_limit = 0, null_padding = false, strict_mode = true"
    if header is not None:
        names = ", ".join(f"'{name}': 'VARCHAR'" for name in header)
        options += f", header = false, auto_detect = false, columns = {{{names}}}"
        options += ", quote = '\"', escape = '\"'"
    else:
        options += ", header = true"
    options += f", delim = {literal(separator)}" if separator else ""
    options += f", comment = {literal(comment)}" if comment else ""
    chosen = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
    with _connect() as connection:
        try:
            table = connection.execute(
                f"SELECT row_number() OVER () AS line, ({fits}) AS fits, {chosen} FROM read_csv({file}, {options})"
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
    misfits = table.loc[~table["fits"].fillna(False).astype(bool), "line"].tolist()
    table = table[~table["line"].isin(misfits)].drop(columns="fits").reset_index(drop=True)
    found = {str(name): table[name] for name in table.columns}
    bad = tuple(Setback(int(number), "has another number of columns") for (number,) in lost[:TOLD])
    bad += tuple(Setback(int(number), wrong) for number in misfits[:TOLD])
    whole = complete(found, rows=len(table), side=side, writer=writer)
    return Batch(format, whole, (*source.bad, *bad)[:TOLD], len(source.bad) + len(lost) + len(misfits))


def _read(
    source: Source, prepared: str, fits: str, columns: Mapping[str, str], wrong: str, format: str, side: Side,
    writer: str, *, passed_over: str = "false", beside: Mapping[str, str] | None = None, arrays: bool = False,
) -> Batch:  # fmt: skip
    numbered = _lines(source)
    if arrays:
        numbered = f"""
            SELECT line_number, unnest(CASE WHEN json_type(whole) = 'ARRAY'
                THEN CAST(try_cast(whole AS JSON[]) AS VARCHAR[]) ELSE [line] END) AS line
            FROM (SELECT *, try_cast(line AS JSON) AS whole FROM ({_document(source)}))
        """
    more = "".join(f', {sql} AS "{name}"' for name, sql in (beside or {}).items())
    with _connect() as connection:
        try:
            connection.execute(f"""
                CREATE TEMP TABLE lines AS SELECT *, ({fits}) AS fits, ({passed_over}) AS passed_over
                FROM (SELECT *{more} FROM (SELECT *, {prepared} FROM ({numbered})))
            """)
            chosen = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
            table = connection.execute(
                f"SELECT line_number AS line, {chosen} FROM lines WHERE fits ORDER BY line_number"
            ).df()
            unread = "FROM lines WHERE NOT coalesce(fits, false) AND NOT coalesce(passed_over, false)"
            unread += " AND trim(line) <> ''"
            lost = connection.execute(f"SELECT line_number {unread} ORDER BY 1 LIMIT {TOLD}").fetchall()
            count = connection.execute(f"SELECT count(*) {unread}").fetchone() or (0,)
        except duckdb.Error as error:
            # DuckDB's messages quote the input, which may hold secrets.
            raise UsageProblem(f"{source.name}: cannot be read as {format} ({type(error).__name__})") from None
    found = {str(name): table[name] for name in table.columns}
    bad = tuple(Setback(int(number), wrong) for (number,) in lost)
    whole = complete(found, rows=len(table), side=side, writer=writer)
    return Batch(format, whole, (*source.bad, *bad)[:TOLD], len(source.bad) + int(count[0]))


def _lines(source: Source) -> str:
    """SQL for the numbered lines of a file."""
    return f"""
        SELECT row_number() OVER () AS line_number, line
        FROM read_csv({literal(source.path)}, columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '',
            escape = '', header = false, auto_detect = false, max_line_size = {MAX_LINE + 1024},
            null_padding = true, strict_mode = false)
    """


def _document(source: Source) -> str:
    """The same, but one line with all of it where the file is one array over several lines."""
    first = next((line for line in source.head.splitlines() if line.strip()), "").strip()
    if not first.startswith("[") or first.endswith("]"):
        return _lines(source)
    return f"SELECT 1 AS line_number, content AS line FROM read_text({literal(source.path)})"


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection
