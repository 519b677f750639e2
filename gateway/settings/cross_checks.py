"""What no part of the configuration can know by itself: all cross checks, in the terms of the whole file."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.plugins import mistakes_of
from gateway.providers import Provider
from gateway.settings.client_checks import check_clients
from gateway.settings.clients import ClientSettings
from gateway.settings.mistakes import Path, Wrong
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
    tell(check_routes(parts.routes, faulty))
    tell(_policies(parts, {name for name in providers if faulty(("providers", name))}))


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
