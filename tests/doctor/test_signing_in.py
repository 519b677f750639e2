"""Somebody signs in with a browser: who that is, and what it makes of them."""

import asyncio
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from gateway.clock import SystemClock
from gateway.demo.identity_provider import run_identity_provider
from gateway.doctor import Report, as_text
from gateway.doctor.signing_in import Visitor, examine_signing_in
from tests.doctor.examining import found
from tests.doctor.registering import not_well
from tests.doctor.signing import BY_A_PERSON, PORTAL_SECRET, Authorizing, authorizing, configured, signed_in
from tests.idp.oidc_provider import OidcProvider
from tests.idp.processes import free_port
from tests.idp.sign_in import Browser

ANYWHERE = ("https://developers.example.com/", "http://127.0.0.1:")


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as browser, browser.get(url) as answer:
        return answer.status, await answer.text()


async def report_on(provider: Authorizing, returned: dict[str, str | None] | None = None, **portal: Any) -> Report:
    """What the doctor says when somebody opens its URL and comes back; `returned` stands in place of parameters."""

    def opens(url: str) -> Any:
        return asyncio.ensure_future(get(provider.sign_in(url, **(returned or {}))))

    return await signed_in(configured(provider.issuer, **portal), provider.clock, opens)


async def test_a_person_signs_in_and_is_an_owner() -> None:
    claims = {"name": "Ada", "email": "ada@example.com", "groups": ["staff", "api-owners"], "sid": "s-1"}
    async with authorizing(taken=ANYWHERE, claims=claims) as provider:
        report = await report_on(provider)
    assert not_well(report, BY_A_PERSON) == []
    assert found(report, "signed in", BY_A_PERSON)[1] == (
        "alice-id signed in (Ada, ada@example.com): the ID token is believed."
    )
    assert "groups" in found(report, "claims", BY_A_PERSON)[1]
    assert found(report, "owner", BY_A_PERSON)[1] == ("That makes an owner of APIs, since groups is one of api-owners.")
    assert found(report, "session", BY_A_PERSON)[1].startswith("It has a sid")


@pytest.mark.parametrize(("groups", "held"), [(["staff"], "staff"), (None, "not said"), ("guests", "guests")])
async def test_a_person_who_is_no_owner_is_told_why(groups: object, held: str) -> None:
    async with authorizing(taken=ANYWHERE, claims={"groups": groups}) as provider:
        report = await report_on(provider)
    assert found(report, "owner", BY_A_PERSON)[1].endswith(f"groups is one of api-owners; groups is {held}.")


async def test_scopes_may_make_an_owner() -> None:
    async with authorizing(taken=ANYWHERE, scope="openid own") as provider:
        report = await report_on(provider, owners={"scopes": ["own"]})
    assert found(report, "owner", BY_A_PERSON)[1].endswith("since the scopes own are granted.")


async def test_no_secret_of_a_sign_in_is_told() -> None:
    async with authorizing(taken=ANYWHERE) as provider:
        report = await report_on(provider)
        codes = [form["code"] for form in provider.forms] + [form["code_verifier"] for form in provider.forms]
    told = as_text(report) + repr(report)
    assert [secret for secret in (PORTAL_SECRET, *codes) if secret in told] == []


@pytest.mark.parametrize(
    ("claims", "doubt", "advice"),
    [
        ({"aud": ["portal", "other"], "azp": "portal"}, "audience", "Write portal.sign_in.trusted_audiences"),
        ({"iss": "https://other.example"}, "issuer", "Write the issuer that ID tokens name."),
        ({"nonce": "another"}, "nonce", "Look at the provider"),
        ({"exp": 0}, "expired", "Set both clocks by NTP."),
    ],
)
async def test_an_id_token_that_is_not_believed(claims: dict[str, Any], doubt: str, advice: str) -> None:
    async with authorizing(taken=ANYWHERE, claims=claims) as provider:
        report = await report_on(provider)
    result, seen, what = found(report, "signed in", BY_A_PERSON)
    assert (result, seen) == ("failure", f"What the provider says is not believed ({doubt}).")
    assert what.startswith(advice)


async def test_a_way_back_that_another_provider_answers() -> None:
    async with authorizing(taken=ANYWHERE) as provider:
        report = await report_on(provider, {"iss": "https://mallory.example"})
    assert "(answerer)" in found(report, "signed in", BY_A_PERSON)[1]


async def test_a_person_whom_the_provider_turns_away() -> None:
    async with authorizing(taken=ANYWHERE) as provider:
        report = await report_on(provider, {"code": None, "error": "access_denied"})
    assert found(report, "signed in", BY_A_PERSON)[1] == "The provider signed nobody in; it said access_denied."


