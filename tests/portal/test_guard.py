"""What holds for every page: who may open it, where forms come from, how often, and what answers carry."""

import asyncio
import re
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.clients.store.store import Store
from gateway.fetch import open_fetch
from gateway.portal import opening
from gateway.portal.answer_headers import answer_headers
from gateway.portal.opening import composed
from gateway.portal.pages.site import PAGES
from gateway.portal.reception import BACK_CHANNEL
from gateway.portal.visits import Page, Visit
from gateway.settings.portal import Rates
from tests.fakes import FakeClock
from tests.gateways import until
from tests.portal.browser import Shown
from tests.portal.fake_provider import FakeProvider
from tests.portal.portals import Portal, parts_of, provider_at, running, signed_in

PUBLIC = {"/", "/apis/{api}", "/apis/{api}/openapi", "/sign-in", "/signed-in", "/signed-out"}
"""What may be shown to whoever comes. Whoever adds such a page adds it here, too."""


# Who may open a page


@pytest.mark.case("C290")
async def test_every_page_but_the_public_ones_turns_strangers_away(portal: Portal, idp: FakeProvider) -> None:
    async with composed(
        parts_of(portal.options, portal.clock, portal.store),
        PAGES,
        provider=provider_at(idp.issuer),
        store=portal.store,
        open_fetch=open_fetch,
    ) as app:
        routes = [(route.method, route.resource.canonical) for route in app.router.routes() if route.resource]
    assert len(routes) > 20
    async with running(provider_at(idp.issuer), portal.store, portal.clock, own_pages=PAGES) as whole:
        for method, canonical in routes:
            shown = await probe(whole, method, re.sub(r"\{\w+\}", "x", canonical.replace("{verb}", "approve")))
            if canonical.startswith("/static/") or (canonical in PUBLIC and method != "POST"):
                continue
            if canonical == BACK_CHANNEL:
                assert shown.status == 400
            elif method == "POST":
                assert shown.status == 403, canonical
            else:
                assert shown.status == 303, canonical
                assert shown.headers["Location"].startswith("/sign-in?to=")


async def probe(portal: Portal, method: str, path: str) -> Shown:
    browser = portal.browser()
    return await (browser.post(path, {"csrf": "x"}) if method == "POST" else browser.send(method, path, {}))


@pytest.mark.case("C290")
def test_no_page_that_changes_something_can_be_public() -> None:
    async def handler(_: Visit) -> None: ...

    with pytest.raises(ValueError, match="not for everybody"):
        Page("POST", "/change", handler, public=True)  # type: ignore[arg-type]  # it is not called


async def test_an_invented_session_is_none(portal: Portal) -> None:
    browser = portal.browser()
    for invented in ("A" * 43, "x", "A" * 44, "'; drop table sessions", "../../etc/passwd"):
        browser.cookies["tokenward-session"] = invented
        assert (await browser.get("/who")).status == 303


# Where forms come from


