"""Tokens that real providers introspect, through the whole gateway: who is let in, and what the upstream is told."""

import asyncio
import json

import pytest

from tests.idp.capabilities import Can, over
from tests.idp.clients import Client
from tests.idp.demo_provider import Demo
from tests.idp.gateway import ACCEPTED, IDENTITY, INACTIVE, Protect, Verdict, section, verdict_of
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import AUDIENCE, OidcProvider
from tests.idp.provider import IdentityProvider
from tests.servers import request

FORGED = tuple(f"{name}: forged" for name in IDENTITY)
REFUSES_US = Verdict(503, "provider_refuses_us")
NO_SUCH_TOKEN = "nobody-ever-issued-this-token"


@over()
async def test_a_token_in_force_opens_the_api_and_tells_the_upstream_whose_it_is(
    provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(provider)
    assert verdict_of(await guard.ask(provider.mint(), "/orders", *FORGED)) == ACCEPTED
    seen = guard.upstream.last
    assert seen.header("X-Client-Id") == [provider.client.client_id]
    assert seen.header("X-Scope") == ["read"]
    assert seen.header("Authorization") == []


@over()
async def test_the_upstream_is_told_which_user_the_token_stands_for(
    provider: IdentityProvider, protect: Protect
) -> None:
    token = provider.sign_in().access_token
    guard = await protect(provider)
    assert await guard.verdict(token) == ACCEPTED
    assert guard.upstream.last.header("X-Subject") == [provider.introspect(token).json()["sub"]]


@over()
async def test_a_token_that_the_provider_does_not_know_is_invalid(provider: IdentityProvider, protect: Protect) -> None:
    guard = await protect(provider)
    reply = await guard.ask(NO_SUCH_TOKEN)
    assert verdict_of(reply) == INACTIVE
    assert json.loads(reply.body)["error"] == "invalid_token"
    assert 'error="invalid_token"' in reply.header("WWW-Authenticate")[0]


@over()
@pytest.mark.case("C108")
async def test_a_no_is_believed_for_its_own_shorter_time(provider: IdentityProvider, protect: Protect) -> None:
    guard = await protect(provider, cache={"max_age": 60, "negative_age": 10})
    assert [await guard.verdict(NO_SUCH_TOKEN) for _ in range(3)] == [INACTIVE] * 3
    assert await guard.introspections() == 1
    guard.clock.move(10)
    assert await guard.verdict(NO_SUCH_TOKEN) == INACTIVE
    assert await guard.introspections() == 2


@over()
@pytest.mark.case("C151")
async def test_a_revoked_token_is_refused_once_what_is_known_of_it_is_too_old(
    provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(provider, cache={"max_age": 60})
    token = provider.mint()
    assert await guard.verdict(token) == ACCEPTED
    provider.revoke(token)
    assert await guard.verdict(token) == ACCEPTED
    guard.clock.move(60)
    assert await guard.verdict(token) == INACTIVE


@over()
@pytest.mark.case("C164")
async def test_a_revoked_token_is_refused_at_once_where_each_request_asks(
    provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(provider, cache={"max_age": 0})
    token = provider.mint()
    assert await guard.verdict(token) == ACCEPTED
    provider.revoke(token)
    assert await guard.verdict(token) == INACTIVE
    assert await guard.introspections() == 2


@over()
async def test_a_method_that_wants_fresh_facts_finds_the_revocation_for_all_the_others(
    provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(provider, freshness={"DELETE": 0})
    token = provider.mint()
    assert await guard.verdict(token) == ACCEPTED
    provider.revoke(token)
    assert await guard.verdict(token) == ACCEPTED
    assert await guard.verdict(token, method="DELETE") == INACTIVE
    assert await guard.verdict(token) == INACTIVE


@over(Can.CHOOSE_LIFETIMES)
@pytest.mark.case("C150")
async def test_a_token_ends_when_it_expires_and_not_when_it_is_forgotten(
    provider: OidcProvider | Demo, protect: Protect
) -> None:
    guard = await protect(provider, cache={"max_age": 600}, leeway=5)
    token = provider.mint(lifetime=30)
    assert await guard.verdict(token) == ACCEPTED
    guard.clock.move(29)
    assert await guard.verdict(token) == ACCEPTED
    guard.clock.move(6)
    assert await guard.verdict(token) == Verdict(401, "token_expired")


@over()
async def test_many_who_bring_the_same_new_token_cost_the_provider_one_question(
    provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(provider)
    token = provider.mint()
    assert set(await asyncio.gather(*(guard.verdict(token) for _ in range(50)))) == {ACCEPTED}
    assert await guard.introspections() == 1


@over()
@pytest.mark.case("C118")
async def test_a_wrong_secret_of_ours_is_our_fault_and_never_the_caller_s(
    provider: IdentityProvider, protect: Protect
) -> None:
    ours = {"client_id": provider.introspector.client_id, "client_secret": "not-the-secret"}
    guard = await protect({"idp": section(provider, introspection=ours)})
    # glewlwyd's is a JWT that the keys would vouch for; but a provider that refuses us has answered.
    assert [await guard.verdict(provider.mint()) for _ in range(2)] == [REFUSES_US] * 2
    assert await guard.counted("introspection_requests", outcome="provider_refuses_us") == 2
    assert await guard.counted("token_fallbacks") == 0


async def test_oidc_provider_says_inactive_to_a_client_that_may_not_introspect_so_that_every_token_is_refused(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    ours = {"client_id": oidc_provider.client.client_id, "client_secret": oidc_provider.client.client_secret}
    guard = await protect({"idp": section(oidc_provider, introspection=ours)})
    assert await guard.verdict(oidc_provider.mint()) == INACTIVE


async def test_glewlwyd_refuses_a_bearer_that_may_not_introspect_which_is_our_fault(
    glewlwyd: Glewlwyd, protect: Protect
) -> None:
    ours = {"authentication": "authorization_header", "authorization": f"Bearer {glewlwyd.mint(scope='read')}"}
    guard = await protect({"idp": section(glewlwyd, introspection=ours)})
    assert await guard.verdict(glewlwyd.mint()) == REFUSES_US


@pytest.mark.case("C149")
async def test_what_one_client_of_ours_was_told_is_not_known_to_another(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    may_not = {"client_id": oidc_provider.client.client_id, "client_secret": oidc_provider.client.client_secret}
    guard = await protect(
        {"may": section(oidc_provider), "may-not": section(oidc_provider, introspection=may_not)},
        routes={"/may": {"provider": "may"}, "/may-not": {"provider": "may-not"}},
    )
    token = oidc_provider.mint()
    for _ in range(2):
        assert await guard.verdict(token, "/may") == ACCEPTED
        assert await guard.verdict(token, "/may-not") == INACTIVE
    assert await guard.introspections() == 2


@pytest.mark.case("C146")
async def test_a_token_is_judged_by_the_provider_of_the_route_and_by_no_other(
    oidc_provider: OidcProvider, demo: Demo, protect: Protect
) -> None:
    guard = await protect(
        {"first": section(oidc_provider), "second": section(demo)},
        routes={"/first": {"provider": "first"}, "/second": {"provider": "second"}},
    )
    for token, good, bad in ((oidc_provider.mint(), "/first", "/second"), (demo.mint(), "/second", "/first")):
        for _ in range(2):
            assert await guard.verdict(token, good) == ACCEPTED
            assert await guard.verdict(token, bad) == INACTIVE
    assert await guard.introspections() == 4


@over()
@pytest.mark.case("C147")
async def test_routes_share_what_is_known_of_a_token_and_each_judges_it_by_its_own_rules(
    provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect(
        provider,
        routes={
            "/reading": {"scopes": ["read"]},
            "/writing": {"scopes": ["write"]},
            "/elsewhere": {"audience": ["https://elsewhere.example"]},
            "/somebody": {"claims": [{"claim": "client_id", "equals": "somebody-else"}]},
        },
    )
    token = provider.mint(scope="read")
    for _ in range(2):
        assert await guard.verdict(token, "/reading") == ACCEPTED
        assert await guard.verdict(token, "/writing") == Verdict(403, "insufficient_scope")
        assert await guard.verdict(token, "/elsewhere") == Verdict(401, "token_audience_refused")
        assert await guard.verdict(token, "/somebody") == Verdict(403, "claim_refused")
    assert await guard.introspections() == 1


@over(Can.NAME_AUDIENCES)
async def test_a_token_for_this_api_passes_all_rules_at_once(provider: OidcProvider | Demo, protect: Protect) -> None:
    rules = {"scopes": ["read", "write"], "audience": ["https://other.example", AUDIENCE], "issuer": provider.issuer}
    guard = await protect(provider, **rules)
    assert await guard.verdict(provider.mint(scope="read write", audience=AUDIENCE)) == ACCEPTED


async def test_a_challenge_names_the_scope_that_the_token_lacks(oidc_provider: OidcProvider, protect: Protect) -> None:
    guard = await protect(oidc_provider, scopes=["write"])
    reply = await guard.ask(oidc_provider.mint(scope="read"))
    (challenge,) = reply.header("WWW-Authenticate")
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="write"' in challenge


async def test_a_client_of_the_gateway_is_no_caller_of_the_api(demo: Demo, protect: Protect) -> None:
    guard = await protect(demo)
    credentials = Client(client_id="gateway", client_secret=demo.introspector.client_secret).headers()["Authorization"]
    reply = await guard.send(request("GET", "/orders", f"Authorization: {credentials}"))
    assert verdict_of(reply) == Verdict(401, "credential_missing")
