"""Cross checks of clients: their provider and their APIs exist, and nothing is said twice."""

from collections.abc import Collection, Iterator, Sequence

from gateway.settings.clients import ClientSettings
from gateway.settings.mistakes import Wrong
from gateway.wording import meant


def check_clients(
    clients: Sequence[ClientSettings], providers: Collection[str], apis: Collection[str]
) -> Iterator[Wrong]:
    """`providers` and `apis` are the names that exist."""
    known: set[tuple[str, str, str]] = set()
    for index, client in enumerate(clients):
        if client.provider not in providers:
            yield Wrong(("clients", index, "provider"), no_provider(client.provider, providers))
        for position, api in enumerate(client.apis):
            path = ("clients", index, "apis", position)
            if api not in apis:
                yield Wrong(path, f"no route belongs to the API {api}{or_one_of(api, apis)}")
            elif (client.provider, client.client_id, api) in known:
                yield Wrong(path, f"the client already has a contract for {api}; keep one")
            known.add((client.provider, client.client_id, api))


def no_provider(name: str, providers: Collection[str]) -> str:
    """What to say of the name of a provider that does not exist."""
    return f"no provider is called {name}{or_one_of(name, providers)}"


def or_one_of(name: str, known: Collection[str]) -> str:
    """How to go on after the name of something that does not exist."""
    return meant(name, known) or (f"; write one of {', '.join(sorted(known))}" if known else "; there is none")
