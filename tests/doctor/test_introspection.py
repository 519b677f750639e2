"""Our client at the introspection endpoint: whether it is accepted, and whether it sees active tokens."""

from typing import Any

import pytest

from tests.doctor.examining import (
    ACTIVE,
    SECRET,
    described,
    examined,
    found,
    provider,
    report_on,
    settings,
    sign,
)
from tests.faulty_server import answer, document, html, redirect, silent

ELSEWHERE = "Write endpoints.introspection: the URL of the introspection endpoint."
SIGNED = "application/token-introspection+jwt"
SIGNING = {"introspection": {"client_id": "gateway", "client_secret": SECRET, "signed": True}}
UNSIGNED = "Write introspection.signed: false, and answers in plain JSON are believed."
METHODS = "introspection_endpoint_auth_methods_supported"


async def credentials(**saying: Any) -> tuple[str, str, str]:
    """Result, what follows the URL, and what to do."""
    result, seen, advice = found(await report_on(**saying), "credentials")
    return result, seen.partition("/introspect ")[2], advice


async def test_a_client_that_may_introspect() -> None:
    report = await report_on()
    assert found(report, "credentials") == (
        "ok",
        "Our client is accepted, and a token that was invented this moment is inactive.",
        "",
    )
    assert found(report, "permission") == (
        "ok",
        "A token minted for gateway introspects as active. Those of other clients were not tried.",
        "",
    )


async def test_a_client_that_sees_its_own_fresh_token_as_inactive() -> None:
    report = await report_on(about_minted=document({"active": False}))
    assert found(report, "permission") == (
        "failure",
        "A token minted for gateway a moment ago introspects as inactive; every caller would get 401.",
        "At the provider, give the client gateway the permission to introspect. Keycloak: the client must be "
        "confidential, and named in `aud` of the tokens; add an audience mapper for gateway.",
    )


async def test_an_invented_token_that_is_active_is_a_failure() -> None:
    report = await report_on(about_others=document(ACTIVE))
    assert found(report, "invented token") == (
        "failure",
        "A token that was invented this moment is active: everything would be let in.",
        "Do not go live; correct endpoints.introspection, or the provider.",
    )
    assert found(report, "permission") == ("skipped", "Not tried, because of what is said above.", "First mend that.")


async def test_credentials_that_are_refused_with_the_method_that_the_provider_accepts() -> None:
    refusal = document({"error": "invalid_client"}, status=401)
    assert await credentials(about_others=refusal, metadata={METHODS: ["client_secret_basic"]}) == (
        "failure",
        "answered 401 invalid_client to our client. We sent client_secret_basic; it accepts client_secret_basic.",
        "Correct introspection.client_id (gateway) or introspection.client_secret.",
    )


async def test_credentials_that_are_refused_and_may_be_registered_for_another_method() -> None:
    methods = {METHODS: ["private_key_jwt", "client_secret_basic", "client_secret_post"]}
    _, _, advice = await credentials(about_others=html(401), metadata=methods)
    assert advice == (
        "Correct introspection.client_id (gateway) or introspection.client_secret; or, if the client is registered for "
        "another way, write introspection.authentication: client_secret_post"
    )


async def test_credentials_that_are_sent_in_a_way_that_the_provider_does_not_accept() -> None:
    assert await credentials(about_others=html(401), metadata={METHODS: ["client_secret_post", "none"]}) == (
        "failure",
        "answered 401 to our client. We sent client_secret_basic; it accepts client_secret_post.",
        "Write introspection.authentication: client_secret_post",
    )


async def test_a_provider_that_accepts_nothing_that_is_configured() -> None:
    _, _, advice = await credentials(about_others=html(401), metadata={METHODS: ["bearer"]})
    assert advice == "Write introspection.authentication: authorization_header"


async def test_methods_are_those_of_the_token_endpoint_where_introspection_has_none() -> None:
    methods = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    _, _, advice = await credentials(about_others=html(401), metadata=methods)
    assert advice == "Write introspection.authentication: client_secret_post"


async def test_methods_are_asked_for_even_where_all_endpoints_are_configured() -> None:
    async with provider(about_others=html(401), metadata={METHODS: ["client_secret_post"]}) as server:
        endpoints = {"introspection": f"{server.url}/introspect", "jwks": f"{server.url}/jwks"}
        report = await examined(settings(described(server.url, endpoints=endpoints)))
    assert found(report, "credentials")[2] == "Write introspection.authentication: client_secret_post"


async def test_a_client_that_is_forbidden_to_introspect() -> None:
    result, seen, advice = await credentials(about_others=html(403))
    assert (result, seen) == ("failure", "answered 403 to our client.")
    assert advice == (
        "Correct introspection.client_id (gateway) or introspection.client_secret, or give the client the permission "
        "to introspect."
    )


async def test_a_header_that_is_refused() -> None:
    own = {"introspection": {"authentication": "authorization_header", "authorization": "SSWS n0body-knows-this"}}
    _, _, advice = await credentials(options=own, about_others=html(401))
    assert advice == "Write a header that it accepts into introspection.authorization; tokens in there expire."


