"""That our oidc-provider offers what the gateway is tried against: ways to authenticate, bound tokens, new keys."""

import base64
import hashlib

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.idp.clients import load
from tests.idp.oidc_provider import AUDIENCE, OidcProvider
from tests.idp.proofs import SigningKey
from tests.idp.wire import ask

WAYS_TO_AUTHENTICATE = [
    "client_secret_basic",
    "client_secret_basic, odd secret",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
]


@pytest.mark.parametrize("way", WAYS_TO_AUTHENTICATE)
def test_a_client_may_introspect_by(way: str, oidc_provider: OidcProvider) -> None:
    answer = oidc_provider.introspect(oidc_provider.mint(), client=oidc_provider.introspecting[way])
    assert answer.json()["active"] is True


def test_a_token_has_the_scope_the_audience_and_the_lifetime_that_were_asked_for(oidc_provider: OidcProvider) -> None:
    token = oidc_provider.mint(scope="read write", audience=AUDIENCE, lifetime=30)
    about = oidc_provider.introspect(token).json()
    assert (about["scope"], about["aud"], about["exp"] - about["iat"]) == ("read write", AUDIENCE, 30)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_signed_token_verifies_with_the_published_keys(algorithm: str, oidc_provider: OidcProvider) -> None:
    token = oidc_provider.mint(jwt=True, algorithm=algorithm)
    header = jwt.get_unverified_header(token)
    key = jwt.PyJWKSet.from_dict(ask("GET", oidc_provider.jwks_uri).json())[header["kid"]]
    claims = jwt.decode(token, key, [algorithm], audience=AUDIENCE, issuer=oidc_provider.issuer)
    assert (claims["sub"], claims["scope"]) == (oidc_provider.client.client_id, "read")


def test_a_token_is_bound_to_the_key_of_the_proof(oidc_provider: OidcProvider) -> None:
    key = SigningKey()
    about = oidc_provider.introspect(oidc_provider.mint(key=key)).json()
    assert (about["token_type"], about["cnf"]) == ("DPoP", {"jkt": key.thumbprint})


def test_a_token_is_bound_to_the_certificate_of_the_client(oidc_provider: OidcProvider) -> None:
    token = oidc_provider.mint(client=oidc_provider.introspecting["tls_client_auth"])
    about = oidc_provider.introspect(token).json()
    der = load(oidc_provider.certificates.client).public_bytes(Encoding.DER)
    digest = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert (about["token_type"], about["cnf"]) == ("Bearer", {"x5t#S256": digest})


def test_a_user_signs_in(oidc_provider: OidcProvider) -> None:
    tokens = oidc_provider.sign_in("bob", audience=AUDIENCE)
    about = oidc_provider.introspect(tokens.access_token).json()
    assert (about["sub"], about["client_id"], about["aud"]) == ("bob", "web", AUDIENCE)


def test_revoking_a_refresh_token_ends_the_access_token(oidc_provider: OidcProvider) -> None:
    tokens = oidc_provider.sign_in()
    oidc_provider.revoke(tokens.refresh_token, client=oidc_provider.web)
    assert oidc_provider.introspect(tokens.access_token).json() == {"active": False}


def test_new_keys_stand_beside_the_old_ones_or_replace_them(oidc_provider: OidcProvider) -> None:
    before = published_kids(oidc_provider)
    oidc_provider.rotate_keys(keep_old=True)
    both = published_kids(oidc_provider)
    assert before < both
    oidc_provider.rotate_keys(keep_old=False)
    assert not both & published_kids(oidc_provider)


def test_opaque_tokens_outlive_a_rotation_of_keys(oidc_provider: OidcProvider) -> None:
    token = oidc_provider.mint()
    oidc_provider.rotate_keys(keep_old=False)
    assert oidc_provider.introspect(token).json()["active"] is True


def published_kids(provider: OidcProvider) -> set[str]:
    return {key["kid"] for key in ask("GET", provider.jwks_uri).json()["keys"]}
