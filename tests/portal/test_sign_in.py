"""Signing in by OpenID Connect: the way there, the way back, and everything that may be wrong with either."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.clients.store.store import Store
from gateway.settings.portal import Owners
from tests.fakes import FakeClock
from tests.portal.browser import Browser
from tests.portal.fake_provider import CLIENT_ID, KEY, PUBLIC_PEM, FakeProvider, jwk_of
from tests.portal.portals import Portal, provider_at, running, signed_in


async def begin(browser: Browser, to: str = "/who") -> str:
    """Where the provider is to be asked."""
    asked = await browser.get(f"/sign-in?to={to}")
    assert asked.status == 303
    return asked.location


async def end_of(portal: Portal, idp: FakeProvider, **returned: str | None) -> tuple[int, str]:
    """Status and page of a sign-in whose way back is changed so."""
    browser = portal.browser()
    shown = await portal.come_back(browser, idp.sign_in(await begin(browser), **returned))
    assert "tokenward-session" not in browser.cookies or shown.status == 303
    return shown.status, shown.text


async def test_a_person_signs_in_and_is_known(portal: Portal, idp: FakeProvider) -> None:
    browser = await signed_in(portal, idp)
    shown = await browser.get("/who")
    assert "idp:alice-id Alice alice@example.com decides=False" in shown.text


async def test_the_provider_is_asked_with_pkce_state_and_nonce(portal: Portal, idp: FakeProvider) -> None:
    browser = portal.browser()
    url = await begin(browser)
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == f"{portal.origin}/signed-in"
    assert asked["code_challenge_method"] == "S256"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    await portal.come_back(browser, idp.sign_in(url))
    digest = hashlib.sha256(idp.forms[-1]["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]


async def test_nothing_that_proves_the_attempt_is_told_to_the_provider_beforehand(portal: Portal) -> None:
    browser = portal.browser()
    url = await begin(browser)
    assert browser.cookies["tokenward-sign-in"] not in url


async def test_two_attempts_have_nothing_in_common(portal: Portal) -> None:
    first, second = [dict(parse_qsl(urlsplit(await begin(portal.browser())).query)) for _ in range(2)]
    assert all(first[name] != second[name] for name in ("state", "nonce", "code_challenge"))


async def test_who_opened_a_page_comes_back_to_it(portal: Portal, idp: FakeProvider) -> None:
    browser = portal.browser()
    turned_away = await browser.get("/who/7?tab=usage")
    assert turned_away.status == 303
    asked = await browser.get(turned_away.headers["Location"])
    back = await portal.come_back(browser, idp.sign_in(asked.location))
    assert back.headers["Location"] == f"{portal.origin}/who/7?tab=usage"


@pytest.mark.case("C299")
@pytest.mark.parametrize(
    "missing", [("state",), ("code",), ("iss",), ("state", "code"), ("state", "code", "iss")], ids=" ".join
)
async def test_a_way_back_without_a_parameter_is_a_clean_400(
    portal: Portal, idp: FakeProvider, missing: tuple[str, ...]
) -> None:
    status, text = await end_of(portal, idp, **dict.fromkeys(missing))
    assert status == 400
    assert "Sign in again" in text


@pytest.mark.case("C299")
async def test_every_way_back_that_is_tampered_with_gets_the_same_answer(portal: Portal, idp: FakeProvider) -> None:
    answers = {
        await end_of(portal, idp, state=None),
        await end_of(portal, idp, state="x" * 43),
        await end_of(portal, idp, state="\udcff\u2028".encode("utf-8", "surrogatepass").decode("latin-1")),
        await end_of(portal, idp, code="unheard-of"),
        await end_of(portal, idp, iss="https://elsewhere.example"),
    }
    browser = portal.browser()
    url = await begin(browser)
    cookie = browser.cookies["tokenward-sign-in"]
    binding, began_at, to = cookie.split(".")
    for changed in (
        "",
        "x",
        cookie[:-1],
        f"A{cookie[1:]}",
        f"{binding}.{int(began_at) + 1}.{to}",
        f"{binding}.{began_at}.",
    ):
        browser.cookies["tokenward-sign-in"] = changed
        shown = await portal.come_back(browser, idp.sign_in(url))
        answers.add((shown.status, shown.text))
    assert len(answers) == 1
    assert answers.pop()[0] == 400


async def test_a_parameter_that_comes_twice_is_refused(portal: Portal, idp: FakeProvider) -> None:
    browser = portal.browser()
    back = idp.sign_in(await begin(browser))
    assert (await portal.come_back(browser, f"{back}&code=another")).status == 400


async def test_the_way_back_of_one_browser_does_not_sign_another_in(portal: Portal, idp: FakeProvider) -> None:
    attacker, victim = portal.browser(), portal.browser()
    back = idp.sign_in(await begin(attacker))
    await begin(victim)
    assert (await portal.come_back(victim, back)).status == 400
    assert (await portal.come_back(portal.browser(), back)).status == 400
    assert (await portal.come_back(attacker, back)).status == 303


async def test_a_code_is_used_once(portal: Portal, idp: FakeProvider) -> None:
    browser = portal.browser()
    back = idp.sign_in(await begin(browser))
    kept = dict(browser.cookies)
    assert (await portal.come_back(browser, back)).status == 303
    assert (await portal.come_back(browser, back)).status == 400
    browser.cookies = kept
    assert (await portal.come_back(browser, back)).status == 400


async def test_an_attempt_is_used_once_even_when_the_provider_takes_a_code_twice(
    portal: Portal, idp: FakeProvider
) -> None:
    browser = portal.browser()
    back = idp.sign_in(await begin(browser))
    kept, codes = dict(browser.cookies), dict(idp.codes)
    assert (await portal.come_back(browser, back)).status == 303
    browser.cookies, idp.codes = kept, codes
    assert (await portal.come_back(browser, back)).status == 400


async def test_an_attempt_ends_after_ten_minutes(portal: Portal, idp: FakeProvider, clock: FakeClock) -> None:
    early, late = portal.browser(), portal.browser()
    back = [idp.sign_in(await begin(browser)) for browser in (early, late)]
    clock.move(599)
    assert (await portal.come_back(early, back[0])).status == 303
    clock.move(1)
    assert (await portal.come_back(late, back[1])).status == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "of-another-attempt"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": []},
        {"aud": [CLIENT_ID, "another-client"]},
        {"azp": "another-client"},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"exp": None},
        {"iat": None},
        {"iat": True},
        {"exp": "tomorrow"},
        {"events": {}},
    ],
    ids=json.dumps,
)
async def test_an_id_token_with_a_wrong_claim_signs_nobody_in(
    portal: Portal, idp: FakeProvider, wrong: dict[str, Any]
) -> None:
    idp.claims |= wrong
    assert (await end_of(portal, idp))[0] == 400


async def test_an_issuer_is_compared_byte_for_byte(portal: Portal, idp: FakeProvider) -> None:
    idp.claims["iss"] = f"{idp.issuer}/"
    assert (await end_of(portal, idp))[0] == 400


async def test_an_id_token_counts_for_a_minute_more_and_no_longer(
    portal: Portal, idp: FakeProvider, clock: FakeClock
) -> None:
    idp.claims["exp"] = clock.time() - 59
    assert (await end_of(portal, idp))[0] == 303
    idp.claims["exp"] = clock.time() - 60
    assert (await end_of(portal, idp))[0] == 400


@pytest.mark.parametrize(("age", "status"), [(-60, 303), (-61, 400), (660, 303), (661, 400)])
async def test_an_id_token_is_fresh(
    portal: Portal, idp: FakeProvider, clock: FakeClock, age: float, status: int
) -> None:
    idp.claims["iat"] = clock.time() - age
    assert (await end_of(portal, idp))[0] == status


def unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", "none")


def signed_with_the_public_key(claims: dict[str, Any]) -> str:
    # PyJWT refuses to sign so; an attacker's tool does not.
    import hmac

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    signature = hmac.new(PUBLIC_PEM, text.encode(), "sha256").digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def signed_by_another(claims: dict[str, Any]) -> str:
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, another, "RS256", {"kid": "one"})


def signed_by_nobody_known(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEY, "RS256", {"kid": "unheard-of"})


def with_extension(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEY, "RS256", {"kid": "one", "crit": ["exp"], "exp": 1})


def as_access_token(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEY, "RS256", {"kid": "one", "typ": "at+jwt"})


def without_a_signature(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEY, "RS256", {"kid": "one"}).rpartition(".")[0] + "."


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        signed_with_the_public_key,
        signed_by_another,
        signed_by_nobody_known,
        with_extension,
        as_access_token,
        without_a_signature,
        lambda _: "not.a.token",
        lambda _: "x" * 20_000,
    ],
)
async def test_an_id_token_that_is_not_properly_signed_signs_nobody_in(
    portal: Portal, idp: FakeProvider, sign: Any
) -> None:
    idp.sign = sign
    assert (await end_of(portal, idp))[0] == 400


async def test_another_audience_may_be_trusted(idp: FakeProvider, store: Store, clock: FakeClock) -> None:
    idp.claims |= {"aud": [CLIENT_ID, "project"], "azp": CLIENT_ID}
    trusting = {"trusted_audiences": ("project",)}
    async with running(provider_at(idp.issuer), store, clock, sign_in=trusting) as portal:
        assert (await end_of(portal, idp))[0] == 303
        idp.claims |= {"azp": None}
        assert (await end_of(portal, idp))[0] == 400


async def test_a_new_key_of_the_provider_is_fetched(portal: Portal, idp: FakeProvider) -> None:
    await signed_in(portal, idp)
    new = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    idp.keys = [jwk_of(new, "two")]
    idp.sign = lambda claims: jwt.encode(claims, new, "RS256", {"kid": "two"})
    await signed_in(portal, idp)


async def test_invented_key_ids_do_not_become_fetches(portal: Portal, idp: FakeProvider) -> None:
    await signed_in(portal, idp)
    idp.sign = signed_by_nobody_known
    for _ in range(5):
        assert (await end_of(portal, idp))[0] == 400
    assert idp.asked.count("/jwks") == 2


async def test_a_token_without_a_key_id_is_checked_with_the_keys_there_are(portal: Portal, idp: FakeProvider) -> None:
    idp.sign = lambda claims: jwt.encode(claims, KEY, "RS256")
    await signed_in(portal, idp)


async def test_a_refusal_of_the_provider_is_told(portal: Portal, idp: FakeProvider) -> None:
    status, text = await end_of(portal, idp, code=None, error="access_denied", error_description="<b>no</b>")
    assert status == 403
    assert "<b>no" not in text


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
async def test_a_provider_that_cannot_is_503(portal: Portal, idp: FakeProvider, error: str) -> None:
    assert (await end_of(portal, idp, code=None, error=error))[0] == 503


async def test_an_error_with_a_wrong_state_is_not_believed(portal: Portal, idp: FakeProvider) -> None:
    assert (await end_of(portal, idp, code=None, error="access_denied", state="x"))[0] == 400


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (401, {"error": "invalid_client"}),
        (400, {"error": "invalid_client"}),
        (400, {"error": "invalid_request"}),
        (200, {"access_token": "x"}),
        (302, {}),
    ],
    ids=str,
)
async def test_a_provider_that_gives_no_tokens_is_503(
    portal: Portal, idp: FakeProvider, answer: tuple[int, dict[str, Any]]
) -> None:
    idp.token_answer = answer
    assert (await end_of(portal, idp))[0] == 503


async def test_a_provider_that_is_away_is_a_page_with_503(store: Store, clock: FakeClock) -> None:
    async with running(provider_at("http://127.0.0.1:1"), store, clock) as portal:
        shown = await portal.browser().get("/sign-in")
    assert shown.status == 503
    assert "Retry-After" in shown.headers
    assert shown.headers["Content-Type"].startswith("text/html")


async def test_a_provider_that_shows_no_keys_is_503(portal: Portal, idp: FakeProvider) -> None:
    idp.keys = "none"  # type: ignore[assignment]  # what a provider must not say
    assert (await end_of(portal, idp))[0] == 503


async def test_iss_is_checked_where_it_comes_though_nobody_promised_it(portal: Portal, idp: FakeProvider) -> None:
    idp.metadata["authorization_response_iss_parameter_supported"] = None
    assert (await end_of(portal, idp, iss=None))[0] == 303
    assert (await end_of(portal, idp, iss="https://elsewhere.example"))[0] == 400


async def test_userinfo_says_what_the_id_token_leaves_out(portal: Portal, idp: FakeProvider) -> None:
    idp.claims = {"name": "Alice"}
    idp.userinfo = (200, {"sub": "alice-id", "email": "alice@example.com", "name": "Mallory"})
    shown = await (await signed_in(portal, idp)).get("/who")
    assert "alice-id Alice alice@example.com" in shown.text


async def test_userinfo_is_not_asked_for_what_is_known(portal: Portal, idp: FakeProvider) -> None:
    await signed_in(portal, idp)
    assert "/userinfo" not in idp.asked


async def test_userinfo_about_somebody_else_is_not_used(portal: Portal, idp: FakeProvider) -> None:
    idp.claims = {}
    idp.userinfo = (200, {"sub": "mallory-id", "email": "mallory@example.com", "name": "Mallory"})
    shown = await (await signed_in(portal, idp)).get("/who")
    assert "allory" not in shown.text


async def test_userinfo_that_is_down_is_503(portal: Portal, idp: FakeProvider) -> None:
    idp.claims, idp.userinfo = {}, (500, {})
    assert (await end_of(portal, idp))[0] == 503


async def test_owners_are_told_by_a_claim_at_each_sign_in(idp: FakeProvider, store: Store, clock: FakeClock) -> None:
    owners = Owners(claim="groups", any_of=("api-owners", "admins"))
    async with running(provider_at(idp.issuer), store, clock, owners=owners) as portal:
        for groups, decides in ((["staff", "admins"], True), (["staff"], False), ("admins", True), (None, False)):
            idp.claims["groups"] = groups
            browser = await signed_in(portal, idp)
            assert f"decides={decides}" in (await browser.get("/who")).text


async def test_owners_are_told_by_scopes_that_the_provider_names(
    idp: FakeProvider, store: Store, clock: FakeClock
) -> None:
    async with running(provider_at(idp.issuer), store, clock, owners=Owners(scopes=("portal.own",))) as portal:
        assert "portal.own" in dict(parse_qsl(urlsplit(await begin(portal.browser())).query))["scope"]
        for scope, decides in (("openid portal.own", True), ("openid", False), (None, False)):
            idp.scope = scope
            browser = await signed_in(portal, idp)
            assert f"decides={decides}" in (await browser.get("/who")).text


async def test_no_log_line_holds_what_a_sign_in_hides(
    portal: Portal, idp: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    idp.claims["nonce"] = "wrong-nonce-of-the-token"
    browser = portal.browser()
    url = await begin(browser)
    await portal.come_back(browser, idp.sign_in(url, code="secret-code-of-the-provider"))
    await portal.come_back(browser, idp.sign_in(url))
    hidden = ["secret-code-of-the-provider", "wrong-nonce", browser.cookies["tokenward-sign-in"]]
    assert "sign-in at the portal was not finished" in caplog.text
    assert not any(each in caplog.text for each in hidden)
