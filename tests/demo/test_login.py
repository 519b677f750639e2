"""A person logs in through the form; PKCE, id_token, userinfo and refresh tokens follow (RFC 6749, 4.1; RFC 7636)."""

from typing import Any

import jwt
import pytest

from gateway.demo.identity_provider import DemoProvider
from tests.demo.asking import RETURN_TO, VERIFIER, Answer, Ask, authorization_request, basic, bearer
from tests.demo.test_metadata_and_keys import published_keys, verify
from tests.fakes import FakeClock

LOGIN: dict[str, Any] = {"grant_types": ["authorization_code", "refresh_token"], "redirect_uris": [RETURN_TO]}


@pytest.fixture(autouse=True)
def web(provider: DemoProvider) -> None:
    """A public client."""
    provider.add_client(
        "web", scope="openid profile orders.read orders.write", token_endpoint_auth_method="none", **LOGIN
    )


async def refresh(ask: Ask, token: str, **form: str) -> Answer:
    asked = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "web", **form}
    return await ask.post("/token", asked)


async def test_the_page_says_that_it_is_a_demo_and_who_asks_for_what(ask: Ask) -> None:
    page = await ask("GET", "/authorize", params=authorization_request())
    assert page.status == 200
    assert "This is a demo" in page.body
    assert "Not for production" in page.body
    assert "<strong>web</strong> asks for <code>openid orders.read</code>" in page.body
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


async def test_the_page_shows_names_and_does_not_run_them(provider: DemoProvider, ask: Ask) -> None:
    name = "<script>alert(1)</script>"
    provider.add_client("evil", client_name=name, token_endpoint_auth_method="none", scope="openid", **LOGIN)
    query = authorization_request("evil", scope="openid", state='"><script>')
    page = await ask("GET", "/authorize", params=query)
    assert page.status == 200
    assert "<script" not in page.body


async def test_a_login_leads_back_with_a_code_the_state_and_the_issuer(ask: Ask) -> None:
    back = await ask.log_in()
    assert back.status == 302
    assert back.headers["Location"].startswith(f"{RETURN_TO}?")
    assert back.returned.pop("code")
    assert (back.returned["state"], back.returned["iss"]) == ("xyz", ask.issuer)


async def test_the_code_buys_the_tokens(ask: Ask) -> None:
    tokens = await ask.tokens(scope="orders.read")
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == "orders.read"
    assert "id_token" not in tokens
    said = (await ask.introspect(tokens["access_token"])).body
    assert (said["active"], said["sub"], said["client_id"]) == (True, "alice", "web")


async def test_the_id_token_names_the_person_the_client_and_the_nonce(ask: Ask, clock: FakeClock) -> None:
    tokens = await ask.tokens(scope="openid profile", nonce="n-0S6")
    claims = verify(tokens["id_token"], await published_keys(ask))
    assert claims.pop("at_hash")
    assert claims == {
        "iss": ask.issuer,
        "aud": "web",
        "sub": "alice",
        "name": "alice",
        "nonce": "n-0S6",
        "iat": clock.time(),
        "exp": clock.time() + 600,
        "auth_time": clock.time(),
    }


async def test_the_id_token_is_signed_as_the_client_registered(provider: DemoProvider, ask: Ask) -> None:
    options = {"token_endpoint_auth_method": "none", "id_token_signed_response_alg": "ES256"}
    provider.add_client("es", scope="openid", **options, **LOGIN)
    token = (await ask.tokens("es", scope="openid"))["id_token"]
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    assert verify(token, await published_keys(ask), "ES256")["aud"] == "es"


async def test_a_confidential_client_must_show_its_secret_and_its_verifier(provider: DemoProvider, ask: Ask) -> None:
    provider.add_client("server", "s3cret", scope="orders.read", **LOGIN)
    code = (await ask.log_in("server", scope="orders.read")).returned["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": RETURN_TO}
    without_secret = await ask.post("/token", {**form, "client_id": "server", "code_verifier": VERIFIER})
    assert without_secret.status == 401
    without_verifier = await ask.post("/token", form, ("server", "s3cret"))
    assert (without_verifier.status, without_verifier.body["error"]) == (400, "invalid_request")
    assert (await ask.post("/token", {**form, "code_verifier": VERIFIER}, ("server", "s3cret"))).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"code_challenge": "short"},
    ],
    ids=str,
)
async def test_without_s256_there_is_no_login(ask: Ask, wrong: dict[str, str]) -> None:
    answer = await ask("GET", "/authorize", params=authorization_request(**wrong))
    assert answer.status == 302
    assert answer.returned["error"] == "invalid_request"
    assert (answer.returned["state"], answer.returned["iss"]) == ("xyz", ask.issuer)


