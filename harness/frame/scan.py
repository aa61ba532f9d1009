"""One pass over a journal: DuckDB parses the lines on all cores, columns come back as arrays, block by block."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from harness.frame.schema import RATE_LIMITED, Column, columns, json_types, literal, literal_words

_VECTORS = 32  # of 2,048 rows: a block

_BAD = "is_no_event"
_REQUIRED = ("run_id", "job_id", "cell", "route", "model", "outcome", "ended", "prompt_hash")


class NotAllEvents(Exception):
    """Some line is no event, or not JSON at all: they have to be looked at one by one."""


def scan(path: Path, without: Collection[str] = frozenset()) -> pd.DataFrame:
    """All lines as columns, but for those that are named.

    Words of a small vocabulary never become Python strings row by row: the pass brings their hashes, and a second
    query, over the distinct ones alone, says what they stand for.

    Raises:
        NotAllEvents: a line is not what it should be.
        OSError: the file cannot be read.
    """
    with path.open("rb"):
        pass  # DuckDB's own message would name neither the reason nor what to do
    with duckdb.connect() as connection:
        try:
            # Let the parsers run ahead of us; the default keeps them waiting for every block.
            connection.execute("SET streaming_buffer_size = '32MB'")
            return _scan(connection, path, without)
        except duckdb.Error as error:
            raise NotAllEvents(str(error)) from error


def _scan(connection: duckdb.DuckDBPyConnection, path: Path, without: Collection[str]) -> pd.DataFrame:
    wanted = tuple(column for column in columns() if column.name not in without)
    parts: dict[str, list[Any]] = {column.name: [] for column in wanted}
    words = {column.name: _Words() for column in wanted if column.kind == "word"}
    selected = ", ".join(f'{_selected(column)} AS "{column.name}"' for column in wanted)
    missing = " OR ".join(["event IS DISTINCT FROM 'image_job'", *(f"{name} IS NULL" for name in _REQUIRED)])
    connection.execute(f"SELECT {selected}, ({missing}) AS {_BAD} FROM {_source(path)}")
    while len(block := connection.fetch_df_chunk(_VECTORS)):
        if block[_BAD].any():
            raise NotAllEvents("a line lacks what an event has")
        for column in wanted:
            values = block[column.name]
            parts[column.name].append(
                words[column.name].codes(values.to_numpy()) if column.kind == "word" else _plain(column, values)
            )
    vocabularies = _vocabularies(connection, path, wanted, words)
    return pd.DataFrame(
        {
            # Popped, so that a column's blocks are gone before those of the next one are joined.
            column.name: _joined(column, parts.pop(column.name), words.get(column.name), vocabularies)
            for column in wanted
        },
        copy=False,  # pandas would gather columns of a kind into one block: all of them twice, for a moment
    )


def _source(path: Path) -> str:
    spec = ", ".join(f"'{name}': '{kind}'" for name, kind in json_types().items())
    read = f"read_json({literal(path)}, format = 'newline_delimited', columns = {{{spec}}})"
    # A later check of a link stands in the same file, and is no job.
    jobs = f"(SELECT * FROM {read} WHERE event IS DISTINCT FROM 'link_check')"
    return f"(SELECT *, attempts[-1] AS last, {RATE_LIMITED} AS rate_limited FROM {jobs})"


def _selected(column: Column) -> str:
    return f"hash(({column.sql})::VARCHAR)" if column.kind == "word" else column.sql


def _plain(column: Column, values: pd.Series[Any]) -> Any:
    if column.kind == "number":
        return values.to_numpy(dtype=np.float64)
    if column.kind == "whole":
        return values.to_numpy(dtype=np.float64).astype(np.int64)
    if column.kind == "flag":
        return values.to_numpy(dtype=np.bool_)
    texts = values.to_numpy(dtype=object, copy=True)
    texts[pd.isna(texts)] = None
    return texts


class _Words:
    """Hashes of one column as codes, in the order in which they first came."""

    def __init__(self) -> None:
        self.known: dict[int, int] = {}

    def codes(self, hashes: Any) -> Any:
        inverse, distinct = pd.factorize(hashes.astype(np.uint64))
        mapped = np.array([self.known.setdefault(int(one), len(self.known)) for one in distinct], dtype=np.int32)
        return mapped[inverse]


@dataclass(frozen=True)
class _Vocabularies:
    """By column: hash → word. The hash of nothing stands for nothing."""

    words: dict[str, dict[int, str]]
    nothing: int


def _vocabularies(
    connection: duckdb.DuckDBPyConnection, path: Path, wanted: tuple[Column, ...], words: dict[str, _Words]
) -> _Vocabularies:
    """What the hashes stand for. Looked for in the first rows, then, for what came only later, in all of them."""
    nothing = int(_one(connection, "SELECT hash(NULL::VARCHAR)"))
    found: dict[str, dict[int, str]] = {name: {nothing: ""} for name in words}
    expressions = {column.name: f"({column.sql})::VARCHAR" for column in wanted if column.name in words}
    for limit in (" LIMIT 20000", ""):
        lacking = [name for name, seen in words.items() if set(seen.known) - set(found[name])]
        if not lacking:
            break
        lists = ", ".join(f"list(DISTINCT {expressions[name]})" for name in lacking)
        row = connection.execute(f"SELECT {lists} FROM (SELECT * FROM {_source(path)}{limit})").fetchone() or ()
        for name, texts in zip(lacking, row, strict=False):
            hashes = connection.execute("SELECT hash(unnest(?::VARCHAR[]))", [texts or []]).fetchall()
            found[name] |= {int(one): text for (one,), text in zip(hashes, texts or [], strict=True)}
    return _Vocabularies(found, nothing)


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _joined(column: Column, parts: list[Any], words: _Words | None, vocabularies: _Vocabularies) -> Any:
    if words is None:
        empty = {"number": np.float64, "whole": np.int64, "flag": np.bool_, "text": object, "word": object}
        joined = np.concatenate(parts) if parts else np.empty(0, dtype=empty[column.kind])
        return pd.Series(joined, dtype=object) if column.kind == "text" else joined
    texts = [vocabularies.words[column.name][one] for one in words.known if one != vocabularies.nothing]
    allowed = literal_words().get(column.name)
    if allowed is not None and not set(texts) <= allowed:
        raise NotAllEvents(f"{column.name}: a word that no event holds")
    order = {one: at for at, one in enumerate(one for one in words.known if one != vocabularies.nothing)}
    mapped = np.array([order.get(one, -1) for one in words.known], dtype=np.int32)
    codes = mapped[np.concatenate(parts)] if parts else np.empty(0, dtype=np.int32)
    return pd.Categorical.from_codes(codes, categories=pd.Index(texts, dtype=object))
