"""Block E: what is remembered of tokens, and for whom."""

import asyncio
from typing import Any

import pytest

from tests.acceptance.conftest import OpenSite
from tests.acceptance.identity_provider import INTROSPECTION, identity_provider
from tests.acceptance.outcomes import D503, I401, PASSES, S403, Outcome
from tests.acceptance.site import SECRET, SIGNER, SIGNERS, Site, State, enforced
from tests.faulty_server import Verb, html, silent, truncated
from tests.servers import request

ONLY = {"orders": enforced(order="introspect_only")}


def route(path: str, **options: Any) -> dict[str, Any]:
    """A route at that path, with these options of token enforcement."""
    return enforced(**options) | {"path": path}


# --- who asks whom ---


@pytest.mark.case("C146")
async def test_one_token_on_routes_of_two_providers_is_looked_up_twice_and_judged_twice(site_with: OpenSite) -> None:
    site = await site_with({"orders": enforced(), "kept": route("/kept", provider="keeper")})
    token = site.opaque()
    for _ in range(2):
        PASSES.assert_is(await site.bearer(token))
        I401.assert_is(await site.bearer(token, target="/kept"))
    assert site.introspections == 1
    assert len(site.keeper.asked()) == 1


@pytest.mark.case("C149")
async def test_one_issuer_and_two_clients_of_ours_are_two_memories(site_with: OpenSite) -> None:
    async with identity_provider(*SIGNERS) as idp:
        same = {
            "issuer": idp.issuer,
            "endpoints": {"introspection": idp.url(INTROSPECTION), "jwks": idp.url("/keys")},
        }
        one = {**same, "introspection": {"client_id": "one", "client_secret": SECRET}}
        other = {**same, "introspection": {"client_id": "other", "client_secret": SECRET}}
        site = await site_with(
            {"one": route("/one", provider="one"), "other": route("/other", provider="other")},
            more={"one": one, "other": other},
        )
        idp.says["a-token-of-two-clients"] = {"active": True, "token_type": "Bearer"}
        for _ in range(2):
            PASSES.assert_is(await site.bearer("a-token-of-two-clients", target="/one"))
            PASSES.assert_is(await site.bearer("a-token-of-two-clients", target="/other"))
        assert len(idp.asked()) == 2
        assert len({received.header("authorization") for received in idp.asked()}) == 2


@pytest.mark.case("C147")
@pytest.mark.parametrize("lenient_first", [True, False])
async def test_each_route_judges_what_is_remembered_by_its_own_rules(
    site_with: OpenSite, state: State, lenient_first: bool
) -> None:
    routes: dict[str, tuple[dict[str, Any], Outcome]] = {
        "lenient": ({}, PASSES),
        "scope": ({"scopes": ["orders.write"]}, S403),
        "audience": ({"audience": ["https://api"]}, I401),
        "issuer": ({"issuer": "https://other.example.com"}, I401),
        "same": ({"scopes": ["orders.read"]}, PASSES),
    }
    site = await site_with({name: route(f"/{name}", **options) for name, (options, _) in routes.items()})
    token = site.vouched(site.jwt())
    names = list(routes) if lenient_first else list(reversed(routes))
    for name in names:
        reply = await site.in_state(state, f"Authorization: Bearer {token}", target=f"/{name}")
        routes[name][1].assert_is(reply)
    if state is not State.OUTAGE:
        assert site.introspections == 1


# --- for how long ---


@pytest.mark.case("C150")
@pytest.mark.parametrize("order", ["introspect_only", "keys_only"])
async def test_a_remembered_token_is_denied_when_it_expires(site_with: OpenSite, order: str) -> None:
    site = await site_with({"orders": enforced(order=order, leeway=5)})
    exp = site.clock.time() + 30
    token = site.vouched(site.jwt(exp=exp), exp=exp)
    PASSES.assert_is(await site.bearer(token))
    site.clock.move(34.999)
    PASSES.assert_is(await site.bearer(token))
    site.clock.move(0.001)
    I401.assert_is(await site.bearer(token))
    assert site.introspections == (1 if order == "introspect_only" else 0)


