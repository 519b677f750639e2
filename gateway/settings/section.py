"""What all parts of the configuration have in common, and the numbers in them."""

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from gateway.plugins import STRICT


class Section(BaseModel):
    """A mapping with known names. Frozen, and strict: YAML already says what is text and what a number."""

    model_config = ConfigDict(**STRICT)


Seconds: TypeAlias = Annotated[float, Field(gt=0)]
Pause: TypeAlias = Annotated[float, Field(ge=0)]
"""Seconds; zero is none."""
Bytes: TypeAlias = Annotated[int, Field(ge=0)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
