"""Sessions: their ids, their cookies, how long they live, and what the store gets to see of them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clients.store.store import Store
from gateway.portal.cookies import Cookies
from gateway.settings.portal import Visits
from tests.fakes import FakeClock
from tests.portal.browser import Browser
from tests.portal.fake_provider import FakeProvider
from tests.portal.portals import Portal, provider_at, running, signed_in

COOKIE = "tokenward-session"


async def is_signed_in(browser: Browser) -> bool:
    return (await browser.get("/who")).status == 200


@pytest.mark.case("C299")
async def test_the_id_is_new_at_each_sign_in_and_the_one_before_ends(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    first = browser.cookies[COOKIE]
    # Somebody who is signed in is not sent to the provider: two attempts that began before are both finished.
    one, two = portal.browser(), portal.browser()
    url_one, url_two = [(await each.get("/sign-in")).location for each in (one, two)]
    two.cookies[COOKIE] = first
    await portal.come_back(two, idp.sign_in(url_two))
    assert two.cookies[COOKIE] != first
    assert await is_signed_in(two)
    browser.cookies[COOKIE] = first
    assert not await is_signed_in(browser)
    await portal.come_back(one, idp.sign_in(url_one))
    assert await is_signed_in(two)


@pytest.mark.case("C299")
async def test_an_id_that_somebody_else_chose_never_becomes_a_session(portal: Portal, idp: FakeProvider) -> None:
    chosen = "A" * 43
    victim = portal.browser()
    victim.cookies[COOKIE] = chosen
    await signed_in(portal, idp, victim)
    assert victim.cookies[COOKIE] != chosen
    attacker = portal.browser()
    attacker.cookies[COOKIE] = chosen
    assert not await is_signed_in(attacker)


@pytest.mark.case("C299")
async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(portal: Portal, idp: FakeProvider) -> None:
    browser = portal.browser()
    asked = await browser.get("/sign-in")
    before = browser.set_cookies
    await portal.come_back(browser, idp.sign_in(asked.location))
    assert len(before) == 1
    assert len(browser.set_cookies) == 2
    for line in before + browser.set_cookies:
        assert "HttpOnly" in line
        assert "SameSite=Lax" in line
        assert "Path=/" in line
        assert "Domain" not in line


@pytest.mark.case("C299")
async def test_with_tls_cookies_are_for_this_very_host_and_never_sent_in_the_clear(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    async with running(provider_at(idp.issuer), store, clock, url="https://portal.example") as portal:
        browser = portal.browser()
        asked = await browser.get("/sign-in", Host="portal.example")
        assert asked.returned["redirect_uri"] == "https://portal.example/signed-in"
        (first,) = browser.set_cookies
        back = idp.sign_in(asked.location).removeprefix("https://portal.example")
        assert (await browser.get(back, Host="portal.example")).status == 303
    for line, name in ((first, "__Host-tokenward-sign-in="), (browser.set_cookies[0], "__Host-tokenward-session=")):
        assert line.startswith(name)
        assert "Secure" in line


def test_a_cookie_has_the_prefix_exactly_where_there_is_tls() -> None:
    assert Cookies(secure=True).name("session") == "__Host-tokenward-session"
    assert Cookies(secure=False).name("session") == "tokenward-session"


async def test_the_store_never_sees_the_id_nor_what_the_session_holds_in_the_clear(
    portal: Portal, idp: FakeProvider, tmp_path: Path
) -> None:
    browser = await signed_in(portal, idp)
    sent = browser.cookies[COOKIE]
    kept = await portal.store.session(hashlib.sha256(sent.encode()).digest())
    assert kept is not None
    files = b"".join(path.read_bytes() for path in tmp_path.glob("portal.db*"))
    assert b"alice-id" in files
    assert sent.encode() not in files
    assert b"alice@example.com" not in files


async def test_a_session_ends_a_while_after_the_last_page(idp: FakeProvider, store: Store, clock: FakeClock) -> None:
    visits = Visits(idle=600, lifetime=10_000)
    async with running(provider_at(idp.issuer), store, clock, visits=visits) as portal:
        browser = await signed_in(portal, idp)
        for _ in range(5):
            clock.move(590)
            assert await is_signed_in(browser)
        clock.move(600)
        assert not await is_signed_in(browser)


async def test_a_session_ends_a_while_after_the_sign_in_however_busy_it_is(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    visits = Visits(idle=600, lifetime=1_000)
    async with running(provider_at(idp.issuer), store, clock, visits=visits) as portal:
        browser = await signed_in(portal, idp)
        clock.move(500)
        assert await is_signed_in(browser)
        clock.move(499)
        assert await is_signed_in(browser)
        clock.move(1)
        assert not await is_signed_in(browser)


async def test_a_shorter_life_in_the_configuration_counts_for_sessions_that_there_are(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    async with running(provider_at(idp.issuer), store, clock) as portal:
        cookies = (await signed_in(portal, idp)).cookies
    clock.move(700)
    for lifetime, status in ((1_000.0, 200), (600.0, 303)):
        visits = Visits(lifetime=lifetime)
        async with running(provider_at(idp.issuer), store, clock, visits=visits) as portal:
            browser = portal.browser()
            browser.cookies = dict(cookies)
            assert (await browser.get("/who")).status == status


async def test_a_session_outlives_a_restart(idp: FakeProvider, store: Store, clock: FakeClock) -> None:
    async with running(provider_at(idp.issuer), store, clock) as portal:
        cookies = (await signed_in(portal, idp)).cookies
    async with running(provider_at(idp.issuer), store, clock) as portal:
        browser = portal.browser()
        browser.cookies = cookies
        assert await is_signed_in(browser)


async def test_a_session_of_a_provider_where_nobody_signs_in_any_more_has_ended(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    async with running(provider_at(idp.issuer), store, clock) as portal:
        cookies = (await signed_in(portal, idp)).cookies
    async with running(provider_at(idp.issuer, name="another"), store, clock) as portal:
        browser = portal.browser()
        browser.cookies = cookies
        assert not await is_signed_in(browser)


async def test_signing_in_twice_leads_straight_back(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    for to, location in (("/who", "/who"), ("//evil.example", "/")):
        assert (await browser.get(f"/sign-in?to={to}")).headers["Location"] == location


@pytest.mark.case("C289")
async def test_a_session_that_another_version_kept_is_none(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    digest = hashlib.sha256(browser.cookies[COOKIE].encode()).digest()
    kept = await portal.store.session(digest)
    assert kept is not None
    for contents in (b"", b"{}", b"[]", b'{"name": 7}', kept.contents.replace(b'"csrf"', b'"form"')):
        await portal.store.keep_session(replace(kept, contents=contents))
        assert not await is_signed_in(browser)
    await portal.store.keep_session(kept)
    assert await is_signed_in(browser)
