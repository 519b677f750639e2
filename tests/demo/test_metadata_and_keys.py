"""What the provider says about itself, and the keys that verify its tokens."""

from typing import Any

import jwt
import pytest

from gateway.demo.identity_provider import DemoProvider
from tests.demo.asking import Ask

UNTIMED = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
"""The provider's clock is not PyJWT's."""


def verify(token: str, keys: dict[str, Any], algorithm: str = "RS256") -> dict[str, Any]:
    """The claims of a token, by the published key that it names; raises PyJWTError."""
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=[algorithm], options=UNTIMED)  # type: ignore[arg-type]  # PyJWT's own type


async def published_keys(ask: Ask) -> dict[str, Any]:
    keys: dict[str, Any] = (await ask("GET", "/jwks")).body
    return keys


async def test_both_well_known_places_say_the_same(ask: Ask) -> None:
    openid = await ask("GET", "/.well-known/openid-configuration")
    oauth = await ask("GET", "/.well-known/oauth-authorization-server")
    assert openid.status == oauth.status == 200
    assert openid.body == oauth.body


async def test_the_issuer_is_where_the_metadata_was_found(ask: Ask) -> None:
    assert (await ask("GET", "/.well-known/openid-configuration")).body["issuer"] == ask.issuer


async def test_every_endpoint_that_is_named_is_there(ask: Ask) -> None:
    metadata = (await ask("GET", "/.well-known/openid-configuration")).body
    for name, url in metadata.items():
        if name.endswith(("_endpoint", "_uri")):
            method = "GET" if name in {"authorization_endpoint", "jwks_uri", "userinfo_endpoint"} else "POST"
            assert (await ask(method, url)).status not in {404, 405}, name


async def test_only_public_halves_of_keys_are_published(ask: Ask) -> None:
    keys = (await published_keys(ask))["keys"]
    assert sorted(key["alg"] for key in keys) == ["ES256", "RS256"]
    assert all(key["use"] == "sig" and key["kid"] and not {"d", "p", "q"} & set(key) for key in keys)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_jwt_verifies_with_the_published_keys(provider: DemoProvider, ask: Ask, algorithm: str) -> None:
    token = provider.issue("shop", "orders.read", jwt=True, audience="https://orders.example", algorithm=algorithm)
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    claims = verify(token, await published_keys(ask), algorithm)
    assert claims.pop("jti")
    assert claims.pop("exp") - claims.pop("iat") == 600
    assert claims == {
        "iss": provider.issuer,
        "sub": "shop",
        "client_id": "shop",
        "scope": "orders.read",
        "aud": "https://orders.example",
    }


async def test_a_rotation_that_keeps_the_old_keys_leaves_old_tokens_good(provider: DemoProvider, ask: Ask) -> None:
    old = provider.issue("shop", "orders.read", jwt=True)
    provider.rotate_keys(keep_old=True)
    new = provider.issue("shop", "orders.read", jwt=True)
    keys = await published_keys(ask)
    assert len(keys["keys"]) == 4
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert verify(old, keys)["client_id"] == verify(new, keys)["client_id"] == "shop"


async def test_a_rotation_that_drops_the_old_keys_leaves_old_tokens_unverifiable(
    provider: DemoProvider, ask: Ask
) -> None:
    old = provider.issue("shop", "orders.read", jwt=True)
    provider.rotate_keys(keep_old=False)
    keys = await published_keys(ask)
    assert len(keys["keys"]) == 2
    with pytest.raises(KeyError):
        verify(old, keys)