@pytest.mark.parametrize("verifier", ["x" * 43, "", "short"])
async def test_a_wrong_verifier_buys_nothing(ask: Ask, verifier: str) -> None:
    code = (await ask.log_in()).returned["code"]
    answer = await ask.exchange(code, code_verifier=verifier)
    assert answer.status == 400
    assert answer.body["error"] in {"invalid_grant", "invalid_request"}


async def test_a_code_used_twice_ends_what_it_bought(ask: Ask) -> None:
    code = (await ask.log_in()).returned["code"]
    tokens = (await ask.exchange(code)).body
    again = await ask.exchange(code)
    assert (again.status, again.body["error"]) == (400, "invalid_grant")
    assert not await ask.is_active(tokens["access_token"])
    assert (await refresh(ask, tokens["refresh_token"])).status == 400


async def test_a_code_lives_for_a_minute(ask: Ask, clock: FakeClock) -> None:
    first, second = [(await ask.log_in()).returned["code"] for _ in range(2)]
    clock.move(59)
    assert (await ask.exchange(first)).status == 200
    clock.move(1)
    assert (await ask.exchange(second)).body["error"] == "invalid_grant"


async def test_a_code_is_for_the_client_that_asked(provider: DemoProvider, ask: Ask) -> None:
    provider.add_client("other", scope="openid", token_endpoint_auth_method="none", **LOGIN)
    code = (await ask.log_in()).returned["code"]
    assert (await ask.exchange(code, "other")).body["error"] == "invalid_grant"
    assert (await ask.exchange(code)).status == 200


async def test_a_code_is_for_the_same_redirect_uri(ask: Ask) -> None:
    code = (await ask.log_in()).returned["code"]
    answer = await ask.exchange(code, redirect_uri="http://127.0.0.1:4010/callback")
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/callback",
        "http://127.0.0.1:4009/other",
        "http://127.0.0.1:4009@evil.example/callback",
        "http://localhost:4009/callback",
        "https://127.0.0.1:4009/callback",
        "http://[",
        'http://127.0.0.1:4009/"',
        "http://é.example/",
    ],
)
async def test_nobody_is_sent_to_a_place_that_was_not_registered(ask: Ask, elsewhere: str) -> None:
    answer = await ask("GET", "/authorize", params=authorization_request(redirect_uri=elsewhere))
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")
    assert "Location" not in answer.headers


async def test_a_loopback_address_may_have_another_port(ask: Ask) -> None:
    back = await ask.log_in(redirect_uri="http://127.0.0.1:51004/callback")
    assert back.headers["Location"].startswith("http://127.0.0.1:51004/callback?code=")


async def test_the_only_redirect_uri_need_not_be_named(ask: Ask) -> None:
    back = await ask.log_in(redirect_uri="")
    assert back.headers["Location"].startswith(f"{RETURN_TO}?")
    assert (await ask.exchange(back.returned["code"])).status == 200


async def test_with_two_redirect_uris_one_must_be_named(provider: DemoProvider, ask: Ask) -> None:
    two = {**LOGIN, "redirect_uris": [RETURN_TO, "https://app.example/"]}
    provider.add_client("two", scope="openid orders.read", token_endpoint_auth_method="none", **two)
    answer = await ask("GET", "/authorize", params=authorization_request("two", redirect_uri=""))
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_with_its_client_a_code_dies(provider: DemoProvider, ask: Ask) -> None:
    client = provider.clients["web"]
    code = (await ask.log_in()).returned["code"]
    provider.delete_client("web")
    provider.clients["web"] = client
    assert (await ask.exchange(code)).body["error"] == "invalid_grant"


