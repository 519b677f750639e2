"""What the catalogue lets people ask for, and which scopes follow from it. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from gateway.clients.catalogue import Api, Catalogue
from gateway.clients.client import Agreement, Client, Metadata
from gateway.clients.mistakes import Conflict, Invalid, NotFound


def offered(catalogue: Catalogue, api: str, *, unlisted: bool) -> Api:
    """The API, if it can be asked for; `unlisted` ones are for those who decide. Raises `NotFound`."""
    found = catalogue.apis.get(api)
    if found is None or not (found.listed or unlisted):
        raise NotFound("API")
    return found


def check_tier(catalogue: Catalogue, api: Api, tier: str | None, *, held: str | None = None) -> None:
    """Raises `Invalid` unless the tier is one of the API's, and not deprecated or `held` already."""
    if tier is None and not api.tiers:
        return
    if tier is None:
        raise Invalid(f"This API has tiers: choose from {', '.join(_open_tiers(catalogue, api))}.", "invalid_tier")
    if tier not in api.tiers or tier not in catalogue.tiers:
        raise Invalid("This API has no such tier.", "invalid_tier")
    if catalogue.tiers[tier].deprecated and tier != held:
        raise Invalid("This tier can no longer be asked for.", "invalid_tier")


def check_terms(api: Api, *, accepted: bool) -> None:
    """Raises `Invalid` when there are terms, and they were not accepted."""
    if api.terms and not accepted:
        raise Invalid("The terms of this API have to be accepted.", "terms_not_accepted")


def still_there(catalogue: Catalogue, api: str, client: Client) -> Api:
    """The API of a contract. Raises `Conflict` when the configuration no longer has it, or at another provider."""
    found = catalogue.apis.get(api)
    if found is None or found.provider != client.provider:
        raise Conflict("This API is no longer offered.", "no_such_api")
    return found


def may_be_granted(catalogue: Catalogue, agreement: Agreement) -> bool:
    """Whether a request is for something that is still offered, and that nobody decides about."""
    if agreement.api not in catalogue.apis or not (agreement.tier is None or agreement.tier in catalogue.tiers):
        return False
    return catalogue.is_automatic(agreement.api, agreement.tier)


def scopes_of(catalogue: Catalogue, apis: Iterable[str]) -> tuple[str, ...]:
    """The scopes of all these APIs, each once."""
    known = [catalogue.apis[api] for api in apis if api in catalogue.apis]
    return tuple(dict.fromkeys(scope for api in known for scope in api.scopes))


def with_scopes_of(metadata: Metadata, api: Api) -> Metadata:
    """The wish, with the scopes of this API where it names none of them: without one, a token would not be enough."""
    if set(metadata.scopes) & set(api.scopes):
        return metadata
    return replace(metadata, scopes=(*metadata.scopes, *api.scopes))


def told(client: Client, apis: Collection[str], catalogue: Catalogue) -> Metadata:
    """What the provider is told of an application that has contracts for `apis`.

    A developer's application gets the scopes of an API with the contract, and not with the request. Scopes of no API
    were given by somebody who decides.
    """
    if client.owner is None:
        return client.metadata
    here = [name for name, api in catalogue.apis.items() if api.provider == client.provider]
    withheld = set(scopes_of(catalogue, here)) - set(scopes_of(catalogue, apis))
    scopes = tuple(scope for scope in client.metadata.scopes if scope not in withheld)
    return replace(client.metadata, scopes=scopes)


def _open_tiers(catalogue: Catalogue, api: Api) -> list[str]:
    return [tier for tier in api.tiers if tier in catalogue.tiers and not catalogue.tiers[tier].deprecated]