@pytest.mark.case("C299")
async def test_a_form_of_ours_is_taken(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    shown = await browser.submit("/who", "/change")
    assert (shown.status, portal.changes.made) == (303, 1)


@pytest.mark.case("C299")
async def test_a_form_without_the_token_of_this_session_changes_nothing(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    another = (await (await signed_in(portal, idp)).get("/who")).csrf
    own = (await browser.get("/who")).csrf
    wrong = [{}, {"csrf": ""}, {"csrf": "x"}, {"csrf": another}, {"csrf": own[:-4]}, {"csrf": f"{own}AAAA"}]
    for form in [*wrong, {"csrf": "é"}, {"CSRF": own}]:
        assert (await browser.post("/change", form)).status == 400
    assert portal.changes.made == 0


@pytest.mark.case("C299")
async def test_the_token_in_a_query_does_not_count(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    token = (await browser.get("/who")).csrf
    assert (await browser.post(f"/change?csrf={token}", {})).status == 400


@pytest.mark.case("C299")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec_Fetch_Site": ""},
        {"Origin": "null", "Sec_Fetch_Site": ""},
        {"Origin": "", "Sec_Fetch_Site": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": "same-origin"},
    ],
    ids=str,
)
async def test_a_form_of_another_site_changes_nothing_though_it_has_the_token(
    portal: Portal, idp: FakeProvider, headers: dict[str, str]
) -> None:
    browser = await signed_in(portal, idp)
    token = (await browser.get("/who")).csrf
    plain = {"Sec-Fetch-Site": headers.get("Sec_Fetch_Site", "same-origin")} | {
        name: value for name, value in headers.items() if name == "Origin"
    }
    assert (await browser.post("/change", {"csrf": token}, **plain)).status == 400
    assert portal.changes.made == 0


@pytest.mark.parametrize("headers", [{"Origin": ""}, {"Sec-Fetch-Site": ""}], ids=str)
async def test_a_browser_that_sends_one_of_the_two_headers_is_served(
    portal: Portal, idp: FakeProvider, headers: dict[str, str]
) -> None:
    browser = await signed_in(portal, idp)
    token = (await browser.get("/who")).csrf
    assert (await browser.post("/change", {"csrf": token}, **headers)).status == 303


@pytest.mark.parametrize("media_type", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
async def test_a_form_in_another_media_type_changes_nothing(portal: Portal, idp: FakeProvider, media_type: str) -> None:
    browser = await signed_in(portal, idp)
    token = (await browser.get("/who")).csrf
    assert (await browser.post("/change", {"csrf": token}, **{"Content-Type": media_type})).status == 400


async def test_each_page_has_another_token_and_all_of_them_count(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    tokens = {(await browser.get("/who")).csrf for _ in range(3)}
    assert len(tokens) == 3
    for token in tokens:
        assert (await browser.post("/change", {"csrf": token})).status == 303


async def test_reading_never_changes(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    assert (await browser.get("/change")).status == 405
    assert portal.changes.made == 0


# What answers carry


@pytest.mark.case("C299")
@pytest.mark.parametrize("path", ["/", "/who", "/nowhere", "/sign-in", "/signed-in", "/broken", "/unavailable"])
async def test_every_answer_tells_browsers_to_allow_little(portal: Portal, path: str) -> None:
    headers = (await portal.browser().get(path)).headers
    content = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert content["default-src"] == content["script-src"] == content["frame-ancestors"] == "'none'"
    assert content["form-action"] == "'self'"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_tls_is_insisted_on_where_there_is_tls() -> None:
    assert "Strict-Transport-Security" in dict(answer_headers("https://portal.example"))
    assert "Strict-Transport-Security" not in dict(answer_headers("http://127.0.0.1:8080"))


async def test_static_files_are_served_from_a_table(portal: Portal) -> None:
    browser = portal.browser()
    home = await browser.get("/nowhere")
    path = re.findall(r'href="(/static/[^"]+\.css)"', home.text)[0]
    style = await browser.get(path)
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "immutable" in style.headers["Cache-Control"]
    for other in (
        "/static/",
        "/static/portal.css",
        "/static/../web.py",
        "/static/%2e%2e/web.py",
        "/static//etc/passwd",
    ):
        assert (await browser.get(other)).status == 404


# Host, size, time


async def test_only_the_host_of_the_url_is_answered(portal: Portal) -> None:
    browser = portal.browser()
    for host in ("evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", f"{urlsplit(portal.origin).netloc}."):
        assert (await browser.get("/", Host=host)).status == 421
    assert (await browser.get("/", X_Forwarded_Host="evil.example")).status == 200


async def test_a_form_that_is_too_large_is_413(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    shown = await browser.post("/change", {"csrf": "x" * 70_000})
    assert shown.status == 413
    assert "<h1>" in shown.text


async def test_an_address_that_is_too_long_is_414(portal: Portal) -> None:
    assert (await portal.browser().get(f"/?q={'x' * 5_000}")).status == 414


async def test_a_page_that_takes_too_long_is_503(idp: FakeProvider, store: Store, clock: FakeClock) -> None:
    async def wait(_: Visit) -> None:
        await asyncio.Event().wait()

    waits = (Page("GET", "/", wait, public=True),)  # type: ignore[arg-type]  # it never answers
    async with running(provider_at(idp.issuer), store, clock, own_pages=waits, timeout=0.05) as portal:
        shown = await portal.browser().get("/")
    assert shown.status == 503
    assert "Retry-After" in shown.headers


# How it says no


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/nothing", 404, "There is no such application."),
        ("/conflict", 409, "It stands &lt;b&gt;otherwise&lt;/b&gt;."),
        ("/too-many", 429, "That was too much."),
        ("/nowhere", 404, "There is no such page."),
    ],
)
async def test_a_refusal_is_a_page_with_its_status_and_sentence(
    portal: Portal, path: str, status: int, sentence: str
) -> None:
    shown = await portal.browser().get(path)
    assert shown.status == status
    assert sentence in shown.text


async def test_what_is_not_available_is_503_and_says_when_to_come_back(portal: Portal) -> None:
    shown = await portal.browser().get("/unavailable")
    assert (shown.status, shown.headers["Retry-After"]) == (503, "7")
    assert "database" not in shown.text


async def test_a_failure_tells_nothing_of_its_cause(portal: Portal) -> None:
    shown = await portal.browser().get("/broken")
    assert shown.status == 500
    assert "secret-of-the-inside" not in shown.text


async def test_an_error_page_knows_who_is_signed_in(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    assert "Alice" in (await browser.get("/nothing")).text


# How often


@pytest.mark.case("C302")
async def test_changes_are_limited_per_session(idp: FakeProvider, store: Store, clock: FakeClock) -> None:
    async with running(provider_at(idp.issuer), store, clock, rates=Rates(changes=3)) as portal:
        browser = await signed_in(portal, idp)
        token = (await browser.get("/who")).csrf
        statuses = [(await browser.post("/change", {"csrf": token})).status for _ in range(4)]
        assert statuses == [303, 303, 303, 429]
        another = await signed_in(portal, idp)
        assert (await another.submit("/who", "/change")).status == 303
        clock.move(61)
        assert (await browser.post("/change", {"csrf": token})).status == 303


@pytest.mark.case("C302")
async def test_changes_are_limited_per_address_whoever_sends_them(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    async with running(provider_at(idp.issuer), store, clock, rates=Rates(changes=2)) as portal:
        statuses = [(await portal.browser().post("/change", {})).status for _ in range(6)]
    assert statuses == [403, 403, 403, 403, 429, 429]


@pytest.mark.case("C302")
async def test_sign_ins_are_limited_per_address_and_told_when_to_come_back(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    async with running(provider_at(idp.issuer), store, clock, rates=Rates(sign_ins=2)) as portal:
        statuses = [(await portal.browser().get("/sign-in")).status for _ in range(2)]
        clock.move(20)
        refused = await portal.browser().get("/sign-in")
        assert (statuses, refused.status) == ([303, 303], 429)
        assert refused.headers["Retry-After"] == "40"
        assert (await portal.browser().get("/")).status == 200
        clock.move(int(refused.headers["Retry-After"]))
        assert (await portal.browser().get("/sign-in")).status == 303


@pytest.mark.case("C302")
async def test_requests_are_limited_per_address_and_forwarded_addresses_count_from_trusted_proxies_only(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    rates = Rates(requests=2)
    async with running(provider_at(idp.issuer), store, clock, rates=rates) as portal:
        statuses = [(await portal.browser().get("/", X_Forwarded_For=f"192.0.2.{n}")).status for n in range(3)]
        assert statuses == [200, 200, 429]
    async with running(provider_at(idp.issuer), store, clock, rates=rates, trusted_proxies=("127.0.0.0/8",)) as portal:
        statuses = [(await portal.browser().get("/", X_Forwarded_For=f"192.0.2.{n}")).status for n in range(3)]
        assert statuses == [200, 200, 200]
        six = [(await portal.browser().get("/", X_Forwarded_For=f"2001:db8::{n}")).status for n in range(3)]
        assert six == [200, 200, 429]


async def test_visitors_take_no_more_descriptors_than_they_may(
    idp: FakeProvider, store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MOST_CONNECTIONS", 3)
    async with running(provider_at(idp.issuer), store, clock) as portal:
        port = urlsplit(portal.origin).port
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        # Answers show that the portal has accepted them all.
        for reader, writer in idle:
            writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        idle[0][1].close()
        await idle[0][1].wait_closed()

        async def is_let_in() -> bool:
            try:
                return (await portal.browser().get("/")).status == 200
            except aiohttp.ClientError:
                return False

        await until(is_let_in)
        for _, writer in idle[1:]:
            writer.close()


async def test_who_says_nothing_does_not_stay(
    idp: FakeProvider, store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "KEEP_ALIVE", 0.2)
    async with running(provider_at(idp.issuer), store, clock) as portal:
        for said in (b"", b"GET / HTTP/1.1\r\nHos"):
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(portal.origin).port)
            writer.write(said)
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            writer.close()
