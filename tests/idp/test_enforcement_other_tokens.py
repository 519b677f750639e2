"""What real providers issue besides bearer access tokens: none of it opens an API."""

import pytest

from tests.idp.capabilities import Can, over
from tests.idp.demo_provider import Demo
from tests.idp.gateway import Protect, Verdict, verdict_of
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider
from tests.idp.proofs import SigningKey
from tests.idp.provider import IdentityProvider
from tests.servers import request

ORDERS = ["introspect_only", "introspect_then_keys", "keys_first", "keys_only"]
BOUND = Verdict(401, "token_sender_constrained")


@over()
@pytest.mark.parametrize("order", ORDERS)
async def test_a_refresh_token_is_refused(order: str, provider: IdentityProvider, protect: Protect) -> None:
    guard = await protect(provider, order=order)
    status, code = await guard.verdict(provider.sign_in().refresh_token)
    assert (status, code.startswith("token_")) == (401, True)


async def test_a_refresh_token_is_refused_although_its_provider_says_active(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    token = oidc_provider.sign_in().refresh_token
    assert oidc_provider.introspect(token).json()["active"] is True
    guard = await protect(oidc_provider)
    assert await guard.verdict(token) == Verdict(401, "token_not_access_token")


@over(Can.ISSUE_ID_TOKENS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("types", [None, ["at+jwt", "jwt", ""]], ids=["strict types", "any type"])
async def test_an_id_token_is_refused_although_the_provider_signed_it(
    types: list[str] | None, order: str, provider: OidcProvider | Demo, protect: Protect
) -> None:
    guard = await protect(provider, order=order, types=types, audience=[provider.web.client_id])
    status, code = await guard.verdict(provider.sign_in().id_token)
    assert (status, code.startswith("token_")) == (401, True)


@over(Can.BIND_TOKENS_TO_KEYS)
@pytest.mark.case("C023")
@pytest.mark.parametrize("order", ["introspect_then_keys", "keys_only"])
async def test_a_signed_token_that_is_bound_to_a_key_is_no_bearer_token(
    order: str, provider: OidcProvider | Glewlwyd, protect: Protect
) -> None:
    key = SigningKey()
    bound = provider.mint(key=key, jwt=True) if isinstance(provider, OidcProvider) else provider.mint(key=key)
    guard = await protect(provider, order=order)
    assert await guard.verdict(bound) == BOUND
    assert (
        verdict_of(await guard.ask(bound, "/orders", f"DPoP: {key.proof('GET', 'http://api.example.com/orders')}"))
        == BOUND
    )


@pytest.mark.case("C023")
async def test_an_opaque_token_that_is_bound_to_a_key_is_no_bearer_token(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    guard = await protect(oidc_provider)
    assert await guard.verdict(oidc_provider.mint(key=SigningKey())) == BOUND


@over(Can.BIND_TOKENS_TO_KEYS)
@pytest.mark.case("C023")
async def test_the_scheme_of_bound_tokens_is_no_credential_here(
    provider: OidcProvider | Glewlwyd, protect: Protect
) -> None:
    key = SigningKey()
    token, proof = provider.mint(key=key), key.proof("GET", "http://api.example.com/orders")
    guard = await protect(provider)
    reply = await guard.send(request("GET", "/orders", f"Authorization: DPoP {token}", f"DPoP: {proof}"))
    assert verdict_of(reply) == Verdict(401, "credential_missing")
    assert reply.header("WWW-Authenticate") == ['Bearer realm="tokenward"']
    assert await guard.introspections() == 0


@pytest.mark.parametrize("signed", [False, True], ids=["opaque", "signed"])
async def test_a_token_that_is_bound_to_a_certificate_is_no_bearer_token(
    signed: bool, oidc_provider: OidcProvider, protect: Protect
) -> None:
    client = oidc_provider.introspecting["tls_client_auth"]
    guard = await protect(oidc_provider)
    assert await guard.verdict(oidc_provider.mint(client=client, jwt=signed)) == BOUND
