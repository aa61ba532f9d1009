"""How many tokens an image is: gpt-image-2 by a formula and in any size, the models before it by a table of three."""

from __future__ import annotations

BASES = {"low": 16, "medium": 48, "high": 96}
OLDER_MODELS = ("gpt-image-1.5", "gpt-image-1-mini")
OLDER_TOKENS = {
    "1024x1024": {"low": 272, "medium": 1056, "high": 4160},
    "1024x1536": {"low": 408, "medium": 1584, "high": 6240},
    "1536x1024": {"low": 400, "medium": 1568, "high": 6208},
}
OLDER_SIZES = tuple(OLDER_TOKENS)


def image_tokens(model: str, quality: str, size: str) -> int:
    """Output tokens of one image. The formula reproduces OpenAI's price table; whatever no table holds goes by it."""
    if model in OLDER_MODELS and size in OLDER_TOKENS:
        return OLDER_TOKENS[size][quality]
    width, height = (int(edge) for edge in size.split("x"))
    base = BASES[quality]
    short = round(base * min(width, height) / max(width, height))
    return -(-base * short * (2_000_000 + width * height) // 4_000_000)
