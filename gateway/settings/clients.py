"""Clients and what they may use: the directory, until contracts are kept elsewhere."""

from pydantic import Field

from gateway.settings.section import Section


class ClientSettings(Section):
    """An application that may use APIs."""

    provider: str = Field(examples=["okta"])
    """The provider that knows it; ids of two providers may be alike."""
    client_id: str = Field(min_length=1, examples=["mobile"])
    """Its id there."""
    apis: tuple[str, ...] = Field(examples=[["orders"]])
    """What it may use."""
    tier: str | None = None
    """The tier of its contracts."""
