"""Field types of a scenario and the rules of the image request itself, each with its source.

The rules are those of the public Images API as its reference and guide state them (July to November 2026).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from harness.scenario.words import Mistake, looks_secret, secret_name, show

GPT_IMAGE_2 = ("gpt-image-2", "gpt-image-2-2026-04-21")
KNOWN_MODELS = (
    *GPT_IMAGE_2,
    "gpt-image-2.5-sunburst",
    "gpt-image-2.5-flare",
    "gpt-image-2.6-sunburst",
    "gpt-image-2.6-flare",
    "gpt-image-1.5",
    "gpt-image-1-mini",
    "chatgpt-image-latest",
)
RETIRED_MODELS = {"dall-e-2": "2026-05-12", "dall-e-3": "2026-05-12", "gpt-image-1": "2026-10-23"}
# Names that circulate in articles and fail: what they meant.
NO_SUCH_MODELS = {"chatgpt-image-2": "gpt-image-2", "dall-e-4": "gpt-image-2"}

MIN_PIXELS, MAX_PIXELS, MAX_EDGE, MAX_RATIO, STEP = 655_360, 8_294_400, 3840, 3, 16
EXPERIMENTAL_PIXELS = 2560 * 1440  # above this the guide calls a size experimental

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|min|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SIMULATOR = re.compile(r"simulator://([a-z0-9][a-z0-9_.-]{0,63})?")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

T = TypeVar("T")


def check_model(name: str) -> str:
    """Refuse retired models and the misspellings that everybody makes. A name of one's own (a deployment) passes."""
    if name in RETIRED_MODELS:
        raise Mistake(f"{name} was shut down on {RETIRED_MODELS[name]}", "write gpt-image-2")
    meant = NO_SUCH_MODELS.get(name.lower())
    if meant is None:
        bare = re.sub(r"[^a-z0-9]", "", name.lower())
        meant = next((known for known in KNOWN_MODELS if re.sub(r"[^a-z0-9]", "", known) == bare), None)
        if meant == name:
            return name
    if meant is not None:
        raise Mistake(f"there is no model {show(name)}", f"write {meant}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}", name):
        raise Mistake(f"{show(name)} cannot be a model's name", "write gpt-image-2, or your deployment's name")
    return name


def size_fault(width: int, height: int) -> str | None:
    """The rule of gpt-image-2 that a size breaks, or None. Source: image generation guide."""
    if width % STEP or height % STEP:
        return f"both edges must be divisible by {STEP}"
    if max(width, height) > MAX_EDGE:
        return f"no edge may be longer than {MAX_EDGE}"
    if max(width, height) > MAX_RATIO * min(width, height):
        return f"the long edge may be at most {MAX_RATIO} times the short one"
    if width * height < MIN_PIXELS:
        return f"at least {MIN_PIXELS} pixels are needed, this has {width * height}"
    if width * height > MAX_PIXELS:
        return f"at most {MAX_PIXELS} pixels are allowed, this has {width * height}"
    return None


def nearest_size(width: int, height: int) -> str:
    """The legal size nearest to the one that was asked for; the larger one when two are equally near."""
    edges = range(STEP, MAX_EDGE + 1, STEP)
    legal = ((w, h) for w in edges for h in edges if size_fault(w, h) is None)
    best = min(legal, key=lambda s: ((s[0] - width) ** 2 + (s[1] - height) ** 2, -s[0] * s[1]))
    return f"{best[0]}x{best[1]}"


def parse_size(text: str) -> tuple[int, int] | None:
    """``1024x1536`` → (1024, 1536); None when it is not width x height."""
    found = _SIZE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def check_size(text: str, info: ValidationInfo) -> str:
    """``auto`` or width x height; by gpt-image-2's rules where that is the model."""
    if text == "auto":
        return text
    edges = parse_size(text)
    if edges is None:
        guess = parse_size(re.sub(r"[*×X:, ]+", "x", text.strip()))
        raise Mistake(
            f"{show(text)} is not a size", f"write {guess[0]}x{guess[1]}" if guess else "write WIDTHxHEIGHT or auto"
        )
    model = (info.context or {}).get("model", "gpt-image-2")
    fault = size_fault(*edges) if model in GPT_IMAGE_2 else None
    if fault:
        raise Mistake(f"{text} is no size for {model}: {fault}", f"write {nearest_size(*edges)}")
    return text


