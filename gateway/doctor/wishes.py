"""What a client is registered as to try out registration, and what it says that the provider takes it. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.clients.client import Metadata
from gateway.clients.mistakes import Invalid
from gateway.doctor.findings import Finding, failure, ok, warning
from gateway.doctor.opening import REGISTRATION
from gateway.doctor.shown import foreign, listed
from gateway.providers.registration import Registration

NAME = "Tokenward doctor (temporary)"
RENAMED = "Tokenward doctor (temporary, changed)"
NOWHERE = "https://doctor.invalid/nobody-is-here"
"""RFC 2606, 2: no server ever has such a name."""
WITH_SECRET = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class Wish:
    """A client to register, and what it lacks of the first that was tried."""

    metadata: Metadata
    with_redirect: bool = False
    """It has a redirect URI only because it was not taken without."""
    without_scopes: tuple[str, ...] = ()
    """What was left out, because it was not taken with them."""


def wishes(registration: Registration, scopes: tuple[str, ...]) -> Iterator[Wish]:
    """One after the other, until one is taken: what we want, and then what more providers take."""
    plain = _plain(registration, scopes)
    yield Wish(plain)
    if not plain.redirect_uris:
        yield Wish(replace(plain, redirect_uris=(NOWHERE,)), with_redirect=True)
    if scopes:
        yield Wish(replace(plain, scopes=()), without_scopes=scopes)
    if scopes and not plain.redirect_uris:
        metadata = replace(plain, redirect_uris=(NOWHERE,), scopes=())
        yield Wish(metadata, with_redirect=True, without_scopes=scopes)


def _plain(registration: Registration, scopes: tuple[str, ...]) -> Metadata:
    """A client that gets tokens by itself, where such may be registered."""
    grants = registration.grant_types
    by_itself = "client_credentials" in grants
    methods = [method for method in WITH_SECRET if method in registration.authentication]
    return Metadata(
        client_name=NAME,
        grant_types=("client_credentials",) if by_itself else grants[:1],
        token_endpoint_auth_method=methods[0] if methods else registration.authentication[0],
        redirect_uris=() if by_itself else (NOWHERE,),
        scopes=scopes,
    )


def judge_wish(wish: Wish, refused: Invalid | None, registration: Registration) -> Iterator[Finding]:
    """What there is to say of the wish that was taken, where one before it was `refused`."""
    opened = "open to anybody"
    if registration.client or registration.initial_access_token or registration.authorization:
        opened = "opened by what is configured"
    yield ok(REGISTRATION, f"A client was registered; registration is {opened}.")
    if wish.with_redirect:
        seen = "It registers no client without a redirect URI, not even one that nobody signs in to."
        yield warning("redirect URI", seen, "Let developers name one, or change that at the provider.")
    if wish.without_scopes:
        assert refused is not None  # noqa: S101 - else nothing would have been left out
        seen = f"It registers no client with the scopes of the routes ({listed(wish.without_scopes)}): {refused.detail}"
        advice = "Create these scopes at the provider, and allow them to new clients; no application gets them now."
        yield failure("scopes", foreign_sentence(seen), advice)


def not_taken(refused: Invalid) -> Finding:
    """No wish was taken."""
    advice = "Look at what the provider's policy for registration allows, and write registration.grant_types to it."
    return failure(REGISTRATION, foreign_sentence(f"{refused.detail} ({foreign(refused.code)})"), advice)


def foreign_sentence(text: str) -> str:
    """What holds somebody else's words, with a full stop."""
    return f"{text.removesuffix('.')}."
