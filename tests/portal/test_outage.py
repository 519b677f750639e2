"""What the portal does when others fail: 503, and never a sign-in that did not happen."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.clients.store import Session
from gateway.clients.store.store import Store
from gateway.policy import Unavailable
from gateway.providers import KeyTimes
from tests.fakes import FakeClock
from tests.portal.fake_provider import FakeProvider, run_fake_provider
from tests.portal.portals import Portal, provider_at, running, signed_in


@dataclass
class Breakable:
    """A store that is away when it is told to be."""

    store: Store
    is_away: bool = False

    def _look(self) -> Store:
        if self.is_away:
            raise Unavailable("The store is away.", code="store_unavailable")
        return self.store

    async def keep_session(self, session: Session, /) -> None:
        await self._look().keep_session(session)

    async def session(self, digest: bytes, /) -> Session | None:
        return await self._look().session(digest)

    async def end_session(self, digest: bytes, /) -> None:
        await self._look().end_session(digest)

    async def end_sessions_once(
        self, notice: str, until: float, provider: str, /, *, subject: str | None = None, sid: str | None = None
    ) -> int | None:
        return await self._look().end_sessions_once(notice, until, provider, subject=subject, sid=sid)

    async def used_once(self, kind: str, value: str, expires_at: float, /) -> bool:
        return await self._look().used_once(kind, value, expires_at)


@pytest.mark.case("C282")
async def test_without_its_store_every_page_for_somebody_is_503_and_nobody_is_signed_in(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    breakable = Breakable(store)
    async with running(provider_at(idp.issuer), store, clock, keeps=breakable) as portal:
        browser = await signed_in(portal, idp)
        asked = await portal.browser().get("/sign-in")
        newcomer = portal.browser()
        newcomer.cookies = {}
        url = (await newcomer.get("/sign-in")).location
        breakable.is_away = True
        assert asked.status == 303
        assert (await browser.get("/who")).status == 503
        assert (await browser.post("/change", {"csrf": "x"})).status == 503
        assert (await portal.come_back(newcomer, idp.sign_in(url))).status == 503
        assert "tokenward-session" not in newcomer.cookies
        told = await portal.browser().post("/back-channel-logout", {"logout_token": idp.logout_token()})
        assert told.status == 503
        assert (await portal.browser().get("/")).status == 200
        breakable.is_away = False
        assert (await browser.get("/who")).status == 200


async def test_a_logout_that_the_store_could_not_do_is_done_when_the_provider_says_it_again(
    idp: FakeProvider, store: Store, clock: FakeClock, tmp_path: Path
) -> None:
    async with running(provider_at(idp.issuer), store, clock) as portal:
        browser, token = await signed_in(portal, idp), idp.logout_token()
        with closing(sqlite3.connect(tmp_path / "portal.db", isolation_level=None)) as database:
            database.execute("ALTER TABLE sessions RENAME TO away")
            first = await portal.browser().post("/back-channel-logout", {"logout_token": token})
            database.execute("ALTER TABLE away RENAME TO sessions")
        assert first.status == 503
        assert (await portal.browser().post("/back-channel-logout", {"logout_token": token})).status == 200
        assert (await browser.get("/who")).status == 303


async def test_a_store_that_is_away_when_the_portal_opens_does_not_keep_it_shut(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    async with running(provider_at(idp.issuer), store, clock, keeps=Breakable(store, is_away=True)) as portal:
        assert (await portal.browser().get("/")).status == 200


async def test_a_provider_that_goes_away_in_the_middle_is_503_and_others_stay_signed_in(
    store: Store, clock: FakeClock
) -> None:
    async with run_fake_provider(clock) as idp:
        provider = provider_at(idp.issuer)
        serving = running(provider, store, clock)
        portal = await serving.__aenter__()
        browser, newcomer = await signed_in(portal, idp), portal.browser()
        back = idp.sign_in((await newcomer.get("/sign-in")).location)
    try:
        assert (await portal.come_back(newcomer, back)).status == 503
        assert (await browser.get("/who")).status == 200
        assert (await browser.submit("/who", "/sign-out")).status == 200
        assert (await browser.get("/who")).status == 303
    finally:
        await serving.__aexit__(None, None, None)


async def test_keys_are_kept_while_the_provider_does_not_show_them(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    times = KeyTimes(refresh_after=300, max_age=1_000, cool_down=10)
    async with running(provider_at(idp.issuer, keys=times), store, clock) as portal:
        await signed_in(portal, idp)
        kept, idp.keys = idp.keys, "none"  # type: ignore[assignment]  # what a provider must not say
        clock.move(999)
        await signed_in(portal, idp)
        clock.move(1)
        assert await status_of_a_sign_in(portal, idp) == 503
        idp.keys = kept
        clock.move(10)
        assert await status_of_a_sign_in(portal, idp) == 303


async def test_the_provider_is_not_asked_for_its_keys_at_every_turn_while_it_fails(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    async with running(provider_at(idp.issuer), store, clock) as portal:
        await signed_in(portal, idp)
        idp.keys = "none"  # type: ignore[assignment]  # what a provider must not say
        clock.move(400)
        for _ in range(4):
            await signed_in(portal, idp)
        assert idp.asked.count("/jwks") == 2


async def status_of_a_sign_in(portal: Portal, idp: FakeProvider) -> int:
    browser = portal.browser()
    url = (await browser.get("/sign-in")).location
    return (await portal.come_back(browser, idp.sign_in(url))).status