async def test_a_token_endpoint_that_gives_no_tokens() -> None:
    async with authorizing(taken=ANYWHERE, token_answer=(401, {"error": "invalid_client"})) as provider:
        report = await report_on(provider)
    assert found(report, "signed in", BY_A_PERSON)[1] == (
        "The sign-in broke off: The identity provider gives no tokens (provider_tokens)."
    )


async def test_who_knocks_without_the_state_changes_nothing() -> None:
    knocks: list[tuple[int, str]] = []
    async with authorizing(taken=ANYWHERE) as provider:

        async def knock_and_come_back(url: str) -> None:
            back = provider.sign_in(url)
            knocks.append(await get(back.partition("?")[0] + "?code=stolen&state=guessed"))
            knocks.append(await get(back))

        report = await signed_in(
            configured(provider.issuer), provider.clock, lambda url: asyncio.ensure_future(knock_and_come_back(url))
        )
    assert [status for status, _ in knocks] == [400, 200]
    assert found(report, "signed in", BY_A_PERSON)[0] == "ok"
    assert len([form for form in provider.forms if form["code"] == "stolen"]) == 0


async def test_a_provider_that_takes_no_address_of_this_machine_is_told_which_to_register() -> None:
    async with authorizing() as provider:
        report = await report_on(provider)
        assert provider.codes == {}
    assert not_well(report, BY_A_PERSON) == [("redirect URI", "failure"), ("signed in", "failure")]
    assert found(report, "signed in", BY_A_PERSON)[2] == (
        "At the provider, register http://127.0.0.1:8400/signed-in as another redirect URI of our client for the time "
        "being, and call `tokenward doctor --sign-in --port 8400`."
    )


async def test_a_port_that_is_taken() -> None:
    from gateway.demo.listening import bind

    async with authorizing(taken=ANYWHERE) as provider:
        with closing(bind("127.0.0.1", 0)) as taken:
            report = await signed_in(configured(provider.issuer), provider.clock, None, port=taken.getsockname()[1])
    assert found(report, "signed in", BY_A_PERSON) == (
        "failure",
        "Nobody can wait for the browser: address already in use.",
        "Name another --port.",
    )


async def test_nobody_is_waited_for_for_ever() -> None:
    async with authorizing(taken=ANYWHERE) as provider:
        configuration = configured(provider.issuer)
        assert configuration.portal is not None
        visitor = Visitor(say=lambda _: None, patience=0.05)
        examined = await examine_signing_in(
            configuration.portal, configuration.provider("idp"), provider.clock, visitor
        )
    (finding,) = examined.findings
    assert finding.seen == "Nobody came back within 0.05 s."


# At real providers


async def test_somebody_signs_in_at_oidc_provider_which_lets_browsers_come_back_to_any_port(
    oidc_provider: OidcProvider,
) -> None:
    record = oidc_provider.register({"redirect_uris": ["http://127.0.0.1/signed-in"], "application_type": "native"})
    client = record.json()
    configuration = configured(
        oidc_provider.issuer,
        client_id=client["client_id"],
        secret=client["client_secret"],
        sign_in={"scopes": ["openid"]},
    )

    async def signs_in(url: str) -> None:
        back_at = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        back = await asyncio.to_thread(Browser("alice").open, url, until=back_at)
        await get(back)

    report = await signed_in(configuration, SystemClock(), lambda url: asyncio.ensure_future(signs_in(url)))
    assert found(report, "signed in", BY_A_PERSON)[1].startswith("alice signed in")


async def test_somebody_signs_in_at_the_demo_provider_at_the_portals_own_address() -> None:
    port = free_port()
    async with run_identity_provider() as there:
        there.add_client(
            "portal",
            PORTAL_SECRET,
            grant_types=["authorization_code"],
            redirect_uris=[f"http://127.0.0.1:{port}/signed-in"],
            scope="openid profile",
        )
        configuration = configured(
            there.issuer,
            url=f"http://127.0.0.1:{port}",
            sign_in={"scopes": ["openid", "profile"]},
            owners={"claim": "sub", "any_of": ["olga"]},
        )

        async def signs_in(url: str) -> None:
            form = {"name": "olga", "decision": "allow"}
            async with (
                aiohttp.ClientSession() as browser,
                browser.post(url, data=form, allow_redirects=False) as answer,
            ):
                assert parse_qs(urlsplit(answer.headers["Location"]).query)["code"]
                await get(answer.headers["Location"])

        report = await signed_in(configuration, SystemClock(), lambda url: asyncio.ensure_future(signs_in(url)))
    assert not_well(report, BY_A_PERSON) == []
    assert found(report, "owner", BY_A_PERSON)[1] == "That makes an owner of APIs, since sub is one of olga."
