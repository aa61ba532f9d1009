"""A Caddyfile as words: quotes, backticks, heredocs, comments, and lines that go on after a backslash."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.chain.sources import Source

_HEREDOC = re.compile(r"<<([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class Token:
    """One word. `first`: it begins a line. A brace in quotes is a word like any other."""

    text: str
    line: int
    first: bool
    quoted: bool = False

    @property
    def opens(self) -> bool:
        return self.text == "{" and not self.quoted

    @property
    def closes(self) -> bool:
        return self.text == "}" and not self.quoted


def tokens(source: Source) -> list[Token]:
    """All words of a file.

    Raises:
        UsageProblem: a quote or a heredoc is never closed.
    """
    text, found = source.text, list[Token]()
    at, line, first = 0, 1, True
    while at < len(text):
        char = text[at]
        if char == "\n":
            at, line, first = at + 1, line + 1, True
        elif text.startswith("\\\n", at):
            at, line = at + 2, line + 1
        elif char.isspace():
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        else:
            end, word, quoted = _word(source, at, line)
            found.append(Token(word, line, first, quoted))
            line += text.count("\n", at, end)
            at, first = end, False
    return found


def _word(source: Source, at: int, line: int) -> tuple[int, str, bool]:
    """Where the word that begins here ends, the word, and whether it was quoted."""
    text = source.text
    if text[at] in '"`':
        end = at + 1
        while end < len(text) and text[end] != text[at]:
            end += 2 if text[at] == '"' and text[end] == "\\" else 1
        if end >= len(text):
            raise source.problem(line, "a quote is never closed")
        return end + 1, text[at + 1 : end], True
    heredoc = _HEREDOC.match(text, at)
    if heredoc is not None and text.startswith("\n", heredoc.end()):
        closing = re.compile(rf"\n[ \t]*{re.escape(heredoc[1])}(?=\s|$)").search(text, heredoc.end())
        if closing is None:
            raise source.problem(line, "a heredoc is never closed")
        return closing.end(), text[heredoc.end() + 1 : closing.start() + 1], True
    end = at
    while end < len(text) and not text[end].isspace():
        end += 1
    return end, text[at:end], False
