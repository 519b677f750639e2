"""What is wrong with the portal's options, before anybody is let in. Pure."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from pydantic import SecretStr

from gateway.portal.options import ALGORITHMS, PortalOptions, SignIn
from gateway.providers import ClientAuthentication, ClientCredentials, Provider
from gateway.providers.authentication import Authenticator
from gateway.providers.urls import is_loopback, url_fault
from gateway.settings.credentials import WELL_KNOWN

Fault: TypeAlias = tuple[tuple[str, ...], str]
"""The path of an option, from the portal on, and what is wrong with it, to follow its name in a sentence."""

SHORTEST_SECRET = 16
"""Characters. Providers give out longer ones."""


class Unsafe(ValueError):
    """The portal cannot be opened with these options. The text holds no secret."""


def refuse(options: PortalOptions, provider: Provider) -> None:
    """Raises `Unsafe` unless people can sign in with these options, and nobody else can."""
    found = [f"portal.{'.'.join(path)} {text}" for path, text in faults(options, provider)]
    if found:
        raise Unsafe("; ".join(found))


def faults(options: PortalOptions, provider: Provider) -> Iterator[Fault]:
    """All that is wrong with the options; `provider` is the one that `sign_in` names."""
    yield from _url(options.url)
    yield from _numbers(options)
    yield from _owners(options)
    yield from _proxies(options.trusted_proxies)
    if not options.title.strip():
        yield ("title",), "is blank"
    for path, text in _sign_in(options.sign_in, provider):
        yield ("sign_in", *path), text


def _url(url: str) -> Iterator[Fault]:
    fault = url_fault(url)
    if fault is not None:
        yield ("url",), fault
        return
    parts = urlsplit(url)
    # A cookie with the prefix __Host- is for the whole host: pages of others beneath it would get it as well.
    if parts.path not in {"", "/"} or parts.query or url != url.lower():
        yield ("url",), "must be a scheme and a host in lower case, without a path"


def _numbers(options: PortalOptions) -> Iterator[Fault]:
    visits, rates = options.visits, options.rates
    for path, value in (
        (("visits", "lifetime"), visits.lifetime),
        (("visits", "idle"), visits.idle),
        (("timeout",), options.timeout),
    ):
        if not 0 < value < float("inf"):
            yield path, "must be more than 0 seconds"
    for name, count in (("requests", rates.requests), ("sign_ins", rates.sign_ins), ("changes", rates.changes)):
        if count < 1:
            yield ("rates", name), "must be 1 or more"


def _owners(options: PortalOptions) -> Iterator[Fault]:
    owners = options.owners
    if (owners.claim is None) != (not owners.any_of):
        yield ("owners",), "needs claim and any_of, both or neither"
    if any(not value.strip() for value in (*owners.any_of, *owners.scopes)) or owners.claim == "":
        yield ("owners",), "names something blank"


def _proxies(networks: tuple[str, ...]) -> Iterator[Fault]:
    for network in networks:
        try:
            ip_network(network)
        except ValueError:
            yield ("trusted_proxies",), f"holds {network!r}, which is neither an address nor a network"


def _sign_in(sign_in: SignIn, provider: Provider) -> Iterator[Fault]:
    if not provider.issuer:
        yield ("provider",), "names a provider without an issuer; ID tokens cannot be told from others' without it"
    if "openid" not in sign_in.scopes:
        yield ("scopes",), "must hold openid"
    if not sign_in.algorithms or not set(sign_in.algorithms) <= set(ALGORITHMS):
        yield ("algorithms",), f"must be some of {', '.join(ALGORITHMS)}"
    fault = None if sign_in.end_session is None else url_fault(sign_in.end_session)
    if fault is not None:
        yield ("end_session",), fault
    yield from _credentials(sign_in.credentials, is_local=_is_local(provider))


def _credentials(credentials: ClientCredentials, *, is_local: bool) -> Iterator[Fault]:
    if not credentials.client_id:
        yield ("credentials", "client_id"), "is missing"
        return
    try:
        Authenticator(credentials)
    except ValueError as error:
        yield ("credentials",), f"cannot be used: {error}"
        return
    if credentials.authentication is ClientAuthentication.AUTHORIZATION_HEADER:
        yield from _secret("authorization", credentials.authorization, is_local=is_local)
    yield from _secret("client_secret", credentials.client_secret, is_local=is_local)


def _secret(name: str, secret: SecretStr | None, *, is_local: bool) -> Iterator[Fault]:
    """A secret that is none. With a provider on this machine, for trying things out, it may be a simple one."""
    if secret is None:
        return
    value = secret.get_secret_value().strip()
    if not value:
        yield ("credentials", name), "is blank"
    elif is_local:
        return
    elif re.sub(r"[^a-z0-9]", "", value.lower()) in WELL_KNOWN:
        yield ("credentials", name), "is a placeholder that everybody knows; write a secret of your own"
    elif len(value) < SHORTEST_SECRET or len(set(value)) < SHORTEST_SECRET / 2:
        yield ("credentials", name), f"is easily guessed; write {SHORTEST_SECRET} characters of chance or more"


def _is_local(provider: Provider) -> bool:
    return provider.issuer is not None and is_loopback(urlsplit(provider.issuer).hostname or "")