@pytest.mark.case("C151")
@pytest.mark.parametrize(("cache", "seconds"), [({}, 60), ({"max_age": 7}, 7), ({"max_age": 300}, 300)])
async def test_a_revoked_token_is_denied_once_its_entry_is_too_old(
    site_with: OpenSite, cache: dict[str, Any], seconds: float
) -> None:
    site = await site_with({"orders": enforced(order="introspect_only", cache=cache)})
    token = site.opaque()
    PASSES.assert_is(await site.bearer(token))
    del site.idp.says[token]
    site.clock.move(seconds * 0.79)
    PASSES.assert_is(await site.bearer(token))
    site.clock.move(seconds * 0.21)
    I401.assert_is(await site.bearer(token))


@pytest.mark.case("C111", "C112")
async def test_a_token_without_an_expiry_is_asked_for_again_within_a_minute(site_with: OpenSite) -> None:
    site = await site_with({"orders": enforced(order="introspect_only", cache={"max_age": 3600})})
    token = site.opaque(exp=None)
    PASSES.assert_is(await site.bearer(token))
    del site.idp.says[token]
    site.clock.move(60)
    I401.assert_is(await site.bearer(token))


@pytest.mark.case("C108")
async def test_a_no_is_remembered_for_its_time_and_no_longer(site_with: OpenSite) -> None:
    site = await site_with({"orders": enforced(order="introspect_only", cache={"negative_age": 10})})
    token = site.secret("a-token-that-becomes-active")
    I401.assert_is(await site.bearer(token))
    site.vouched(token)
    site.clock.move(9.999)
    I401.assert_is(await site.bearer(token))
    site.clock.move(0.001)
    PASSES.assert_is(await site.bearer(token))


@pytest.mark.case("C164")
@pytest.mark.parametrize("options", [{"cache": {"max_age": 0}}, {"freshness": {"GET": 0}}])
async def test_nothing_is_remembered_where_the_maximum_age_is_zero(
    site_with: OpenSite, options: dict[str, Any]
) -> None:
    site = await site_with({"orders": enforced(order="introspect_only", **options)})
    token = site.opaque()
    PASSES.assert_is(await site.bearer(token))
    del site.idp.says[token]
    I401.assert_is(await site.bearer(token))
    site.vouched(token)
    PASSES.assert_is(await site.bearer(token))
    site.idp.fails(INTROSPECTION)
    D503.assert_is(await site.bearer(token))


@pytest.mark.case("C156")
@pytest.mark.parametrize(
    "verb", [html(500), html(200), truncated(b"{"), silent()], ids=["500", "html", "cut", "silent"]
)
async def test_a_failure_is_kept_neither_as_a_yes_nor_as_a_no(site_with: OpenSite, verb: Verb) -> None:
    site = await site_with(ONLY, {"transport": {"timeout": 0.2}, "limits": {"failures": 100}})
    good, bad = site.opaque(), site.secret("a-token-that-nobody-knows")
    site.idp.fails(INTROSPECTION, verb)
    D503.assert_is(await site.bearer(good))
    D503.assert_is(await site.bearer(bad))
    site.idp.recovers()
    PASSES.assert_is(await site.bearer(good))
    I401.assert_is(await site.bearer(bad))


@pytest.mark.case("C279")
@pytest.mark.parametrize(
    ("step", "at_most"), [(3600.0, 60), (-3600.0, 60), (400_000_000.0, 60), (5.0, 60), (-5.0, 65), (-59.0, 119)]
)
async def test_a_clock_that_jumps_breaks_nothing_and_prolongs_what_is_remembered_by_no_more_than_its_step_back(
    site_with: OpenSite, step: float, at_most: float
) -> None:
    site = await site_with(ONLY)
    token = site.opaque(exp=2_400_000_000)
    PASSES.assert_is(await site.bearer(token))
    site.clock.step(step)
    PASSES.assert_is(await site.bearer(token))
    del site.idp.says[token]
    site.clock.move(at_most)
    I401.assert_is(await site.bearer(token))


# --- many at once ---


@pytest.mark.case("C154")
@pytest.mark.parametrize("good", [True, False])
async def test_a_thousand_requests_with_one_new_token_make_one_introspection(site_with: OpenSite, good: bool) -> None:
    site = await site_with(ONLY, limits={"requests_in_flight": None})
    token = site.opaque() if good else site.secret("a-token-that-nobody-knows")
    octets = request("GET", "/orders", f"Authorization: Bearer {token}") * 20

    async def twenty() -> list[int]:
        caller = await site.connect()
        caller.send(octets)
        replies = [site._kept(await caller.reply(timeout=10)) for _ in range(20)]
        caller.close()
        return [reply.status for reply in replies]

    statuses = await asyncio.gather(*(twenty() for _ in range(50)))
    assert {status for each in statuses for status in each} == ({200} if good else {401})
    assert site.introspections == 1