async def test_an_unknown_client_is_not_sent_anywhere(ask: Ask) -> None:
    answer = await ask("GET", "/authorize", params=authorization_request("nobody"))
    assert (answer.status, answer.body["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"scope": "admin"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"resource": "orders"}, "invalid_target"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
async def test_a_login_that_cannot_be_leads_back_with_the_reason(ask: Ask, wrong: dict[str, str], error: str) -> None:
    answer = await ask("GET", "/authorize", params=authorization_request(**wrong))
    assert answer.status == 302
    assert answer.headers["Location"].startswith(RETURN_TO)
    assert (answer.returned["error"], answer.returned["state"]) == (error, "xyz")


@pytest.mark.parametrize("wrong", [{"response_type": 'co"de'}, {"response_type": "é"}])
async def test_odd_characters_are_a_bad_request(ask: Ask, wrong: dict[str, str]) -> None:
    answer = await ask("GET", "/authorize", params=authorization_request(**wrong))
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_a_parameter_comes_once(ask: Ask) -> None:
    query = [*authorization_request().items(), ("state", "again")]
    answer = await ask("GET", "/authorize", params=query)
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_a_person_can_say_no(ask: Ask) -> None:
    query = authorization_request()
    answer = await ask("POST", "/authorize", params=query, data={"name": "alice", "decision": "deny"})
    assert answer.status == 302
    assert (answer.returned["error"], answer.returned["iss"]) == ("access_denied", ask.issuer)


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\nb"])
async def test_a_name_is_needed(ask: Ask, name: str) -> None:
    query = authorization_request()
    answer = await ask("POST", "/authorize", params=query, data={"name": name, "decision": "allow"})
    assert answer.status == 400
    assert "Please enter a name" in answer.body


async def test_any_name_will_do(ask: Ask) -> None:
    tokens = await ask.tokens(name="Zoë O'Hara 😀")
    assert (await ask.introspect(tokens["access_token"])).body["sub"] == "Zoë O'Hara 😀"


async def test_userinfo_knows_who_logged_in(ask: Ask) -> None:
    token = (await ask.tokens(scope="openid profile"))["access_token"]
    for method in ("GET", "POST"):
        answer = await ask(method, "/userinfo", headers=bearer(token))
        assert (answer.status, answer.body) == (200, {"sub": "alice", "name": "alice"})


@pytest.mark.parametrize("headers", [{}, bearer("unknown"), basic("web", "x"), {"Authorization": "Bearer"}], ids=str)
async def test_userinfo_is_for_those_who_have_a_token(ask: Ask, headers: dict[str, str]) -> None:
    answer = await ask("GET", "/userinfo", headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_userinfo_needs_the_scope_openid(ask: Ask) -> None:
    token = (await ask.tokens(scope="orders.read"))["access_token"]
    answer = await ask("GET", "/userinfo", headers=bearer(token))
    assert (answer.status, answer.body["error"]) == (403, "insufficient_scope")


async def test_a_refresh_token_buys_new_tokens_and_another_refresh_token(ask: Ask) -> None:
    first = await ask.tokens()
    second = (await refresh(ask, first["refresh_token"])).body
    assert second["refresh_token"] != first["refresh_token"]
    assert await ask.is_active(second["access_token"])
    assert (await refresh(ask, second["refresh_token"])).status == 200


async def test_a_refresh_token_used_twice_ends_the_login(ask: Ask) -> None:
    first = await ask.tokens()
    second = (await refresh(ask, first["refresh_token"])).body
    again = await refresh(ask, first["refresh_token"])
    assert (again.status, again.body["error"]) == (400, "invalid_grant")
    assert not await ask.is_active(second["access_token"])
    assert (await refresh(ask, second["refresh_token"])).status == 400


async def test_a_refresh_may_narrow_the_scope_and_not_widen_it(ask: Ask) -> None:
    tokens = await ask.tokens(scope="openid orders.read")
    wider = await refresh(ask, tokens["refresh_token"], scope="orders.read orders.write")
    assert (wider.status, wider.body["error"]) == (400, "invalid_scope")
    narrower = (await refresh(ask, tokens["refresh_token"], scope="orders.read")).body
    assert narrower["scope"] == "orders.read"
    # RFC 6749, 6: the new refresh token has the scope of the old one.
    assert (await refresh(ask, narrower["refresh_token"])).body["scope"] == "openid orders.read"


async def test_a_refresh_token_is_for_its_own_client(provider: DemoProvider, ask: Ask) -> None:
    provider.add_client("other", scope="openid orders.read", token_endpoint_auth_method="none", **LOGIN)
    tokens = await ask.tokens()
    answer = await refresh(ask, tokens["refresh_token"], client_id="other")
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")


async def test_a_refresh_token_expires_after_a_day(ask: Ask, clock: FakeClock) -> None:
    tokens = await ask.tokens()
    clock.move(86_400)
    assert (await refresh(ask, tokens["refresh_token"])).body["error"] == "invalid_grant"


async def test_a_login_for_a_resource_buys_tokens_for_that_resource_only(ask: Ask) -> None:
    tokens = await ask.tokens(resource="https://api.example/jwt")
    assert verify(tokens["access_token"], await published_keys(ask))["aud"] == "https://api.example/jwt"
    other = await refresh(ask, tokens["refresh_token"], resource="https://other.example")
    assert (other.status, other.body["error"]) == (400, "invalid_target")
    same = (await refresh(ask, tokens["refresh_token"])).body
    assert (await ask.introspect(same["access_token"])).body["aud"] == "https://api.example/jwt"
