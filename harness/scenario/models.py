"""A scenario as data: frozen, closed, every field described. Files come in through `harness.scenario.load_scenario`,
which also makes the checks that span several fields; building a `Scenario` by hand makes only those of each field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, WithJsonSchema

from harness.conditions import CapKind, Caps, Hypothesis, LayerCap, Objective, RouteConditions, Use
from harness.scenario import fields as f
from harness.scenario.cells import FIELDS, Cell, expand
from harness.scenario.early_stop import EarlyStopSpec
from harness.scenario.families import FAMILIES, FamilyOptions, Options, options_of
from harness.scenario.hypotheses import HypothesisSpec
from harness.scenario.loads import Load
from harness.scenario.objectives import check_objective, parse_objective
from harness.scenario.uses import UseSpec
from harness.scenario.words import Mistake, listing, nearest, show

Complexity = Literal["simple", "medium", "complex"]
Owner = Literal["openai", "azure", "gateway", "task_provider", "reverse", "client_infrastructure", "simulator"]

ENV_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def _prompt(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


class Prompt(_Model):
    """One prompt. Its text goes to the API and, unless `record_prompts` is set, nowhere else."""

    text: Annotated[str, Field(min_length=1, max_length=32_000)] = Field(description="What is sent as `prompt`.")
    complexity: Complexity | None = Field(None, description="Class of the prompt; reports group by it.")
    expect_text: str | None = Field(None, max_length=500, description="Lettering that the image should show.")


class RequestFields(_Model):
    """Fields of the image request that every cell shares unless it says otherwise."""

    route: f.Slug | None = Field(None, description="Name of a route under `routes`.")
    quality: f.Quality | None = Field(None, description="low, medium, high or auto; left out, the API decides.")
    size: f.Size | None = Field(None, description="WIDTHxHEIGHT (edges divisible by 16) or auto.")
    output_format: f.OutputFormat | None = Field(None, description="png, jpeg or webp. May be written `format`.")
    output_compression: f.Compression | None = Field(
        None, description="0 to 100, jpeg and webp only. May be written `compression`."
    )
    n: f.Count | None = Field(None, description="Images in one request, 1 to 10. Each counts against the limits.")
    stream: bool | None = Field(None, description="Ask for an event stream. `partial_images` implies it.")
    partial_images: f.Partials | None = Field(None, description="0 to 3 previews; each costs about 100 output tokens.")
    background: f.Background | None = Field(None, description="auto, opaque or transparent (png and webp only).")
    moderation: f.Moderation | None = Field(None, description="auto or low.")
    reference_images: f.References | None = Field(
        None, description="Pictures to edit, 0 to 16; from `references`, or made up. Each counts against the limits."
    )
    mask: bool | None = Field(None, description="Send a mask with the first reference image.")
    edit_form: f.EditForm | None = Field(None, description="How an edit is sent: multipart (default) or json.")


class Selection(_Model):
    """Values by axis; every combination is meant. `null` as a value means: leave this field out of the request."""

    route: f.Many[f.Slug] = Field((), description="Names of routes.")
    quality: f.Many[f.Quality] = Field((), description="low, medium, high or auto.")
    size: f.Many[f.Size] = Field((), description="WIDTHxHEIGHT (edges divisible by 16) or auto.")
    output_format: f.Many[f.OutputFormat] = Field((), description="png, jpeg or webp. May be written `format`.")
    output_compression: f.Many[f.Compression] = Field(
        (), description="0 to 100, jpeg and webp only. May be written `compression`."
    )
    n: f.Many[f.Count] = Field((), description="Images in one request, 1 to 10.")
    stream: f.Many[bool] = Field((), description="Ask for an event stream or not.")
    partial_images: f.Many[f.Partials] = Field((), description="0 to 3 previews; implies `stream`.")
    background: f.Many[f.Background] = Field((), description="auto, opaque or transparent.")
    moderation: f.Many[f.Moderation] = Field((), description="auto or low.")
    reference_images: f.Many[f.References] = Field((), description="Pictures to edit, 0 to 16.")
    mask: f.Many[bool] = Field((), description="Send a mask with the first reference image or not.")
    edit_form: f.Many[f.EditForm] = Field((), description="How an edit is sent: multipart or json.")

    def given(self) -> dict[str, tuple[object, ...]]:
        """The axes that were written, in the fixed order of `FIELDS`."""
        return {name: getattr(self, name) for name in FIELDS if name in self.model_fields_set}


class Matrix(Selection):
    """Axes that are crossed into cells, cells that are added, and cells that are dropped."""

    include: f.Tuple[Selection] = Field(
        (), description="Cells to add: fields that differ from `defaults`. A list in a field adds one cell a value."
    )
    exclude: f.Tuple[Selection] = Field((), description="Cells of the axes to drop: all that match every field given.")


class ChainLayer(_Model):
    """One layer on the way and the cap that it is declared to have."""

    layer: f.Slug = Field(description="What it is called here: edge, worker, gateway, …")
    product: f.Slug | None = Field(None, description="Entry of the layer catalog: nginx, cloudflare, …")
    kind: CapKind = Field("total", description="What the cap counts: total, idle, first_byte or connect.")
    cap_s: f.Duration | None = Field(None, description="The cap in seconds, or text with a unit.")
    setting: f.Line | None = Field(None, description="The setting's own name: proxy_read_timeout, …")


def _kind(kind: str) -> str:
    if kind not in FAMILIES:
        near = nearest(kind, FAMILIES)
        raise Mistake(f"{show(kind)} is no route kind", f"write {near or listing(FAMILIES)}")
    return kind


RouteKind = Annotated[str, AfterValidator(_kind), WithJsonSchema({"enum": list(FAMILIES)})]


class RouteSpec(FamilyOptions):
    """A way to reach the model. Holds names of environment variables, never a secret."""

    kind: RouteKind = Field(
        "images", description="; ".join(f"{name}: {family.sentence}" for name, family in FAMILIES.items())
    )
    base_url: f.BaseUrl = Field(description="http(s) URL up to and with /v1, simulator://, or simulator://<layer>.")
    owner: Owner = Field(description="Who can show authoritative logs for this route.")
    api_key_env: f.EnvName | None = Field(None, description="Name of the environment variable that holds the key.")
    headers: Mapping[str, str] = Field({}, description="Extra headers; a secret is written ${ENV_NAME}.")
    direct: bool = Field(False, description="The most direct route at hand, which the others are compared with.")
    ca_file: str | None = Field(None, min_length=1, description="PEM file of an own certificate authority.")
    chain: f.Tuple[ChainLayer] = Field((), description="Declared layers on the way, in order, with their caps.")
    hops: f.Tuple[f.Slug] = Field(
        (), description="Routes that enter the same chain further in, outermost first; `harness hops` walks them."
    )
    _name: str = PrivateAttr("")

    @property
    def name(self) -> str:
        """The route's key under `routes`."""
        return self._name

    @property
    def simulated(self) -> bool:
        """Whether the embedded API answers on this route."""
        return self.base_url.startswith("simulator://")

    @property
    def simulator_layer(self) -> str | None:
        """The layer under `simulator.layers` that this route goes through, or None for the API itself."""
        return (self.base_url.removeprefix("simulator://") or None) if self.simulated else None

    @property
    def options(self) -> Options | None:
        """What its own family reads."""
        return options_of(self, self.kind)

    def secret_env_names(self) -> tuple[str, ...]:
        """Every environment variable whose value goes to this route: their values are known secrets."""
        names = [self.api_key_env] if self.api_key_env else []
        for value in self.headers.values():
            names += ENV_REFERENCE.findall(value)
        return tuple(dict.fromkeys(names))

    def resolved_headers(self, env: Mapping[str, str]) -> dict[str, str]:
        """The headers with every ``${NAME}`` filled in. What comes back is secret.

        Raises:
            KeyError: a variable is not set (`load_scenario` has checked that unless told not to).
        """
        return {name: ENV_REFERENCE.sub(lambda found: env[found[1]], value) for name, value in self.headers.items()}

    def conditions(self) -> RouteConditions:
        """The route as the reading half knows it: no URL, no header."""
        chain = tuple(LayerCap(**layer.model_dump()) for layer in self.chain)
        return RouteConditions(name=self.name, kind=self.kind, owner=self.owner, chain=chain, direct=self.direct)


