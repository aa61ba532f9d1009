"""YAML or JSON as plain values with the line of each. Text stays text: what a product makes of it is its reader's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from harness.chain.sources import Source

MAX_VALUES = 50_000  # with aliases expanded, so that ten lines cannot become a billion values
MAX_DEPTH = 60


@dataclass
class Tree:
    """A value and its line: a mapping, a list, or text."""

    line: int
    fields: dict[str, Tree] = field(default_factory=dict)
    items: list[Tree] = field(default_factory=list)
    text: str | None = None

    def get(self, *path: str) -> Tree | None:
        """What stands under these keys, one inside the other."""
        here: Tree | None = self
        for key in path:
            here = None if here is None else here.fields.get(key)
        return here

    def every(self) -> Iterator[Tree]:
        """This and all that is inside of it."""
        yield self
        for inner in (*self.fields.values(), *self.items):
            yield from inner.every()


def load_yaml(source: Source) -> Tree:
    """One document.

    Raises:
        UsageProblem: it is not YAML, or too large for what it should be.
    """
    return _composed(source, source.text)


def load_json(source: Source) -> Tree:
    """The same of a JSON file.

    Raises:
        UsageProblem: it is not JSON.
    """
    try:
        json.loads(source.text)
    except json.JSONDecodeError as error:
        raise source.problem(error.lineno, f"not JSON: {error.msg}") from None
    except (RecursionError, ValueError):
        raise source.problem(1, "nested too deeply, or a number with too many digits") from None
    # What is JSON is YAML but for tabs between values; inside of a JSON text there are none.
    return _composed(source, source.text.replace("\t", " "))


def _composed(source: Source, text: str) -> Tree:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise source.problem(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise source.problem(line, "a control character that YAML does not allow") from None
    except Exception as error:  # noqa: BLE001 - whatever the parser trips over, it is the file that cannot be read
        raise source.problem(1, f"cannot be read as YAML ({type(error).__name__})") from None
    if root is None:
        raise source.problem(1, "the file is empty")
    return _Grower(source).tree(root, 0)


class _Grower:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.count = 0

    def tree(self, node: yaml.Node, depth: int) -> Tree:
        line = node.start_mark.line + 1
        self.count += 1
        if self.count > MAX_VALUES or depth > MAX_DEPTH:
            raise self.source.problem(line, "nested too deeply, or aliases that multiply each other")
        tree = Tree(line)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    tree.fields[str(key.value)] = self.tree(value, depth + 1)
                    if value.start_mark.line != key.start_mark.line:
                        tree.fields[str(key.value)].line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            tree.items = [self.tree(value, depth + 1) for value in node.value]
        else:
            tree.text = str(node.value)
        return tree
