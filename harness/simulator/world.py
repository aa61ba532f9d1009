"""What a simulated world is made of: the content of a scenario's ``simulator:`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Product = Literal[
    "nginx", "haproxy", "envoy", "cloudflare", "azure",
    "litellm", "portkey", "openrouter", "cloudflare_aig", "kong", "new_api",
]  # fmt: skip
Speaks = Literal["openai", "azure", "reverse", "evolink", "fal", "replicate", "kie", "task"]
CapKind = Literal["first_byte", "idle", "total"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Layer(_Model):
    """An intermediary with its own port in front of the API. The backend goes on when its cap fires."""

    speaks: Speaks = Field("openai", description="Which wire this port speaks.")
    imitates: Product | None = Field(
        None, description="Whose page it shows when it gives up; a gateway also shapes what passes through it."
    )
    cap_s: float | None = Field(None, gt=0)
    cap_kind: Annotated[tuple[CapKind, ...], BeforeValidator(_as_list)] = ("first_byte", "idle")
    adds_s: float = Field(0.0, ge=0, description="Delay before an answer is handed on.")
    spread: float = Field(0.0, ge=0, le=1, description="Relative spread of adds_s (uniform, plus and minus).")
    drops_headers: tuple[str, ...] = ()
    buffers: bool = Field(False, description="Holds a stream back until it is whole.")
    images_per_minute: int | None = Field(None, ge=0)
    concurrency_limit: int | None = Field(None, ge=1)
    backend_stops: bool = Field(False, description="The work behind it is stopped when its cap fires.")
    keepalive_s: float | None = Field(None, gt=0, description="Gap of keep-alive events in streams of /responses.")
    gateway_retries: int = Field(0, ge=0, le=20, description="Upstream calls thrown away before the one it answers.")
    cache: bool = Field(False, description="A repeated identical request is answered at once (cloudflare_aig).")
    result: Literal["url", "b64"] = Field("url", description="How a reverse route hands over its images.")
    queue_s: float = Field(2.0, ge=0, description="How long a task waits before it runs, plus and minus spread.")
    link_ttl_s: float | None = Field(None, ge=0, description="How long a link to a result lives; else as its API says.")
    task_keep_s: float = Field(60.0, ge=0, description="How long after a task's end its truth is still added to.")


class Fault(_Model):
    """A fault for a share of the requests that match."""

    fault: str
    share: float = Field(1.0, ge=0, le=1)
    quality: str | None = None
    size: str | None = None
    entry: str | None = Field(None, description="Layer through which the request came, or direct.")
    stream: bool | None = None


class World(_Model):
    """Everything that decides how the embedded API behaves."""

    seed: int = 0
    time_scale: float = Field(1.0, ge=1, le=10_000)
    profile: str = "tuning-article"
    layers: dict[str, Layer] = {}
    faults: tuple[Fault, ...] = ()
