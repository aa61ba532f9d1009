"""Everything that this machine has, observed in one go."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.layers import desk, rig
from tests.layers.client import Client
from tests.layers.clients import CLIENTS
from tests.layers.observation import Recording
from tests.layers.process import Missing
from tests.layers.server import Server
from tests.layers.servers import SERVERS

Layer = Server | Client
LAYERS: tuple[Layer, ...] = (*SERVERS, *CLIENTS)


def missing(layer: Layer) -> str | None:
    """Why this layer cannot be observed here; None when it can."""
    try:
        layer.program()
    except Missing as why:
        return str(why)
    return None


def observe_all(wanted: Callable[[Layer], bool] = lambda _: True) -> list[Recording]:
    """Every layer that is there and wanted. Clients come after servers: both want the machine alone."""
    servers = [one for one in SERVERS if wanted(one) and missing(one) is None]
    clients = [one for one in CLIENTS if wanted(one) and missing(one) is None]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        found: list[Recording] = []
        for some, look in ((servers, rig.observe), (clients, desk.observe)):
            found += _look(some, look, folder)
    return found


def _look(some: Sequence[Layer], look: Callable[..., list[Recording]], folder: Path) -> list[Recording]:
    return look(some, folder) if some else []
