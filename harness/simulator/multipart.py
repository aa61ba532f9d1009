"""multipart/form-data that is whole: parts as views of the body, found by their boundary and nothing else.

Not a streaming parser: the body is read fully anyway, and looking for a boundary in 50 MB takes milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message


class BadForm(ValueError):
    """The body is no form; the message says why."""


@dataclass(frozen=True)
class Part:
    """One field of a form. A field without a file name is text."""

    name: str
    filename: str | None
    content_type: str
    data: memoryview

    @property
    def text(self) -> str:
        """A text field's value."""
        return bytes(self.data).decode("utf-8", errors="replace")


def parts(body: bytes, content_type: str) -> list[Part]:
    """Every part, in order.

    Raises:
        BadForm: there is no boundary, no end, or a part without a name.
    """
    boundary = _headers(f"content-type: {content_type}").get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise BadForm("no boundary")
    view, mark = memoryview(body), b"--" + boundary.encode()
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if at == 1:
        raise BadForm("its boundary does not occur")
    found: list[Part] = []
    while True:
        at += len(mark)
        if body[at : at + 2] == b"--":
            return found
        start = body.find(b"\r\n", at) + 2  # whitespace may stand behind a boundary
        split = body.find(b"\r\n\r\n", start - 2)
        end = body.find(b"\r\n" + mark, max(split + 2, start - 2))
        if start == 1 or split < 0 or end < 0:
            raise BadForm("it has no end")
        found.append(_part(body[start:split], view[split + 4 : max(end, split + 4)]))
        at = end + 2


def _part(head: bytes, data: memoryview) -> Part:
    headers = _headers(head.decode("utf-8", errors="replace"))
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise BadForm("a part has no name")
    filename = headers.get_filename()
    return Part(name, filename, headers.get_content_type(), data)


def _headers(text: str) -> Message:
    """Header lines as a message, which knows the grammar of their parameters."""
    message = Message()
    for line in text.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip():
            message[name.strip()] = value.strip()
    return message
