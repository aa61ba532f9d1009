"""Tables as text (CSV, TSV): a cell is judged by the name at the head of its column, as a field is by its own."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from harness.sanitizer.document import Place
from harness.sanitizer.names import policy_of

if TYPE_CHECKING:
    from harness.sanitizer.engine import Engine

_SEPARATORS = (",", "\t", ";", "|")
_NAME = re.compile(r'"?[A-Za-z_][\w.\-()]*(?: [A-Za-z]\w*){0,2}"?')
_LOOKED_AT = 50  # lines from which it is told


def separator_of(text: str) -> str | None:
    """What stands between the cells of a table whose first line names its columns, one of them somebody's."""
    lines = [line.rstrip("\r") for line in text[:100_000].split("\n")[: _LOOKED_AT + 1] if line.strip()]
    if len(lines) < 2:
        return None
    if any(line.startswith("#Fields:") for line in lines[:20]):  # CloudFront, IIS
        return "\t" if any("\t" in line for line in lines if line[0] != "#") else " "
    for separator in _SEPARATORS:
        names = lines[0].split(separator)
        if len(names) < 2 or len(set(names)) < len(names) or not all(_NAME.fullmatch(name) for name in names):
            continue
        # The last line may be cut by the hundred thousand characters, or by somebody.
        rows = list(csv.reader(lines[1:], delimiter=separator))
        if sum(len(row) == len(names) for row in rows) >= 0.8 * len(rows) and any(map(_is_somebodys, names)):
            return separator
    return None


def _is_somebodys(name: str) -> bool:
    policy = policy_of(name.strip('"')) or ""
    return policy.startswith("drop:") or policy in ("text", "image", "host")


def table(text: str, separator: str, engine: Engine) -> str:
    """Every cell by its column; the first line and all that stands between cells stay."""
    begun = re.search(r"(?m)^#Fields:", text) or re.search(r"\S", text)
    end = text.find("\n", begun.start() if begun else 0)
    head, body = text[: end + 1], text[end + 1 :]
    names = head.strip().split("\n")[-1]
    found_names = names[8:].split() if names.startswith("#Fields:") else names.split(separator)
    places = [Place(name.strip().strip('"')) for name in found_names]
    between = re.escape(separator)
    out, column = [head], 0
    for found in re.finditer(rf'("(?:[^"]|"")*+"(?={between}|\r?\n|$)|[^{between}\r\n]*)({between}|\r?\n|\r|$)', body):
        cell, after = found[1], found[2]
        place = places[column] if column < len(places) else Place("")
        if cell[:1] == '"' and len(cell) > 1 and cell[-1:] == '"':
            value = cell[1:-1].replace('""', '"')
            cleaned = engine.leaf(value, place, 1)
            out.append(cell if cleaned == value else '"' + cleaned.replace('"', '""') + '"')
        else:
            out.append(engine.leaf(cell, place, 1) if cell else cell)
        out.append(after)
        column = column + 1 if after == separator else 0
    return "".join(out)
