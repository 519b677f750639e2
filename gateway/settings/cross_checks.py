"""What no part of the configuration can know by itself: all cross checks, in the terms of the whole file."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.clients.store.options import StoreOptions
from gateway.plugins import mistakes_of
from gateway.providers import Provider
from gateway.settings.catalogue import ApiSettings, TierSettings
from gateway.settings.catalogue_checks import Names, check_catalogue
from gateway.settings.client_checks import check_clients
from gateway.settings.clients import ClientSettings
from gateway.settings.management import Management
from gateway.settings.management_checks import check_management, check_store
from gateway.settings.mistakes import Path, Wrong
from gateway.settings.portal import PortalSettings
from gateway.settings.portal_checks import check_portal
from gateway.settings.provider_checks import check_providers
from gateway.settings.providers import ProviderSettings, provider
from gateway.settings.route_checks import check_routes
from gateway.settings.routes import RouteSettings
from gateway.settings.scalars import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is valid by itself, and what the whole file says, faulty parts included."""

    providers: Mapping[str, ProviderSettings]
    clients: tuple[ClientSettings, ...]
    tiers: Mapping[str, TierSettings]
    apis: Mapping[str, ApiSettings]
    store: StoreOptions | None
    management: Management
    portal: PortalSettings | None
    routes: Mapping[str, RouteSettings]
    whole: Plain
    original: Callable[[Path], Path]
    """Where a value of these parts stands in the whole file."""


def cross_check(parts: Parts, found: Callable[[Path, str], None], faulty: Callable[[Path], bool]) -> None:
    """Tell what is wrong between the parts. Names that exist but are faulty themselves still count as names."""

    def tell(wrong: Iterator[Wrong]) -> None:
        for path, text in wrong:
            found(parts.original(path), text)

    providers = _members(parts.whole, "providers")
    tell(check_providers(parts.providers, faulty))
    tell(check_clients(parts.clients, providers, _apis(parts.whole)))
    names = Names(
        providers=providers,
        # An empty one is one: registration is open to anybody there.
        registering={name for name, each in providers.items() if _has(each, "registration")},
        tiers=_members(parts.whole, "tiers"),
        apis=_apis(parts.whole),
    )
    tell(check_catalogue(parts.apis, parts.clients, names))
    if parts.store is not None:
        tell(_below(("store",), check_store(parts.store)))
    tell(_below(("management",), check_management(parts.management)))
    if parts.portal is not None:
        tell(_below(("portal",), check_portal(parts.portal, providers, _resolved(parts.providers))))
        if not _members(parts.whole, "store"):
            found(("portal",), "needs a store; write one, `store: {encryption_keys: [...]}` is enough")
        if not names.registering:
            found(("portal",), "has nothing to offer: no provider registers clients; write providers.NAME.registration")
    tell(check_routes(parts.routes, faulty))
    tell(_policies(parts, {name for name in providers if faulty(("providers", name))}))


def _below(path: Path, wrongs: Iterator[Wrong]) -> Iterator[Wrong]:
    """The same, where paths start at the whole file."""
    for wrong in wrongs:
        yield Wrong((*path, *wrong.path), wrong.text)


def _policies(parts: Parts, unsound: Collection[str]) -> Iterator[Wrong]:
    """What the policies find in their own options. One that names an unsound provider is spared the consequences."""
    providers = _resolved(parts.providers)
    for name, route in parts.routes.items():
        for index, entry in enumerate(route.policies):
            path: Path = ("routes", name, "policies", index, entry.name)
            if not any(word in unsound for word in _words(_at(parts.whole, parts.original(path)))):
                for place, text in mistakes_of(entry.policy, providers):
                    yield Wrong((*path, *place), text)


def _resolved(written: Mapping[str, ProviderSettings]) -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    for name, settings in written.items():
        with suppress(ValueError):  # an issuer that is no URL was told already
            found[name] = provider(name, settings)
    return found


def _apis(whole: Plain) -> set[str]:
    written = [route.get("api") for route in _members(whole, "routes").values() if isinstance(route, dict)]
    return {api for api in written if isinstance(api, str)}


def _members(whole: Plain, name: str) -> dict[str, Plain]:
    found = whole.get(name) if isinstance(whole, dict) else None
    return found if isinstance(found, dict) else {}


def _has(section: Plain, name: str) -> bool:
    return isinstance(section, dict) and section.get(name) is not None


def _at(whole: Any, path: Path) -> Plain:
    for part in path:
        whole = whole[part]
    found: Plain = whole
    return found


def _words(options: Plain) -> Iterator[str]:
    """Every text in the options."""
    match options:
        case str():
            yield options
        case dict():
            for value in options.values():
                yield from _words(value)
        case list():
            for item in options:
                yield from _words(item)
