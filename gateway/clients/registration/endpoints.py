"""Where a provider registers clients: as configured, or as its metadata says."""

from dataclasses import replace

from gateway.policy import Unavailable
from gateway.ports import Clock, Fetch
from gateway.providers import Order, Provider
from gateway.providers.discovery import Discovery
from gateway.providers.registration import Registration
from gateway.tasks import Tasks


class Endpoints:
    """The endpoints that registration needs. The metadata is asked for only where one of them is not configured."""

    def __init__(self, provider: Provider, registration: Registration, fetch: Fetch, clock: Clock, tasks: Tasks):
        self._name = provider.name
        self._configured = provider.endpoints
        needed = (provider.endpoints.registration, provider.endpoints.token)
        self._discovery = None
        if provider.discovery and None in needed:
            self._discovery = Discovery(_all_from_metadata(provider), fetch, clock, tasks)

    async def registration(self) -> str:
        """The client registration endpoint. Raises `Unavailable` when there is none, or nobody knows."""
        return await self._named("registration")

    async def token(self) -> str:
        """The token endpoint. Raises `Unavailable` when there is none, or nobody knows."""
        return await self._named("token")

    async def _named(self, name: str) -> str:
        url = getattr(self._configured, name)
        if url is None and self._discovery is not None:
            url = getattr(await self._discovery.endpoints(), name)
        if url is None:
            raise Unavailable(
                f"{self._name} names no {name} endpoint, and none is configured.", code="registration_refused"
            )
        return str(url)


def _all_from_metadata(provider: Provider) -> Provider:
    """The provider as one whose metadata is needed, whatever tokens are verified with."""
    endpoints = replace(provider.endpoints, jwks=None)
    return replace(provider, endpoints=endpoints, dialect=replace(provider.dialect, order=Order.INTROSPECT_ONLY))
