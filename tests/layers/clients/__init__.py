"""One module a client; the list of them."""

from __future__ import annotations

from tests.layers.client import Client
from tests.layers.clients import curl, node, openai_python

CLIENTS: tuple[Client, ...] = (curl.CLIENT, openai_python.CLIENT, *node.CLIENTS)
