"""Registrars that ask real servers, and an application to register."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.clients.client import Metadata
from gateway.clients.registration.registrar import Registrar, open_registrar
from gateway.fetch import open_fetch
from gateway.ports import Clock
from gateway.providers import Endpoints, Provider
from gateway.providers.presets import PRESETS
from gateway.providers.registration import Registration
from tests.fakes import FakeClock

MACHINE = Metadata(client_name="Shop", contacts=("shop@example.com",))
"""An application that nobody signs in to."""
WEBSITE = Metadata(
    client_name="Website",
    client_uri="https://site.example.com",
    redirect_uris=("https://site.example.com/callback",),
    grant_types=("authorization_code", "refresh_token"),
)
"""An application that people sign in to."""


def provider_at(registration: str | None, *, issuer: str | None = None, token: str | None = None) -> Provider:
    """A provider; what is `None` is left to its metadata."""
    discovery = () if issuer is None else (f"{issuer}/.well-known/openid-configuration",)
    endpoints = Endpoints(registration=registration, token=token)
    return Provider(name="idp", issuer=issuer, discovery=discovery, endpoints=endpoints)


def like(preset: str, **configured: object) -> Registration:
    """The registration that a preset knows, with what is configured."""
    return replace(PRESETS[preset].registration, **configured)  # type: ignore[arg-type]  # names of its own fields


@asynccontextmanager
async def registering(
    provider: Provider, registration: Registration | None = None, clock: Clock | None = None
) -> AsyncIterator[Registrar]:
    """A registrar with real connections."""
    async with open_registrar(provider, registration or Registration(), open_fetch, clock or FakeClock()) as registrar:
        yield registrar
