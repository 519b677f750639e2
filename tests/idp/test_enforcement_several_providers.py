"""Several providers on one route: whose token it is, and who is asked."""

from tests.idp.demo_provider import Demo
from tests.idp.gateway import ACCEPTED, INACTIVE, Guard, Protect, Section, Verdict, section
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider
from tests.idp.provider import IdentityProvider


def all_three(*providers: IdentityProvider) -> dict[str, Section]:
    return {provider.name: section(provider) for provider in providers}


async def asked(guard: Guard, *providers: IdentityProvider) -> list[float]:
    return [await guard.counted("introspection_requests", provider=provider.name) for provider in providers]


async def test_a_signed_token_is_taken_to_the_provider_that_it_names(
    oidc_provider: OidcProvider, glewlwyd: Glewlwyd, demo: Demo, protect: Protect
) -> None:
    three = (oidc_provider, glewlwyd, demo)
    guard = await protect(all_three(*three), providers=[provider.name for provider in three])
    for provider in three:
        assert await guard.verdict(provider.mint_signed()) == ACCEPTED
        assert guard.upstream.last.header("X-Client-Id") == [provider.client.client_id]
    assert await asked(guard, *three) == [1, 1, 1]


async def test_any_other_token_is_taken_to_each_provider_in_turn(
    oidc_provider: OidcProvider, glewlwyd: Glewlwyd, demo: Demo, protect: Protect
) -> None:
    three = (oidc_provider, glewlwyd, demo)
    guard = await protect(all_three(*three), providers=[provider.name for provider in three])
    assert await guard.verdict(oidc_provider.mint()) == ACCEPTED
    assert await asked(guard, *three) == [1, 0, 0]
    last = demo.mint()
    assert [await guard.verdict(last) for _ in range(2)] == [ACCEPTED] * 2
    assert await asked(guard, *three) == [2, 1, 1]
    assert await guard.verdict("nobody-ever-issued-this-token") == INACTIVE
    assert await asked(guard, *three) == [3, 2, 2]


async def test_a_signed_token_of_a_provider_that_the_route_does_not_know_is_taken_to_nobody(
    oidc_provider: OidcProvider, glewlwyd: Glewlwyd, demo: Demo, protect: Protect
) -> None:
    guard = await protect(all_three(oidc_provider, demo), providers=[oidc_provider.name, demo.name])
    assert await guard.verdict(glewlwyd.mint()) == Verdict(401, "token_issuer_refused")
    assert await asked(guard, oidc_provider, demo) == [0, 0]


async def test_a_signed_token_is_not_judged_by_the_keys_of_another_provider(
    oidc_provider: OidcProvider, demo: Demo, protect: Protect
) -> None:
    claimed = {"issuer": demo.issuer, "endpoints": {"jwks": oidc_provider.jwks_uri}, "dialect": {"order": "keys_only"}}
    guard = await protect({"idp": claimed})
    assert await guard.verdict(oidc_provider.mint_signed()) == Verdict(401, "token_issuer_refused")
    assert await guard.verdict(demo.mint_signed()) == Verdict(401, "token_key_unknown")


async def test_a_provider_that_is_gone_leaves_open_whose_token_it_is(
    glewlwyd: Glewlwyd, demo: Demo, protect: Protect
) -> None:
    gone = {
        "issuer": "http://127.0.0.1:9",
        "introspection": {"client_id": "gateway", "client_secret": "gateway-secret"},
    }
    guard = await protect({"gone": gone, **all_three(glewlwyd, demo)}, providers=["gone", glewlwyd.name, demo.name])
    assert await guard.verdict(glewlwyd.mint()) == ACCEPTED
    assert await guard.verdict(demo.mint()) == ACCEPTED
    assert await guard.verdict("nobody-ever-issued-this-token") == Verdict(503, "provider_metadata")
