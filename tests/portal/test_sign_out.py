"""Signing out: here, at the provider, and because the provider says so."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.clients.store.store import Store
from tests.fakes import FakeClock
from tests.portal.browser import Browser, Shown
from tests.portal.fake_provider import CLIENT_ID, FakeProvider
from tests.portal.portals import Portal, provider_at, running, signed_in


async def is_signed_in(browser: Browser) -> bool:
    return (await browser.get("/who")).status == 200


async def tell(portal: Portal, token: str) -> Shown:
    """What the provider is answered when it sends a logout token."""
    return await portal.browser().post(
        "/back-channel-logout", {"logout_token": token}, Origin="", **{"Sec-Fetch-Site": ""}
    )


async def test_who_signs_out_is_out_whatever_cookie_is_kept(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    kept = dict(browser.cookies)
    shown = await browser.submit("/who", "/sign-out")
    assert shown.status == 200
    assert "tokenward-session" not in browser.cookies
    browser.cookies = kept
    assert not await is_signed_in(browser)


async def test_signing_out_leads_on_to_the_provider(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    shown = await browser.submit("/who", "/sign-out")
    url = shown.headers["Refresh"].removeprefix("0; url=")
    assert url.startswith(f"{idp.issuer}/end-session?")
    told = dict(parse_qsl(urlsplit(url).query))
    assert told["post_logout_redirect_uri"] == f"{portal.origin}/signed-out"
    assert told["client_id"] == CLIENT_ID
    assert told["id_token_hint"].count(".") == 2
    assert (await browser.get("/signed-out")).status == 200


async def test_signing_out_ends_here_where_the_provider_has_no_such_place(portal: Portal, idp: FakeProvider) -> None:
    idp.metadata["end_session_endpoint"] = None
    browser = await signed_in(portal, idp)
    shown = await browser.submit("/who", "/sign-out")
    assert shown.status == 200
    assert "Refresh" not in shown.headers


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://far.example/", "/relative", 7])
async def test_a_place_to_sign_out_that_is_no_url_is_none(
    idp: FakeProvider, store: Store, clock: FakeClock, url: object
) -> None:
    idp.metadata["end_session_endpoint"] = url
    async with running(provider_at(idp.issuer), store, clock) as portal:
        browser = await signed_in(portal, idp)
        assert "Refresh" not in (await browser.submit("/who", "/sign-out")).headers


@pytest.mark.case("C299")
async def test_no_other_site_signs_anybody_out(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    assert (await browser.get("/sign-out")).status == 405
    assert (await browser.post("/sign-out", {})).status == 400
    assert await is_signed_in(browser)


async def test_a_session_that_was_seen_while_it_ended_does_not_come_back(
    portal: Portal, idp: FakeProvider, clock: FakeClock
) -> None:
    browser = await signed_in(portal, idp)
    kept = dict(browser.cookies)
    token = (await browser.get("/who")).csrf
    clock.move(120)
    seeing = [browser.get("/who") for _ in range(4)]
    await asyncio.gather(*seeing, browser.post("/sign-out", {"csrf": token}), *[browser.get("/who") for _ in range(4)])
    browser.cookies = kept
    assert not await is_signed_in(browser)


# The provider says so


async def test_the_provider_ends_the_session_that_it_names(portal: Portal, idp: FakeProvider) -> None:
    browsers = {}
    for sid in ("first", "second"):
        idp.claims["sid"] = sid
        browsers[sid] = await signed_in(portal, idp)
    assert (await tell(portal, idp.logout_token(sid="first"))).status == 200
    assert not await is_signed_in(browsers["first"])
    assert await is_signed_in(browsers["second"])


async def test_the_provider_ends_all_sessions_of_a_person(portal: Portal, idp: FakeProvider) -> None:
    one, two = await signed_in(portal, idp), await signed_in(portal, idp)
    idp.claims["sub"] = "bob-id"
    other = await signed_in(portal, idp)
    assert (await tell(portal, idp.logout_token())).status == 200
    assert not await is_signed_in(one)
    assert not await is_signed_in(two)
    assert await is_signed_in(other)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iat": None},
        {"jti": None},
        {"jti": ""},
        {"exp": None},
        {"iss": "https://elsewhere.example"},
        {"aud": "another-client"},
        {"aud": None},
        {"events": None},
        {"events": {}},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
        {"events": []},
        {"nonce": "n"},
        {"sub": None},
        {"sub": 7},
    ],
    ids=str,
)
async def test_a_logout_token_with_a_wrong_claim_ends_nothing(
    portal: Portal, idp: FakeProvider, wrong: dict[str, Any]
) -> None:
    browser = await signed_in(portal, idp)
    refused = await tell(portal, idp.logout_token(**wrong))
    assert refused.status == 400
    assert refused.headers["Cache-Control"] == "no-store"
    assert await is_signed_in(browser)


async def test_an_old_logout_token_ends_nothing(portal: Portal, idp: FakeProvider, clock: FakeClock) -> None:
    browser = await signed_in(portal, idp)
    now = clock.time()
    assert (await tell(portal, idp.logout_token(exp=now - 60))).status == 400
    assert (await tell(portal, idp.logout_token(iat=now - 661))).status == 400
    assert await is_signed_in(browser)


async def test_a_logout_token_counts_once(portal: Portal, idp: FakeProvider) -> None:
    await signed_in(portal, idp)
    token = idp.logout_token()
    assert (await tell(portal, token)).status == 200
    later = await signed_in(portal, idp)
    assert (await tell(portal, token)).status == 400
    assert await is_signed_in(later)


async def test_a_logout_token_is_refused_for_as_long_as_it_could_count(
    portal: Portal, idp: FakeProvider, clock: FakeClock
) -> None:
    now = clock.time()
    token = idp.logout_token(iat=now + 60, exp=now + 100_000)
    assert (await tell(portal, token)).status == 200
    clock.move(719)
    await portal.store.sweep(clock.time())
    later = await signed_in(portal, idp)
    assert (await tell(portal, token)).status == 400
    clock.move(2)
    await portal.store.sweep(clock.time())
    assert (await tell(portal, token)).status == 400
    assert await is_signed_in(later)


async def test_an_id_token_is_no_logout_token(portal: Portal, idp: FakeProvider) -> None:
    browser = portal.browser()
    asked = await browser.get("/sign-in")
    token = idp.signed(idp.id_claims(asked.returned))
    assert (await tell(portal, token)).status == 400


@pytest.mark.parametrize("form", [{}, {"logout_token": ""}, {"logout_token": "x"}, {"logout_token": "a.b.c"}], ids=str)
async def test_what_is_no_logout_token_is_refused(portal: Portal, form: dict[str, str]) -> None:
    assert (await portal.browser().post("/back-channel-logout", form)).status == 400


async def test_many_logouts_are_heard_from_one_provider(portal: Portal, idp: FakeProvider) -> None:
    statuses = {(await tell(portal, idp.logout_token())).status for _ in range(70)}
    assert statuses == {200}
