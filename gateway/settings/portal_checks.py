"""Cross checks of the portal: people can sign in with what is written, and nobody else can."""

from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from gateway.providers import Provider
from gateway.settings.client_checks import no_provider
from gateway.settings.credentials import check_credentials, check_length
from gateway.settings.mistakes import Wrong
from gateway.settings.portal import ALGORITHMS, Owners, PortalSettings, SignIn
from gateway.settings.urls import is_local, provider_url_fault, url_fault


def check_portal(portal: PortalSettings, names: Collection[str], providers: Mapping[str, Provider]) -> Iterator[Wrong]:
    """What is wrong with the portal; paths start at it. `names` are those of all providers, faulty ones included;
    `providers` are the sound ones.
    """
    yield from _url(portal.url)
    yield from _owners(portal.owners)
    fault = None if portal.gateway_url is None else url_fault(portal.gateway_url)
    if fault is not None:
        yield Wrong(("gateway_url",), fault)
    if not portal.title.strip():
        yield Wrong(("title",), "is blank; write what the portal is called, or leave it out")
    for wrong in _sign_in(portal.sign_in, names, providers.get(portal.sign_in.provider)):
        yield Wrong(("sign_in", *wrong.path), wrong.text)


def _url(url: str) -> Iterator[Wrong]:
    fault = provider_url_fault(url)
    if fault is not None:
        yield Wrong(("url",), fault)
        return
    parts = urlsplit(url)
    # A cookie with the prefix __Host- is for the whole host: pages of others beneath it would get it as well.
    if parts.path not in {"", "/"} or parts.query or url != url.lower():
        yield Wrong(("url",), "must be a scheme and a host in lower case, without a path; write https://host")


def _owners(owners: Owners) -> Iterator[Wrong]:
    if (owners.claim is None) != (not owners.any_of):
        yield Wrong(("owners",), "needs claim and any_of; write both or neither")
    if owners.claim == "" or any(not value.strip() for value in (*owners.any_of, *owners.scopes)):
        yield Wrong(("owners",), "names something blank; write a claim and its values, or scopes")


def _sign_in(sign_in: SignIn, names: Collection[str], provider: Provider | None) -> Iterator[Wrong]:
    if sign_in.provider not in names:
        yield Wrong(("provider",), no_provider(sign_in.provider, names))
    elif provider is not None and not provider.issuer:
        text = f"has no issuer, and ID tokens are known by it; write providers.{sign_in.provider}.issuer"
        yield Wrong(("provider",), text)
    if "openid" not in sign_in.scopes:
        yield Wrong(("scopes",), "must hold openid; write it first")
    if not sign_in.algorithms or not set(sign_in.algorithms) <= set(ALGORITHMS):
        yield Wrong(("algorithms",), f"must be some of these; write {', '.join(ALGORITHMS)}")
    fault = None if sign_in.end_session is None else provider_url_fault(sign_in.end_session)
    if fault is not None:
        yield Wrong(("end_session",), fault)
    local = provider is not None and is_local(provider.issuer or "")
    for wrong in (
        *check_credentials(sign_in.credentials, local=local),
        *check_length(sign_in.credentials, local=local),
    ):
        yield Wrong(("credentials", *wrong.path), wrong.text)
