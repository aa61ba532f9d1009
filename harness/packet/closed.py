"""What every part of a packet is: closed, strict, frozen. And its numbers, each with bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_MONTH_MS = 31 * 24 * 3600 * 1000.0


class Closed(BaseModel):
    """No unknown field, no coercion, no change after the fact, and no value shown in an error message."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        validate_default=True,
        revalidate_instances="always",
    )


Ms = Annotated[float, Field(ge=-_MONTH_MS, le=_MONTH_MS)]
Seconds = Annotated[float, Field(ge=0, le=_MONTH_MS / 1000)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Bytes = Annotated[int, Field(ge=0, le=2**40)]
Limit = Annotated[int, Field(ge=0, le=10**12)]
Status = Annotated[int, Field(ge=100, le=999)]
Pixels = Annotated[int, Field(ge=1, le=100_000)]
Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Version = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){1,2}((a|b|rc|\.dev|\.post)[0-9]{1,4})?$")]
ModelName = Annotated[
    str,
    Field(
        pattern=r"^(gpt-image-[1-9](\.[0-9])?(-(mini|sunburst|flare|codex))?(-20[0-9]{2}-[01][0-9]-[0-3][0-9])?"
        r"|chatgpt-image-latest|dall-e-[23]|other)$"
    ),
]
