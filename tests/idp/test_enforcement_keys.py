"""Tokens that real providers sign: judged by their keys, and by the same rules as those that they introspect."""

import asyncio

import pytest

from tests.idp.capabilities import Can, over
from tests.idp.demo_provider import Demo
from tests.idp.gateway import ACCEPTED, INACTIVE, Guard, Protect, Verdict, section
from tests.idp.oidc_provider import AUDIENCE, OidcProvider
from tests.idp.provider import IdentityProvider

ORDERS = ["keys_only", "keys_first", "introspect_then_keys"]
UNKNOWN_KEY = Verdict(401, "token_key_unknown")
COOL_DOWN = 10
"""Seconds between two looks for a new key."""


@over()
@pytest.mark.parametrize("order", ORDERS)
async def test_a_signed_token_is_accepted_whichever_way_comes_first(
    order: str, provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(provider, order=order)
    assert await guard.verdict(provider.mint_signed()) == ACCEPTED
    assert guard.upstream.last.header("X-Client-Id") == [provider.client.client_id]
    assert await guard.introspections() == (order == "introspect_then_keys")


@over(Can.INTROSPECT_JWTS)
@pytest.mark.case("C134")
async def test_keys_do_not_stand_for_a_signed_token_that_the_provider_says_is_inactive(
    provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(provider, order="introspect_then_keys")
    token = provider.mint_signed()
    provider.revoke(token)
    assert await guard.verdict(token) == INACTIVE
    only_keys = await protect(provider, order="keys_only")
    assert await only_keys.verdict(token) == ACCEPTED


@over()
@pytest.mark.case("C134")
async def test_keys_do_not_stand_for_a_signed_token_where_the_provider_refuses_us(
    provider: IdentityProvider, protect: Protect
) -> None:
    stranger = {"authentication": "authorization_header", "authorization": "Bearer of-nobody"}
    guard = await protect({"idp": section(provider, introspection=stranger)}, order="introspect_then_keys")
    assert await guard.verdict(provider.mint_signed()) == Verdict(503, "provider_refuses_us")
    assert await guard.counted("token_fallbacks") == 0


async def test_keys_decide_about_the_tokens_that_a_provider_does_not_introspect(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    guard = await protect(oidc_provider, order="introspect_then_keys")
    token = oidc_provider.mint_signed()
    assert [await guard.verdict(token) for _ in range(2)] == [ACCEPTED] * 2
    assert await guard.counted("introspection_requests", outcome="unsupported") == 1
    assert await guard.verdict(forged(token)) == Verdict(401, "token_signature_invalid")


async def test_nobody_decides_about_them_where_the_keys_may_not(oidc_provider: OidcProvider, protect: Protect) -> None:
    guard = await protect(oidc_provider, order="introspect_only")
    assert await guard.verdict(oidc_provider.mint_signed()) == Verdict(401, "token_not_introspectable")


@over()
@pytest.mark.parametrize("order", ORDERS)
async def test_a_token_whose_signature_was_changed_is_refused(
    order: str, provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(provider, order=order)
    status, _ = await guard.verdict(forged(provider.mint_signed()))
    assert status == 401


@over(Can.SIGN_WITH_SEVERAL_ALGORITHMS)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_the_route_chooses_among_the_algorithms_of_the_provider(
    algorithm: str, provider: OidcProvider | Demo, protect: Protect
) -> None:
    guard = await protect(provider, order="keys_only", algorithms=[algorithm])
    tokens = {name: provider.mint(jwt=True, algorithm=name) for name in ("RS256", "ES256")}
    verdicts = {name: (await guard.verdict(token)).status for name, token in tokens.items()}
    assert verdicts == {"RS256": 401, "ES256": 401, algorithm: 200}


async def test_a_token_that_an_ed25519_key_signed_is_accepted(oidc_provider: OidcProvider, protect: Protect) -> None:
    guard = await protect(oidc_provider, order="keys_only")
    assert await guard.verdict(oidc_provider.mint(jwt=True, algorithm="EdDSA")) == ACCEPTED


RULES = [
    ({"audience": ["https://elsewhere.example"]}, Verdict(401, "token_audience_refused")),
    ({"issuer": "https://elsewhere.example"}, Verdict(401, "token_issuer_refused")),
    ({"scopes": ["write"]}, Verdict(403, "insufficient_scope")),
    ({"claims": [{"claim": "client_id", "equals": "somebody-else"}]}, Verdict(403, "claim_refused")),
]


@over()
@pytest.mark.case("C114")
@pytest.mark.parametrize(("rule", "refusal"), RULES, ids=["audience", "issuer", "scope", "client"])
async def test_a_rule_refuses_introspected_and_signed_tokens_alike(
    rule: dict[str, object], refusal: Verdict, provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(
        provider,
        routes={"/asked": {"order": "introspect_only", **rule}, "/checked": {"order": "keys_only", **rule}},
    )
    assert await guard.verdict(provider.mint(), "/asked") == refusal
    assert await guard.verdict(provider.mint_signed(), "/checked") == refusal


@over(Can.NAME_AUDIENCES)
@pytest.mark.parametrize("rule", ["audience", "issuer", "scopes"])
async def test_a_rule_accepts_introspected_and_signed_tokens_alike(
    rule: str, provider: OidcProvider | Demo, protect: Protect
) -> None:
    rules = {"audience": [AUDIENCE], "issuer": provider.issuer, "scopes": ["read"]}
    options = {rule: rules[rule]}
    guard = await protect(
        provider,
        routes={"/asked": {"order": "introspect_only", **options}, "/checked": {"order": "keys_only", **options}},
    )
    assert await guard.verdict(provider.mint(audience=AUDIENCE), "/asked") == ACCEPTED
    assert await guard.verdict(provider.mint(audience=AUDIENCE, jwt=True), "/checked") == ACCEPTED


@over(Can.ROTATE_KEYS)
@pytest.mark.case("C082")
@pytest.mark.parametrize("order", ORDERS)
async def test_a_new_key_is_good_on_its_first_use_at_the_cost_of_one_look(
    order: str, provider: OidcProvider | Demo, protect: Protect
) -> None:
    guard = await protect(provider, order=order)
    old = provider.mint_signed()
    assert await guard.verdict(old) == ACCEPTED
    for rotation in range(1, 4):
        provider.rotate_keys(keep_old=True)
        tokens = [provider.mint_signed() for _ in range(5)]
        assert await all_of(guard, [*tokens, old]) == {ACCEPTED}
        if order != "introspect_then_keys" or not isinstance(provider, Demo):
            assert await guard.counted("jwks_fetches", result="success") == 1 + rotation
        guard.clock.move(COOL_DOWN)


@pytest.mark.case("C082")
async def test_twenty_rotations_cost_nobody_a_refusal(demo: Demo, protect: Protect) -> None:
    guard = await protect(demo, order="keys_only")
    for _ in range(20):
        demo.rotate_keys(keep_old=True)
        assert await all_of(guard, [demo.mint_signed() for _ in range(10)]) == {ACCEPTED}
        guard.clock.move(COOL_DOWN)
    assert await guard.counted("jwks_fetches", result="success") <= 21


@over(Can.ROTATE_KEYS)
@pytest.mark.case("C083")
async def test_the_tokens_of_a_removed_key_end_with_what_is_known_of_them(
    provider: OidcProvider | Demo, protect: Protect
) -> None:
    guard = await protect(provider, order="keys_only", cache={"max_age": 60})
    old = provider.mint_signed()
    assert await guard.verdict(old) == ACCEPTED
    provider.rotate_keys(keep_old=False)
    guard.clock.move(COOL_DOWN)
    assert await guard.verdict(provider.mint_signed()) == ACCEPTED
    assert await guard.verdict(old) == ACCEPTED
    guard.clock.move(60 - COOL_DOWN)
    assert await guard.verdict(old) == UNKNOWN_KEY


@over(Can.ROTATE_KEYS)
@pytest.mark.case("C083")
async def test_a_removed_key_is_noticed_although_nobody_brings_a_token_of_a_new_one(
    provider: OidcProvider | Demo, protect: Protect
) -> None:
    idp = section(provider, keys={"refresh_after": 0.05})
    guard = await protect({"idp": idp}, order="keys_only", cache={"max_age": 60})
    old = provider.mint_signed()
    assert await guard.verdict(old) == ACCEPTED
    provider.rotate_keys(keep_old=False)
    fetched = await guard.counted("jwks_fetches", result="success")
    async with asyncio.timeout(5):
        while await guard.counted("jwks_fetches", result="success") < fetched + 2:  # noqa: ASYNC110 - no metric calls us
            await asyncio.sleep(0.02)
    guard.clock.move(60)
    assert await guard.verdict(old) == UNKNOWN_KEY


async def all_of(guard: Guard, tokens: list[str]) -> set[Verdict]:
    """What comes of these tokens when they are brought at once."""
    return set(await asyncio.gather(*(guard.verdict(token) for token in tokens)))


def forged(token: str) -> str:
    """The same token with another signature of the same length."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{signature[:20]}{'A' if signature[20] != 'A' else 'B'}{signature[21:]}"