@pytest.mark.parametrize(
    ("verb", "seen", "advice"),
    [
        (html(404), "answered 404: it is no introspection endpoint.", ELSEWHERE),
        (html(405), "answered 405: it is no introspection endpoint.", ELSEWHERE),
        (html(503), "answered 503.", "The provider fails; look at its log, and try again."),
        (html(429), "answered 429.", "The provider fails; look at its log, and try again."),
        (html(), "answered 200 (text/html), and not whether the token is active.", ELSEWHERE),
        (document({}), "answered 200 (application/json), and not whether the token is active.", ELSEWHERE),
        (
            document({"active": "no"}),
            "answered 200 (application/json), and not whether the token is active.",
            ELSEWHERE,
        ),
        (
            redirect("https://sso.example.com/i"),
            "answered 302.",
            "Redirects are not followed; write endpoints.introspection: https://sso.example.com/i",
        ),
    ],
)
async def test_what_is_no_introspection_endpoint(verb: Any, seen: str, advice: str) -> None:
    assert await credentials(about_others=verb) == ("failure", seen, advice)


async def test_an_endpoint_that_does_not_answer() -> None:
    report = await report_on({"transport": {"timeout": 0.2}}, about_others=silent())
    result, seen, advice = found(report, "credentials")
    assert result == "failure"
    assert seen.endswith("/introspect: 127.0.0.1 did not answer in time (provider_timeout).")
    assert advice == "Look at the provider's log, or correct endpoints.introspection."


async def test_an_endpoint_out_of_reach_is_skipped() -> None:
    report = await report_on(metadata={"introspection_endpoint": "http://127.0.0.1:9/introspect"})
    assert found(report, "credentials") == ("skipped", "Its server is out of reach.", "First mend the connection.")


async def test_a_client_that_gets_no_token_leaves_the_permission_unknown() -> None:
    refusal = document({"error": "unauthorized_client"}, status=400)
    report = await report_on(route={"scopes": ["read"]}, token=refusal)
    assert found(report, "permission") == (
        "warning",
        "Whether our client may introspect is not known: the token endpoint answered 400 unauthorized_client to "
        "client_credentials.",
        "Allow client_credentials, with a scope of read, to the client gateway while you try, or use `tokenward "
        "explain` with a caller's token.",
    )
    assert report.healthy


async def test_a_refusal_that_another_scope_would_not_change_is_asked_for_once() -> None:
    async with provider(token=document({"error": "unauthorized_client"}, status=400)) as server:
        await examined(settings(described(server.url), {"scopes": ["read"]}))
    assert [each.target for each in server.received].count("/token") == 1


async def test_scopes_that_are_refused_are_left_out() -> None:
    async with provider(token=document({"error": "invalid_scope"}, status=400)) as server:
        await examined(settings(described(server.url), {"scopes": ["read", "write"]}))
    asked = [each.form.get("scope") for each in server.received if each.target == "/token"]
    assert asked == ["read write", None]


@pytest.mark.parametrize(
    ("saying", "why"),
    [
        ({"metadata": {"token_endpoint": None}}, "no token endpoint is known to mint a token of its own."),
        (
            {"metadata": {"token_endpoint": "http://127.0.0.1:9/token"}},
            "the token endpoint does not answer: 127.0.0.1 cannot be reached.",
        ),
        ({"token": html()}, "the token endpoint answered 200 to client_credentials."),
    ],
)
async def test_no_token_of_its_own(saying: dict[str, Any], why: str) -> None:
    _, seen, _ = found(await report_on(**saying), "permission")
    assert seen == f"Whether our client may introspect is not known: {why}"


async def test_a_fixed_header_mints_no_token() -> None:
    own = {"introspection": {"authentication": "authorization_header", "authorization": "SSWS n0body-knows-this"}}
    async with provider() as server:
        report = await examined(settings(described(server.url, **own)))
    assert found(report, "permission")[1].endswith("a fixed Authorization header mints no token.")
    assert "/token" not in [each.target for each in server.received]


async def test_jwts_that_are_not_introspected_are_left_to_the_keys() -> None:
    refusal = document({"error": "unsupported_token_type"}, status=400)
    report = await report_on(about_minted=refusal)
    assert found(report, "permission") == (
        "ok",
        "The provider does not introspect its JWTs (unsupported_token_type); its keys do. "
        "`dialect.introspects_jwts: false` would spare it the question.",
        "",
    )


async def test_jwts_that_nobody_would_validate_on_a_route_that_only_introspects() -> None:
    refusal = document({"error": "unsupported_token_type"}, status=400)
    report = await report_on(route={"order": "introspect_only"}, about_minted=refusal)
    assert found(report, "permission") == (
        "failure",
        "The provider does not introspect its JWTs (unsupported_token_type), and the route orders would refuse them.",
        "Write order: introspect_then_keys for the route orders.",
    )


