"""One question each to a running provider, and what is worth comparing of its answer."""

from typing import Any
from urllib.parse import urlsplit

import jwt

from tests.idp.clients import Client
from tests.idp.provider import IdentityProvider
from tests.idp.wire import Answer, ask

SIGNED = "application/token-introspection+jwt"
COMMON = frozenset({"active", "client_id", "exp", "scope", "token_type", "aud", "sub"})


def path_of_the_issuer(provider: IdentityProvider) -> object:
    published = ask("GET", provider.metadata_url).json()["issuer"]
    assert published == provider.issuer
    return urlsplit(published).path


def refusal_of_a_wrong_secret(provider: IdentityProvider) -> object:
    stranger = Client(client_id=provider.introspector.client_id, client_secret="wrong")
    answer = provider.introspect(provider.mint(), client=stranger)
    return answer.status, answer.media_type, answer.headers.get("WWW-Authenticate", "").partition(" ")[0]


def refusal_of_no_credentials(provider: IdentityProvider) -> object:
    return refusal(ask("POST", provider.introspection_endpoint, form={"token": provider.mint()}))


def answer_about_a_signed_token(provider: IdentityProvider) -> object:
    answer = provider.introspect(provider.mint_signed())
    return (200, answer.json()["active"]) if answer.status == 200 else refusal(answer)


def answer_to_a_client_without_permission(provider: IdentityProvider) -> object:
    answer = provider.introspect(provider.mint(), client=provider.client)
    return answer.status, answer.json()["active"]


def answer_about_nonsense(provider: IdentityProvider) -> object:
    answer = provider.introspect("not-a-token-of-anybody")
    return answer.status, answer.json()


def token_type(provider: IdentityProvider) -> object:
    return claims(provider).get("token_type")


def audience(provider: IdentityProvider) -> object:
    return claims(provider).get("aud")


def subject_of_client_credentials(provider: IdentityProvider) -> object:
    return claims(provider).get("sub")


def further_claims(provider: IdentityProvider) -> object:
    return claims(provider).keys() - COMMON


def further_claims_about_a_user(provider: IdentityProvider) -> object:
    return provider.introspect(provider.sign_in().access_token).json().keys() - COMMON


def refresh_token_with_the_hint(provider: IdentityProvider) -> object:
    return _kind(provider.introspect(provider.sign_in().refresh_token))


def refresh_token_without_a_hint(provider: IdentityProvider) -> object:
    return _kind(provider.introspect(provider.sign_in().refresh_token, hint=None))


def answer_about_a_revoked_token(provider: IdentityProvider) -> object:
    token = provider.mint()
    return provider.revoke(token).status, provider.introspect(token).json()


def revocation_by_another_client(provider: IdentityProvider) -> object:
    token = provider.mint()
    status = provider.revoke(token, client=provider.introspector).status
    return status, provider.introspect(token).json()["active"]


def audience_of_a_signed_answer(provider: IdentityProvider) -> object:
    answer = provider.introspect(provider.mint(), accept=SIGNED)
    assert answer.media_type == SIGNED
    envelope = jwt.decode(answer.body, options={"verify_signature": False})
    assert envelope["token_introspection"]["active"] is True
    return envelope["aud"]


def type_of_a_signed_token(provider: IdentityProvider) -> object:
    return jwt.get_unverified_header(provider.mint_signed())["typ"]


def claims(provider: IdentityProvider) -> dict[str, Any]:
    """What introspection says of a token by client credentials."""
    answer: dict[str, Any] = provider.introspect(provider.mint()).json()
    assert answer["active"] is True
    return answer


def refusal(answer: Answer) -> tuple[int, str | None]:
    """The status and the OAuth error code, where there is a body at all."""
    return answer.status, answer.json()["error"] if answer.body else None


def _kind(answer: Answer) -> tuple[bool, str | None]:
    about = answer.json()
    return about["active"], about.get("token_type")
