"""Sign-in at the portal, as far as it can be tried without a person."""

from typing import Any

import pytest
from aiohttp import web

from gateway.doctor import as_text
from tests.doctor.examining import examined, found
from tests.doctor.registering import not_well, told
from tests.doctor.signing import PORTAL_SECRET, SUBJECT, URL, authorizing, configured, report_on


async def test_a_sign_in_that_is_well() -> None:
    async with authorizing() as provider:
        report = await report_on(provider)
    assert not_well(report, SUBJECT) == []
    assert list(told(report, SUBJECT)) == ["PKCE", "redirect URI", "credentials", "sign-out"]
    assert found(report, "redirect URI", SUBJECT)[1] == f"{URL}/signed-in is accepted."
    assert f"({URL}/back-channel-logout is ours to register)" in found(report, "sign-out", SUBJECT)[1]


async def test_nobody_is_signed_in_and_no_code_is_asked_for() -> None:
    async with authorizing() as provider:
        await report_on(provider)
        assert (provider.codes, len(provider.forms)) == ({}, 1)
        assert provider.forms[0]["grant_type"] == "authorization_code"


@pytest.mark.parametrize(
    ("metadata", "check", "result", "advice"),
    [
        ({"code_challenge_methods_supported": None}, "PKCE", "warning", "Look whether it can be required"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE", "warning", "Look whether it can be required"),
        ({"scopes_supported": ["openid"]}, "scopes", "warning", "If sign-ins fail, correct portal.sign_in.scopes"),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, "algorithms", "failure", "Let the provider sign by"),
        ({"end_session_endpoint": None}, "sign-out", "warning", "Write portal.sign_in.end_session"),
        ({"authorization_endpoint": None}, "endpoints", "failure", "Write endpoints.authorization: the URLs."),
        ({"token_endpoint": None}, "endpoints", "failure", "Write endpoints.token: the URLs."),
    ],
)
async def test_what_the_metadata_lacks(metadata: dict[str, Any], check: str, result: str, advice: str) -> None:
    async with authorizing(metadata=metadata) as provider:
        report = await report_on(provider)
    assert not_well(report, SUBJECT) == [(check, result)]
    assert found(report, check, SUBJECT)[2].startswith(advice)


async def test_metadata_without_lists_says_nothing_of_them() -> None:
    lists = {"scopes_supported": None, "id_token_signing_alg_values_supported": None}
    async with authorizing(metadata=lists) as provider:
        assert not_well(await report_on(provider), SUBJECT) == []


async def test_a_redirect_uri_that_nobody_registered() -> None:
    async with authorizing(taken=("https://elsewhere.example",)) as provider:
        report = await report_on(provider)
    result, seen, advice = found(report, "redirect URI", SUBJECT)
    assert (result, seen) == ("failure", f"The provider answered 400 to a request with {URL}/signed-in.")
    assert advice.startswith("At the provider, register that redirect URI for our client portal, letter by letter")


async def test_a_provider_that_redirects_anywhere() -> None:
    async with authorizing(taken=("http",)) as provider:
        report = await report_on(provider)
    assert found(report, "redirect URI", SUBJECT)[::2] == (
        "failure",
        "At the provider, register exact redirect URIs for our client portal.",
    )


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("invalid_scope", "Correct portal.sign_in.scopes, or allow them to our client."),
        ("unauthorized_client", "Allow authorization_code to our client at the provider."),
        ("invalid_request", "Look at the provider's log: it accepts our client, and not this request."),
    ],
)
async def test_people_who_are_sent_back_with_an_error(error: str, advice: str) -> None:
    async with authorizing(said={"error": error}) as provider:
        report = await report_on(provider)
    assert found(report, "redirect URI", SUBJECT) == (
        "failure",
        f"{URL}/signed-in is accepted, and people are sent back with {error}.",
        advice,
    )


async def test_a_provider_that_shows_everybody_the_same_page_tells_nothing() -> None:
    async with authorizing(shows=web.Response(status=302, headers={"Location": "/login?x=1"})) as provider:
        report = await report_on(provider)
    assert not_well(report, SUBJECT) == [("redirect URI", "skipped")]


async def test_an_authorization_endpoint_that_fails() -> None:
    async with authorizing(shows=web.Response(status=503)) as provider:
        report = await report_on(provider)
    assert found(report, "redirect URI", SUBJECT)[1] == "The provider answered 503."


@pytest.mark.parametrize(
    ("answer", "result", "advice"),
    [
        (
            (401, {"error": "invalid_client"}),
            "failure",
            "Correct portal.sign_in.credentials.client_id, portal.sign_in.",
        ),
        (
            (400, {"error": "invalid_client"}),
            "failure",
            "Correct portal.sign_in.credentials.client_id, portal.sign_in.",
        ),
        ((400, {"error": "unauthorized_client"}), "failure", "Allow authorization_code to our client"),
        ((400, {"error": "invalid_request"}), "warning", "Look at the provider's log, or sign in once"),
        ((500, {}), "warning", "Look at the provider's log, or sign in once"),
        ((200, {"access_token": "x"}), "failure", "Do not go live"),
    ],
)
async def test_a_token_endpoint_that_does_not_take_our_client(
    answer: tuple[int, dict[str, Any]], result: str, advice: str
) -> None:
    async with authorizing(token_answer=answer) as provider:
        report = await report_on(provider)
    assert not_well(report, SUBJECT) == [("credentials", result)]
    assert found(report, "credentials", SUBJECT)[2].startswith(advice)
    assert PORTAL_SECRET not in as_text(report) + repr(report)


async def test_a_portal_whose_requests_nobody_decides_about() -> None:
    async with authorizing() as provider:
        report = await report_on(provider, owners={})
    assert not_well(report, SUBJECT) == [("owners", "warning")]


async def test_a_provider_that_is_out_of_reach_is_told_of_once() -> None:
    async with authorizing() as provider:
        issuer = provider.issuer
    report = await examined(configured(issuer))
    assert not_well(report, SUBJECT) == [("sign-in", "skipped")]
