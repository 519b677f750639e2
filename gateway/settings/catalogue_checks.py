"""Cross checks of what developers may ask for: the names in it exist, and its links are links."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.settings.catalogue import ApiSettings
from gateway.settings.client_checks import no_provider, or_one_of
from gateway.settings.clients import ClientSettings
from gateway.settings.mistakes import Path, Wrong
from gateway.settings.urls import url_fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What exists, faulty parts included."""

    providers: Collection[str]
    registering: Collection[str]
    """The providers that have a `registration`."""
    tiers: Collection[str]
    apis: Collection[str]


def check_catalogue(
    apis: Mapping[str, ApiSettings], clients: Sequence[ClientSettings], names: Names
) -> Iterator[Wrong]:
    """What is wrong with the APIs as developers see them, and with the tiers of configured clients."""
    for name, api in apis.items():
        if name not in names.apis:
            yield Wrong(("apis", name), f"no route belongs to the API {name}{or_one_of(name, names.apis)}")
        yield from _api(("apis", name), api, names)
    for index, client in enumerate(clients):
        # Where no tier is described, their names are for the upstreams.
        if client.tier is not None and names.tiers and client.tier not in names.tiers:
            yield Wrong(("clients", index, "tier"), _no_tier(client.tier, names.tiers))


def _api(path: Path, api: ApiSettings, names: Names) -> Iterator[Wrong]:
    if api.provider is not None and api.provider not in names.providers:
        yield Wrong((*path, "provider"), no_provider(api.provider, names.providers))
    elif api.provider is not None and api.provider not in names.registering:
        text = f"{api.provider} registers no clients; write providers.{api.provider}.registration"
        yield Wrong((*path, "provider"), text)
    for index, tier in enumerate(api.tiers):
        if tier not in names.tiers:
            yield Wrong((*path, "tiers", index), _no_tier(tier, names.tiers))
    for name in ("documentation", "url"):
        url = getattr(api, name)
        fault = None if url is None else url_fault(url)
        if fault is not None:
            yield Wrong((*path, name), fault)


def _no_tier(name: str, tiers: Collection[str]) -> str:
    return f"no tier is called {name}{or_one_of(name, tiers)}"