async def test_jwts_that_nobody_could_validate_without_keys() -> None:
    refusal = document({"error": "unsupported_token_type"}, status=400)
    report = await report_on(about_minted=refusal, keys=html(500))
    assert found(report, "permission") == (
        "failure",
        "The provider does not introspect its JWTs (unsupported_token_type), and there are no keys to validate "
        "them by.",
        "First mend the keys.",
    )


async def test_a_refusal_of_our_own_token_only() -> None:
    report = await report_on(about_minted=document({"error": "server_error"}, status=500))
    assert found(report, "permission") == (
        "failure",
        "Asked about a token of our own, the provider answered 500 server_error.",
        "Look at the provider's log: it accepts our client, and not this question.",
    )


async def test_silence_about_our_own_token_only() -> None:
    report = await report_on({"transport": {"timeout": 0.2}}, about_minted=silent())
    assert found(report, "permission") == (
        "failure",
        "Introspecting our own token failed: 127.0.0.1 did not answer in time (provider_timeout).",
        "Look at the provider's log.",
    )


# Signed answers (RFC 9701).


def signed(active: object, url: str, **envelope: object) -> Any:
    """A signed answer for our client."""
    claims = {"iss": url, "aud": "gateway", "token_introspection": active, **envelope}
    return answer(sign(claims, typ="token-introspection+jwt").encode(), media_type=SIGNED)


async def signed_answers(about_minted: Any) -> tuple[str, str, str]:
    """What is found where only the answer about our own token is wrong."""

    def say(url: str) -> dict[str, Any]:
        return {"about_others": signed({"active": False}, url), "about_minted": about_minted(url)}

    return found(await report_on(SIGNING, say=say), "signed answers")


async def test_signed_answers_that_can_be_believed() -> None:
    report = await report_on(
        SIGNING,
        say=lambda url: {"about_others": signed({"active": False}, url), "about_minted": signed(ACTIVE, url)},
    )
    assert found(report, "permission")[0] == "ok"
    assert "signed answers" not in {finding.check for finding in report.findings}


async def test_a_signed_yes_about_an_invented_token_is_a_failure_too() -> None:
    report = await report_on(SIGNING, say=lambda url: {"about_others": signed(ACTIVE, url)})
    assert found(report, "invented token")[0] == "failure"


async def test_plain_answers_where_they_should_be_signed() -> None:
    report = await report_on(SIGNING)
    assert found(report, "signed answers") == ("failure", f"The answer is application/json, not {SIGNED}.", UNSIGNED)


async def test_a_provider_that_does_not_know_how_to_sign() -> None:
    result, seen, advice = found(await report_on(SIGNING, about_others=html(400)), "signed answers")
    assert (result, seen.partition("/introspect ")[2], advice) == (
        "failure",
        "answered 400 when asked for a signed answer.",
        UNSIGNED,
    )


async def test_a_signed_answer_for_somebody_else() -> None:
    seen = "The signed answer is for read, not for our client gateway."
    assert await signed_answers(lambda url: signed(ACTIVE, url, aud="read")) == ("failure", seen, UNSIGNED)


async def test_a_signed_answer_of_another_issuer() -> None:
    assert await signed_answers(lambda url: signed(ACTIVE, url, iss="https://other.example")) == (
        "failure",
        "The signed answer is issued by https://other.example.",
        "Write that issuer, if it is the provider that you mean.",
    )


async def test_a_signed_answer_that_says_nothing() -> None:
    seen = "The signed answer holds no token_introspection."
    assert await signed_answers(lambda url: signed("yes", url)) == ("failure", seen, UNSIGNED)


async def test_a_signed_answer_of_another_type() -> None:
    def about_minted(url: str) -> Any:
        return answer(sign({"iss": url, "aud": "gateway"}, typ="JWT").encode(), media_type=SIGNED)

    seen = "The `typ` of the answer is not token-introspection+jwt."
    assert await signed_answers(about_minted) == ("failure", seen, UNSIGNED)


async def test_an_answer_that_only_claims_to_be_signed() -> None:
    _, seen, _ = await signed_answers(lambda _: answer(b"signed, really", media_type=SIGNED))
    assert seen == "The answer is no JWT."


async def test_a_signature_that_no_published_key_verifies() -> None:
    def say(url: str) -> dict[str, Any]:
        return {"about_others": signed({"active": False}, url), "keys": html(500)}

    assert found(await report_on(SIGNING, say=say), "signed answers") == (
        "failure",
        "No published key verifies the answer (RS256).",
        f"Let the provider sign answers with a key that it publishes. {UNSIGNED}",
    )


async def test_methods_that_cannot_be_had_leave_the_advice_to_the_secret() -> None:
    async with provider(about_others=html(401)) as server:
        endpoints = {"introspection": f"{server.url}/introspect", "jwks": f"{server.url}/jwks"}
        report = await examined(settings(described("http://127.0.0.1:9", endpoints=endpoints)))
    assert found(report, "credentials")[2] == (
        "Correct introspection.client_id (gateway) or introspection.client_secret."
    )
