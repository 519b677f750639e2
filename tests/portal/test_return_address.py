"""Where people go after they signed in."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.clients.store.store import Store
from gateway.portal import attempt
from gateway.portal.return_address import HOME, LONGEST, return_address
from gateway.settings.portal import Rates
from tests.fakes import NOON, FakeClock
from tests.portal.fake_provider import FakeProvider
from tests.portal.portals import provider_at, running
from tests.rfc.vectors import folder


def payloads() -> list[str]:
    lines = Path(folder(), "open-redirect", "payloads.txt").read_bytes().decode("utf-8", "surrogateescape").split("\n")
    found = [line for line in lines if line]
    assert len(found) > 400
    return found


@pytest.mark.parametrize(
    "path", ["/", "/applications", "/applications/9f-3_A", "/requests?state=requested&after=12", "/?q=a+b"]
)
def test_a_page_of_ours_is_gone_to(path: str) -> None:
    assert return_address(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "applications",
        "//evil.example",
        "/\\evil.example",
        "/\tevil",
        "/a\n",
        "/a\r\nSet-Cookie:x",
        "https://evil.example/",
        "/.evil.example",
        "/a/../b",
        "/a/",
        "/a//b",
        "/%2fevil.example",
        "/?to=//evil.example",
        "/\u2044evil.example",
        "/\uff0fevil",
        "/a#b",
        "/a@b",
        f"/{'a' * LONGEST}",
    ],
)
def test_anything_else_leads_home(path: str) -> None:
    assert return_address(path) == HOME


@pytest.mark.case("C299")
def test_no_published_payload_is_a_page_of_ours() -> None:
    for payload in payloads():
        assert return_address(payload) == HOME, payload
        assert return_address(payload.strip()) == HOME, payload


@pytest.mark.case("C299")
async def test_no_published_payload_leads_elsewhere_after_the_sign_in(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    rates = Rates(sign_ins=10_000, requests=10_000)
    async with running(provider_at(idp.issuer), store, clock, rates=rates) as portal:
        for number, payload in enumerate(payloads()):
            browser = portal.browser()
            asked = await browser.get(f"/sign-in?to={quote(payload.encode('utf-8', 'surrogateescape'), safe='')}")
            begun = attempt.resume(browser.cookies["tokenward-sign-in"], clock.time())
            assert begun is not None
            assert begun.return_address == HOME
            if number % 20 == 0:
                back = await portal.come_back(browser, idp.sign_in(asked.location))
                assert back.headers["Location"] == f"{portal.origin}/"


@pytest.mark.case("C299")
def test_an_address_in_a_forged_cookie_leads_home() -> None:
    begun = attempt.begin("/who", NOON)
    binding, began_at, _ = begun.cookie.split(".")
    for payload in payloads():
        encoded = quote_base64url(payload)
        forged = attempt.resume(f"{binding}.{began_at}.{encoded}", NOON)
        if forged is not None:
            assert forged.return_address == HOME
            assert not forged.is_for(begun.state)


def quote_base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogateescape")).rstrip(b"=").decode()
