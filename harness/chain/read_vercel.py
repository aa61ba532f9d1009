"""vercel.json: the longest that a function may run."""

from __future__ import annotations

from harness.chain.durations import seconds
from harness.chain.reading import Found, Use
from harness.chain.sources import Sources
from harness.chain.tree import Tree, load_json

APPLIES = ("maxDuration",)


def read(sources: Sources) -> list[Use]:
    """The groups of functions; where none is named, all of them at the default.

    Raises:
        UsageProblem: it is not JSON, or a duration is no number.
    """
    source = sources.main
    functions = load_json(source).get("functions") or Tree(1)
    uses: list[Use] = []
    for group in functions.fields.values():
        value = group.get("maxDuration")
        if value is None:
            uses.append(Use(source.at(group.line), {}, APPLIES))
            continue
        try:
            took = seconds(value.text or "", {"": 1.0})
        except ValueError:
            raise source.problem(value.line, "maxDuration: write a number of seconds") from None
        uses.append(Use(source.at(group.line), {"maxDuration": Found(took or None, source.at(value.line))}, APPLIES))
    return uses or [Use(source.at(1), {}, APPLIES)]