@pytest.mark.case("C152")
async def test_a_memory_that_is_full_keeps_what_is_in_use(site_with: OpenSite) -> None:
    site = await site_with(ONLY, {"limits": {"verified_tokens": 20, "rejected_tokens": 5}})
    hot = [site.opaque(f"hot-token-{index}-of-this-site") for index in range(10)]
    for token in hot:
        PASSES.assert_is(await site.bearer(token))
    for index in range(100):
        await site.bearer(f"invented-{index}")
        PASSES.assert_is(await site.bearer(site.opaque(f"cold-token-{index}-of-this-site")))
        if index % 5 == 0:
            for token in hot:
                PASSES.assert_is(await site.bearer(token))
    assert await site.metric("token_cache_entries", provider="idp") <= 25
    asked = [received.form["token"] for received in site.idp.asked()]
    assert [asked.count(token) for token in hot] == [1] * 10


# --- a reload ---


@pytest.mark.case("C162", "C272")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scopes": ["orders.write"]}, S403),
        ({"audience": ["https://api"]}, I401),
        ({"issuer": "https://other.example.com"}, I401),
        ({"claims": [{"claim": "client_id", "equals": "another"}]}, Outcome("F403", 403)),
        ({}, PASSES),
    ],
)
async def test_what_was_remembered_before_a_reload_is_judged_by_the_rules_after_it(
    site: Site, options: dict[str, Any], expected: Outcome
) -> None:
    token = site.opaque()
    PASSES.assert_is(await site.bearer(token))
    await site.reconfigure({"orders": enforced(**options)})
    expected.assert_is(await site.bearer(token))
    assert site.introspections == 1


@pytest.mark.case("C149", "C162")
async def test_a_reload_that_changes_our_client_forgets_what_the_other_one_was_told(site: Site) -> None:
    token = site.opaque()
    PASSES.assert_is(await site.bearer(token))
    await site.reconfigure({"orders": enforced()}, introspection={"client_id": "another", "client_secret": SECRET})
    PASSES.assert_is(await site.bearer(token))
    assert site.introspections == 2


# --- what can be read from it ---


@pytest.mark.case("C159")
@pytest.mark.parametrize("token", ["%s%s%n", "*3\\r\\n$3\\r\\nSET", "a'--", "${jndi:x}"])
async def test_text_that_a_store_could_take_for_a_command_is_never_stored(site: Site, token: str) -> None:
    assert (await site.bearer(token)).status == 400
    assert site.introspections == 0


@pytest.mark.case("C160", "C307")
async def test_neither_a_token_nor_our_secret_shows_in_any_page_of_the_admin(site: Site) -> None:
    token = site.vouched(site.jwt())
    PASSES.assert_is(await site.bearer(token))
    I401.assert_is(await site.bearer(site.jwt(SIGNER, jti="unknown")))
    reader, writer = await asyncio.open_connection(*site.serving.admin_addresses[0])
    for page in ("/metrics", "/routes", "/readyz", "/livez", "/config", "/tokens", "/"):
        writer.write(f"GET {page} HTTP/1.1\r\nHost: {site.serving.admin_addresses[0][0]}\r\n\r\n".encode())
    writer.write(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    shown = (await reader.read()).decode()
    writer.close()
    assert shown.count("HTTP/1.1 ") == 8
    for secret in site.secrets:
        assert secret not in shown
        assert secret[-12:] not in shown


@pytest.mark.case("C165")
async def test_an_answer_of_the_upstream_is_never_kept(site: Site) -> None:
    token = site.opaque()
    site.upstream.plays(
        b'HTTP/1.1 200 OK\r\nCache-Control: public, max-age=600\r\nETag: "1"\r\nContent-Length: 5\r\n\r\nfirst',
        b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=600\r\nContent-Length: 6\r\n\r\nsecond",
    )
    assert (await site.bearer(token)).body == b"first"
    assert (await site.bearer(token)).body == b"second"
    I401.assert_is(await site.bearer(site.secret("a-token-that-nobody-knows")))