class Connections(_Model):
    """How connections are kept and shared."""

    keepalive: f.Duration = Field(5.0, description="How long an idle connection is kept, in seconds of this machine.")
    max: int | None = Field(
        None, ge=1, le=10_000, description="Connections of a route at the same time; null: no limit."
    )


class Timeouts(_Model):
    """Our own caps, in seconds of the measured world. What is left out is not capped."""

    connect: f.Duration | None = Field(None, description="DNS, TCP and TLS together.")
    first_byte: f.Duration | None = Field(None, description="Request sent until the first byte.")
    idle: f.Duration | None = Field(None, description="Between two bytes.")
    total: f.Duration | None = Field(None, description="The whole attempt.")

    def caps(self) -> Caps:
        """The same as the reading half knows it."""
        return Caps(connect_s=self.connect, first_byte_s=self.first_byte, idle_s=self.idle, total_s=self.total)


class Retry(_Model):
    """When a job is sent again. None by default: a retry hides a failure and may be billed twice."""

    max_retries: int = Field(0, ge=0, le=10, description="Further attempts after the first.")
    statuses: f.Tuple[f.Status] = Field(("429", "5xx", "connect"), description="429, a class like 5xx, or connect.")
    base_s: f.Duration = Field(0.5, description="First pause; doubles each time.")
    max_s: f.Duration = Field(8.0, description="Longest pause of our own.")
    honour_retry_after: bool = Field(True, description="Wait as long as the answer's retry-after says.")


class Budget(_Model):
    """What a run may spend; it stops before it would spend more."""

    usd: float | None = Field(None, gt=0, le=1_000_000, description="US dollars.")
    jobs: int | None = Field(None, ge=1, le=1_000_000, description="Image jobs.")