def read_duration(value: object) -> object:
    """Seconds as a number, or text with a unit."""
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        raise Mistake(f"{show(value)} is not a duration", "write seconds as a number (90), or 90s, 2m, 500ms")
    return float(found[1]) * _SECONDS[found[2]]


def check_base_url(url: str) -> str:
    """http(s) without credentials, or ``simulator://`` with the name of a layer. The URL is never echoed."""
    if url.startswith("simulator:"):
        if not _SIMULATOR.fullmatch(url):
            raise Mistake("this is no simulator route", "write simulator://, or simulator:// and the name of a layer")
        return url
    fix = "write something like https://api.openai.com/v1"
    try:
        parts = urlsplit(url)
        _ = parts.port
        host = parts.hostname
    except ValueError:
        raise Mistake("base_url is not a URL", fix) from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise Mistake("base_url must be an http(s) URL or simulator://", fix)
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise Mistake("base_url holds a user name or password", "take it out; put the secret in api_key_env or headers")
    if any(secret_name(name) or name == "code" or looks_secret(v) for name, v in parse_qsl(parts.query, True)):
        raise Mistake("the query of base_url holds a key", "take it out; put the secret in api_key_env or headers")
    if looks_secret(parts.path):
        raise Mistake("the path of base_url holds something that looks like a key", "take it out of the file")
    if parts.fragment:
        raise Mistake("base_url has a #fragment, which is never sent", "take it out")
    path = parts.path.rstrip("/")
    if path.endswith(("/images/generations", "/images/edits", "/images")):
        raise Mistake("base_url names an endpoint", "stop before /images: the route adds the rest")
    if host == "api.openai.com" and path != "/v1":
        raise Mistake("base_url of api.openai.com must end in /v1", "write https://api.openai.com/v1")
    return url


def check_env_name(name: str) -> str:
    """The name of an environment variable, not its value."""
    if not ENV_NAME.fullmatch(name) or looks_secret(name):
        raise Mistake("api_key_env must be the name of an environment variable", "write OPENAI_API_KEY, not the key")
    return name


def read_status(value: object) -> object:
    """A status to retry, as text; a plain number is fine."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"[45]\d\d|[45]xx|connect", text):
        raise Mistake(f"{show(value)} is nothing to retry on", "write a status (429), a class (5xx) or connect")
    return text


def one_line(text: str) -> str:
    """Text without a line break."""
    if not text.strip() or not text.isprintable():
        raise Mistake("this must be one line of text", "write one sentence on one line")
    return text


def listed(value: object) -> object:
    """One value stands for a list of one."""
    return value if isinstance(value, list | tuple) else [value]


Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Line = Annotated[str, Field(max_length=300), AfterValidator(one_line)]
Model = Annotated[str, Field(max_length=128), AfterValidator(check_model)]
BaseUrl = Annotated[str, Field(max_length=2000), AfterValidator(check_base_url)]
EnvName = Annotated[
    str, AfterValidator(check_env_name), WithJsonSchema({"type": "string", "pattern": ENV_NAME.pattern})
]
Status = Annotated[str, BeforeValidator(read_status), WithJsonSchema({"type": ["string", "integer"]})]
Duration = Annotated[
    float,
    BeforeValidator(read_duration),
    Field(gt=0, le=86_400, allow_inf_nan=False),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _DURATION.pattern}]}
    ),
]

Age = Annotated[float, BeforeValidator(read_duration), Field(gt=0, le=30 * 86_400, allow_inf_nan=False),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]})]  # fmt: skip

Quality = Literal["auto", "low", "medium", "high"]
Size = Annotated[str, Field(max_length=40), AfterValidator(check_size)]
OutputFormat = Literal["png", "jpeg", "webp"]
Compression = Annotated[int, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=1, le=10)]
Partials = Annotated[int, Field(ge=0, le=3)]
Background = Literal["auto", "opaque", "transparent"]
Moderation = Literal["auto", "low"]
References = Annotated[int, Field(ge=0, le=16)]
EditForm = Literal["multipart", "json"]
Tuple = Annotated[tuple[T, ...], Field(strict=False)]
Many = Annotated[tuple[T | None, ...], Field(strict=False, min_length=1), BeforeValidator(listed)]
