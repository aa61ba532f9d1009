"""LiteLLM with a timeout for a model: as it comes, and told not to retry (the SDK inside it still makes three calls).

As it comes a call that times out is made nine times (its router's retries times those of the SDK inside), so that a cap
of one second is seen as one of fifteen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.gateways.proxy import HOME, is_installed, litellm
from tests.layers.process import Missing
from tests.layers.server import Front, Server, Upstreams, both
from tests.layers.situations import SITUATIONS

PINNED = ROOT / "tests" / "gateways" / "requirements-litellm.in"


def program() -> str:
    """Its environment."""
    if not is_installed():
        raise Missing(f"there is no {HOME.name}; `make gateways` puts it there")
    return str(HOME)


def _layer(name: str, cap_s: float, params: Mapping[str, Any]) -> Server:
    @contextmanager
    def start(folder: Path, up: Upstreams) -> Iterator[Front]:
        dead = f"http://127.0.0.1:{up.dead}/v1"
        models = {
            f"{name}-{situation}": {"api_base": up.own[situation] if one.listens else dead, "timeout": cap_s, **params}
            for situation, one in SITUATIONS.items()
        }
        with litellm(models, folder) as proxy:
            base = proxy.base_url.removesuffix("/v1")
            chosen = {situation: f"{name}-{situation}" for situation in SITUATIONS}
            yield Front(base, base, key=proxy.key, log=folder / "litellm.log", models=chosen)

    return Server(
        name=name,
        product="litellm",
        program=program,
        version=lambda: PINNED.read_text(encoding="utf-8").split("==")[-1].strip(),
        start=start,
        caps=both(("first_byte", "idle"), "litellm_params.timeout", cap_s),
        is_gateway=True,
    )


LAYERS = (
    _layer("litellm", 1.0, {}),
    _layer("litellm-no-retries", 2.0, {"max_retries": 0, "num_retries": 0}),
)