ObjectiveText = Annotated[str, Field(max_length=300), AfterValidator(check_objective)]


class Scenario(_Model):
    """A scenario file."""

    name: f.Slug = Field(description="Short name: lower-case letters, digits, hyphens.")
    why: f.Line = Field(description="The question that this scenario answers, in one line.")
    model: f.Model = Field("gpt-image-2", description="Model, or the name of your deployment.")
    prompts: f.Tuple[Annotated[Prompt, BeforeValidator(_prompt)]] = Field(
        (), description="Prompts, as text or {text, complexity, expect_text}. All cells of a block use the same one."
    )
    prompts_file: str | None = Field(None, min_length=1, description="A YAML file with prompts, beside this one.")
    references: f.Tuple[str] = Field(
        (), description="Picture files for edits (png, jpeg, webp), beside this file; without them some are made up."
    )
    mask_file: str | None = Field(None, min_length=1, description="PNG with an alpha channel, of the first one's size.")
    link_check: f.Tuple[f.Age] = Field(
        (), description="Ages at which results given as links are fetched again, by `harness links`: [1h, 23h, 25h]."
    )
    layers: f.Tuple[str] = Field(
        (), description="Files of further layers to recognise, beside this one; docs/layers.md has their form."
    )
    record_prompts: bool = Field(False, description="Write the prompts' text into the journal.")
    defaults: RequestFields = Field(RequestFields(), description="Request fields that every cell shares.")
    matrix: Matrix = Field(Matrix(), description="Axes that are crossed into cells.")
    repeats: int = Field(1, ge=1, le=10_000, description="Blocks; every cell runs once in each.")
    seed: int = Field(0, ge=0, le=2**53, description="Decides the order within each block.")
    routes: Annotated[Mapping[f.Slug, RouteSpec], Field(min_length=1)] = Field(description="Ways to reach the model.")
    simulator: dict[str, Any] | None = Field(None, description="Handed to the embedded API as it stands.")
    load: Load = Field(Load(), description="How much at once: concurrency, rate or batch.")
    connections: Connections = Field(Connections(), description="Keep-alive, and how many at once.")
    timeouts: Timeouts = Field(Timeouts(), description="Our own caps.")
    retry: Retry = Field(Retry(), description="When a job is sent again; never by default.")
    budget: Budget = Field(Budget(), description="What a run may spend.")
    objectives: f.Tuple[ObjectiveText] = Field(
        (), description="Thresholds, see docs/objectives.md: p95(final_image_ms){quality=low} < 15s"
    )
    hypotheses: f.Tuple[HypothesisSpec] = Field((), description="Claims to be shown or refuted; docs/hypotheses.md.")
    early_stop: EarlyStopSpec | None = Field(None, description="When a cell has told enough; docs/plan.md.")
    uses: f.Tuple[UseSpec] = Field((), description="What the images are for, as needs; docs/recommend.md.")
    _sha256: str = PrivateAttr("")
    _source: str = PrivateAttr("")

    def model_post_init(self, _context: object, /) -> None:
        """Every route learns its name."""
        for name, route in self.routes.items():
            route._name = name

    @property
    def sha256(self) -> str:
        """Of the file's bytes, followed by those of the prompt file where there is one."""
        return self._sha256

    @property
    def source(self) -> str:
        """The file's name, without its folder."""
        return self._source

    @property
    def time_scale(self) -> float:
        """How many times faster than the real one the simulated world runs; 1 without a simulator."""
        return float((self.simulator or {}).get("time_scale", 1.0))

    @property
    def simulated(self) -> bool:
        """Whether every route is answered by the embedded API, so that nothing is billed."""
        return all(route.simulated for route in self.routes.values())

    def cells(self) -> tuple[Cell, ...]:
        """Every cell, in the order in which the file gives them."""
        given = {name: getattr(self.defaults, name) for name in FIELDS}
        placed = expand(
            self.matrix.given(),
            [item.given() for item in self.matrix.include],
            [item.given() for item in self.matrix.exclude],
            given,
            tuple(self.routes),
        )
        return tuple(item.cell for item in placed.cells)

    def axes(self) -> tuple[str, ...]:
        """The fields in which the cells differ."""
        cells = self.cells()
        return tuple(name for name in FIELDS if len({getattr(cell, name) for cell in cells}) > 1)

    def route_conditions(self) -> tuple[RouteConditions, ...]:
        """Every route as the reading half knows it."""
        return tuple(route.conditions() for route in self.routes.values())

    def objective_conditions(self) -> tuple[Objective, ...]:
        """Every objective, parsed."""
        return tuple(parse_objective(text) for text in self.objectives)

    def hypothesis_conditions(self) -> tuple[Hypothesis, ...]:
        """Every claim with its test."""
        return tuple(spec.conditions() for spec in self.hypotheses)

    def use_conditions(self) -> tuple[Use, ...]:
        """Every use of this file's own."""
        return tuple(spec.conditions() for spec in self.uses)
