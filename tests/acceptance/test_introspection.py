"""Block D: introspection, and a provider that is sick."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.acceptance.conftest import OpenSite
from tests.acceptance.identity_provider import INTROSPECTION
from tests.acceptance.outcomes import D503, I401, PASSES, S403, Outcome
from tests.acceptance.site import SECRET, SIGNER, Site, State, enforced
from tests.faulty_server import (
    Verb,
    after,
    answer,
    black_hole,
    bomb,
    broken_chunk,
    broken_head,
    document,
    endless_chunks,
    faulty_server,
    half_a_head,
    hang_up,
    html,
    huge,
    redirect,
    refusing_port,
    reset,
    silent,
    truncated,
)

ONLY = {"orders": enforced(order="introspect_only")}
SCOPED = {"orders": enforced(order="introspect_only", scopes=["orders.read"])}
QUICK = {"timeout": 0.3, "connect_timeout": 0.3}


def case(number: str, name: str, *values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.case(number), id=f"{number} {name}")


# --- the question ---


@pytest.mark.case("C107")
async def test_the_provider_is_asked_by_our_client_and_hears_nothing_else_of_the_caller(site: Site) -> None:
    token = site.opaque()
    PASSES.assert_is(await site.bearer(token, "Cookie: a=b", "X-Forwarded-For: 192.0.2.9", "User-Agent: callers-own"))
    (asked,) = site.idp.asked()
    assert (asked.method, asked.target) == ("POST", INTROSPECTION)
    assert asked.form == {"token": token, "token_type_hint": "access_token"}
    assert asked.header("content-type") == "application/x-www-form-urlencoded"
    assert asked.header("accept") == "application/json"
    assert asked.header("authorization") == f"Basic {base64.b64encode(f'gateway:{SECRET}'.encode()).decode()}"
    assert asked.header("cookie") is None
    assert asked.header("x-forwarded-for") is None
    assert asked.header("user-agent") == "tokenward"


@pytest.mark.case("C143")
@pytest.mark.parametrize("token", ["a+b/c~d-e_f.g", "a+client_id+evil", "abc==", "a!b"])
async def test_no_token_adds_a_parameter_to_the_question(site: Site, token: str) -> None:
    PASSES.assert_is(await site.bearer(site.opaque(token)))
    assert site.idp.asked()[0].form == {"token": token, "token_type_hint": "access_token"}


@pytest.mark.case("C143")
@pytest.mark.parametrize("token", ["a&b", "a=b", "a%26client_id%3Devil", "a;b"])
async def test_a_token_that_could_add_a_parameter_never_reaches_the_provider(
    site: Site, state: State, token: str
) -> None:
    assert (await site.in_state(state, f"Authorization: Bearer {token}")).status == 400
    assert site.introspections == 0


# --- what the provider says of the token: a decision, cold and warm ---

Claims: TypeAlias = dict[str, object]
SAID: list[Any] = [
    case("C107", "a good token", {}, PASSES),
    case("C108", "inactive", {"active": False}, I401),
    *(
        case("C109", f"active {value!r}", {"active": value}, I401)
        for value in [..., "true", "false", 1, 0, [], {}, [True]]
    ),
    case("C110", "exp past", {"exp": 1}, I401),
    case("C111", "no exp", {"exp": ...}, PASSES),
    *(
        case("C112", f"exp {value!r:.12}", {"exp": value}, I401)
        for value in ["1999999999", -5, 1e300, 10**399, True, []]
    ),
    case("C112", "exp with a fraction", {"exp": 1_999_999_999.5}, PASSES),
    case("C114", "another issuer", {"iss": "https://other.example.com"}, I401),
    case("C114", "no issuer", {"iss": ...}, PASSES),
    case("C116", "scope null", {"scope": ...}, S403),
    case("C116", "scope a list", {"scope": ["orders.read"]}, S403),
    case("C116", "scope empty", {"scope": ""}, S403),
    case("C116", "another scope", {"scope": "orders.reads orders"}, S403),
    case("C023", "bound to a key", {"cnf": {"jkt": "x"}}, I401),
    case("C023", "token_type DPoP", {"token_type": "DPoP"}, I401),
]


@pytest.mark.parametrize("state", [State.COLD, State.WARM], ids=str)
@pytest.mark.parametrize(("said", "expected"), SAID)
async def test_a_token_is_what_the_provider_says_it_is(
    site_with: OpenSite, state: State, said: Claims, expected: Outcome
) -> None:
    site = await site_with(SCOPED)
    token = site.opaque()
    claims = {**site.active(), **said}
    site.idp.says[token] = {name: value for name, value in claims.items() if value is not ...}
    expected.assert_is(await site.in_state(state, f"Authorization: Bearer {token}"))
    assert site.introspections == 1


@pytest.mark.case("C117", "C133")
async def test_in_an_outage_nothing_is_decided_about_an_opaque_token(site: Site) -> None:
    D503.assert_is(await site.in_state(State.OUTAGE, f"Authorization: Bearer {site.opaque()}"))


@pytest.mark.case("C114")
@pytest.mark.parametrize(
    ("options", "said", "status"),
    [
        ({"audience": ["https://api"]}, {"aud": "https://other"}, 401),
        ({"audience": ["https://api"]}, {"aud": None}, 401),
        ({"audience": ["https://api"]}, {"aud": ["x", "https://api"]}, 200),
        ({"issuer": "https://idp.example.com"}, {"iss": None}, 401),
        ({"contract": "required"}, {"client_id": "another"}, 403),
        ({"contract": "required"}, {"client_id": None}, 403),
        ({"contract": "required"}, {"client_id": "mobile"}, 200),
        ({"claims": [{"claim": "client_id", "equals": "mobile"}]}, {"client_id": "another"}, 403),
    ],
)
async def test_audience_issuer_and_client_are_those_of_the_route(
    site_with: OpenSite, options: dict[str, Any], said: Claims, status: int
) -> None:
    site = await site_with({"orders": enforced(order="introspect_only", **options)})
    token = site.vouched(site.secret("an-opaque-token-of-the-provider"), **said)
    for _ in range(2):
        assert (await site.bearer(token)).status == status
    assert site.introspections == 1


@pytest.mark.case("C227")
async def test_a_claim_that_is_too_long_for_a_header_is_left_out(site_with: OpenSite) -> None:
    site = await site_with({"orders": enforced(identity_headers={"X-Groups": "groups", "X-User": "sub"})})
    PASSES.assert_is(await site.bearer(site.opaque(groups=["g" * 100] * 100)))
    assert site.upstream.last.header("x-groups") == []
    assert site.upstream.last.header("x-user") == ["alice"]


# --- a provider that does not answer as it should: never a yes, never a no ---


def says(body: bytes, media_type: str = "application/json") -> Verb:
    return answer(body, media_type=media_type)


YES = json.dumps({"active": True, "token_type": "Bearer"}).encode()
REFUSING: list[Any] = [
    case("C118", str(status), document({"error": "invalid_client"}, status=status)) for status in (400, 401, 403, 404)
]
"""It answers, and it is we who are wrong."""
SICK: list[Any] = [
    *(case("C117", str(status), document({"active": True}, status=status)) for status in (500, 502, 503, 504, 429)),
    case("C120", "html", html()),
    case("C120", "JSON called HTML", says(YES, "text/html")),
    case("C121", "empty", says(b"")),
    case("C121", "cut off", says(YES[:-5])),
    case("C121", "an array", says(b'[{"active":true}]')),
    case("C121", "null", says(b"null")),
    case("C121", "a number", says(b"1")),
    case("C121", "trailing bytes", says(YES + b"x")),
    case("C121", "NaN", says(b'{"active":true,"exp":NaN}')),
    case("C121", "twice", says(b'{"active":false,"active":true}')),
    case("C121", "shorter than announced", truncated(YES)),
    case("C121", "a broken chunk", broken_chunk(YES)),
    case("C121", "not HTTP", broken_head()),
    case("C123", "huge", huge(50_000_000)),
    case("C123", "endless", endless_chunks()),
    case("C124", "a gzip bomb", bomb(20)),
    case("C124", "a deflate bomb", bomb(20, "deflate")),
    case("C127", "hangs up", hang_up()),
    case("C127", "resets", reset()),
    case("C127", "half a head", half_a_head()),
    case("C128", "silent", silent()),
    case("C141", "a signed answer nobody asked for", says(b"a.b.c", "application/token-introspection+jwt")),
]


@pytest.mark.case("C117", "C156")
@pytest.mark.parametrize("verb", [*SICK, *REFUSING])
async def test_a_sick_provider_is_503_and_nothing_of_it_is_kept(site_with: OpenSite, verb: Verb) -> None:
    site = await site_with(ONLY, {"transport": QUICK, "limits": {"failures": 100}})
    token = site.opaque()
    site.idp.fails(INTROSPECTION, verb)
    for _ in range(2):
        D503.assert_is(await site.bearer(token))
    site.idp.recovers()
    PASSES.assert_is(await site.bearer(token))


@pytest.mark.case("C117", "C150")
@pytest.mark.parametrize("verb", [*SICK, *REFUSING])
async def test_a_token_in_memory_passes_while_the_provider_is_sick(site_with: OpenSite, verb: Verb) -> None:
    site = await site_with(ONLY, {"transport": QUICK})
    token = site.opaque()
    PASSES.assert_is(await site.bearer(token))
    site.idp.fails(INTROSPECTION, verb)
    site.clock.move(40)
    PASSES.assert_is(await site.bearer(token))


@pytest.mark.case("C133")
@pytest.mark.parametrize("verb", SICK)
async def test_keys_stand_in_for_a_provider_that_cannot_answer(site_with: OpenSite, verb: Verb) -> None:
    site = await site_with(None, {"transport": QUICK})
    site.idp.fails(INTROSPECTION, verb)
    PASSES.assert_is(await site.bearer(site.jwt()))
    assert await site.metric("token_fallbacks_total", provider="idp") == 1
    D503.assert_is(await site.bearer(site.opaque()))


@pytest.mark.case("C134")
@pytest.mark.parametrize("verb", REFUSING)
async def test_keys_do_not_stand_in_for_a_provider_that_refuses_us(site: Site, verb: Verb) -> None:
    site.idp.fails(INTROSPECTION, verb)
    D503.assert_is(await site.bearer(site.jwt()))
    assert await site.metric("token_fallbacks_total", provider="idp") == 0


@pytest.mark.case("C118")
async def test_that_our_own_secret_is_wrong_can_be_told_from_the_metrics(site_with: OpenSite) -> None:
    site = await site_with(ONLY)
    site.idp.fails(INTROSPECTION, document({"error": "invalid_client"}, status=401))
    D503.assert_is(await site.bearer(site.opaque()))
    assert await site.metric("introspection_requests_total", provider="idp", outcome="provider_refuses_us") == 1


@pytest.mark.case("C109")
async def test_an_answer_with_a_malformed_active_is_counted_as_such(site_with: OpenSite) -> None:
    site = await site_with(ONLY)
    I401.assert_is(await site.bearer(site.opaque(active="true")))
    assert await site.metric("introspection_requests_total", provider="idp", outcome="malformed") == 1


@pytest.mark.case("C126")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_with_the_token_and_our_secret(site_with: OpenSite, status: int) -> None:
    site = await site_with(ONLY)
    site.idp.fails(INTROSPECTION, redirect(f"{site.collector.url}/introspect", status))
    D503.assert_is(await site.bearer(site.opaque()))


@pytest.mark.case("C127")
@pytest.mark.parametrize("kind", ["refused", "no such name", "black hole"])
async def test_a_provider_that_is_not_there_is_503_soon(site_with: OpenSite, kind: str) -> None:
    with refusing_port() as refusing, black_hole() as hole:
        url = {
            "refused": f"http://127.0.0.1:{refusing}/i",
            "no such name": "https://idp.invalid/i",
            "black hole": f"http://127.0.0.1:{hole}/i",
        }[kind]
        site = await site_with(ONLY, {"endpoints": {"introspection": url, "jwks": url}})
        began = time.monotonic()
        D503.assert_is(await site.bearer(site.opaque()))
        assert time.monotonic() - began < 3


@pytest.mark.case("C130")
async def test_a_pooled_connection_that_the_provider_closed_is_replaced_without_anybody_noticing(
    site_with: OpenSite,
) -> None:
    site = await site_with(ONLY)
    PASSES.assert_is(await site.bearer(site.opaque("first-token-of-all")))
    await site.idp.server.cut()
    PASSES.assert_is(await site.bearer(site.opaque("second-token-of-all")))
    assert site.introspections == 2


# --- one sick provider and the others ---


@pytest.mark.case("C128")
async def test_a_slow_provider_is_asked_by_so_many_at_once_and_the_others_do_not_feel_it(site_with: OpenSite) -> None:
    site = await site_with(ONLY, {"transport": {"timeout": 0.5}, "limits": {"concurrency": 3, "failures": 1000}})
    site.idp.fails(INTROSPECTION, silent())
    waiting = [asyncio.ensure_future(site.bearer(site.opaque(f"slow-token-number-{index}"))) for index in range(20)]
    await site.idp.server.until_received(3)
    began = time.monotonic()
    good = await site.ask("Authorization: Bearer the-token-that-is-good-in-any-case", target="/known-good")
    PASSES.assert_is(good)
    assert time.monotonic() - began < 0.3
    for reply in await asyncio.gather(*waiting):
        D503.assert_is(reply)
    assert site.introspections <= 3 * 2


@pytest.mark.case("C132")
async def test_a_provider_that_keeps_failing_is_left_alone_and_found_again(site_with: OpenSite) -> None:
    site = await site_with(ONLY, {"limits": {"failures": 3, "cool_down": 5}})
    token = site.opaque()
    site.idp.fails(INTROSPECTION, html(500))
    for _ in range(10):
        D503.assert_is(await site.bearer(token))
    assert site.introspections == 3
    assert await site.metric("circuit_open", target="idp") == 1
    site.clock.move(5)
    D503.assert_is(await site.bearer(token))
    D503.assert_is(await site.bearer(token))
    assert site.introspections == 4
    site.idp.recovers()
    site.clock.move(5)
    PASSES.assert_is(await site.bearer(token))
    assert await site.metric("circuit_open", target="idp") == 0


# --- fallback ---


@pytest.mark.case("C133", "C136")
@pytest.mark.parametrize(
    ("order", "expected"),
    [("introspect_then_keys", PASSES), ("introspect_only", D503), ("keys_first", PASSES), ("keys_only", PASSES)],
)
async def test_whether_an_unexpired_jwt_passes_in_an_outage_is_the_route_s_choice(
    site_with: OpenSite, order: str, expected: Outcome
) -> None:
    site = await site_with({"orders": enforced(order=order)})
    expected.assert_is(await site.in_state(State.OUTAGE, f"Authorization: Bearer {site.jwt()}"))


@pytest.mark.case("C134", "C135")
async def test_a_token_that_was_seen_inactive_is_not_revived_by_its_signature(site: Site) -> None:
    revoked = site.jwt()
    I401.assert_is(await site.bearer(revoked))
    site.idp.fails(INTROSPECTION)
    for _ in range(10):
        site.clock.move(120)
        I401.assert_is(await site.bearer(revoked))
    PASSES.assert_is(await site.bearer(site.jwt(jti="never seen")))


Spoil: TypeAlias = Callable[[Site], str]
RULED: list[Any] = [
    case("C137", "good", lambda s: s.jwt(aud="https://api"), PASSES),
    case("C137", "issuer", lambda s: s.jwt(aud="https://api", iss="https://other"), I401),
    case("C137", "audience", lambda s: s.jwt(aud="https://other"), I401),
    case("C137", "expired", lambda s: s.jwt(aud="https://api", exp=1), I401),
    case("C137", "not yet valid", lambda s: s.jwt(aud="https://api", nbf=s.clock.time() + 60), I401),
    case("C137", "scope", lambda s: s.jwt(aud="https://api", scope="other"), S403),
    case("C137", "type", lambda s: s.jwt(aud="https://api", header={"typ": "jwt"}), I401),
]


@pytest.mark.parametrize(("make", "expected"), RULED)
async def test_the_rules_are_the_same_by_introspection_and_by_keys(
    site_with: OpenSite, make: Spoil, expected: Outcome
) -> None:
    options = {"audience": ["https://api"], "scopes": ["orders.read"]}
    site = await site_with({"orders": enforced(**options)})
    expected.assert_is(await site.in_state(State.OUTAGE, f"Authorization: Bearer {make(site)}"))


# --- a caller that leaves ---


@pytest.mark.case("C139")
async def test_a_caller_that_leaves_during_an_introspection_harms_nobody(site_with: OpenSite) -> None:
    site = await site_with(ONLY)
    token = site.opaque()
    site.idp.fails(INTROSPECTION, after(0.1, document(site.active())))
    for _ in range(3):
        caller = await site.connect()
        caller.send(f"GET /orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        await site.idp.server.until_received(1)
        caller.close()
    PASSES.assert_is(await site.bearer(token))
    assert site.introspections == 1
    site.idp.recovers()
    I401.assert_is(await site.bearer("another-token"))


# --- the environment ---


@pytest.mark.case("C142")
async def test_the_environment_names_no_proxy_and_no_password(
    site_with: OpenSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login intruder password intruder\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with faulty_server(hang_up()) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        site = await site_with(ONLY)
        PASSES.assert_is(await site.bearer(site.opaque()))
        assert proxy.connections == 0
        assert "intruder" not in (site.idp.asked()[0].header("authorization") or "")


# --- signed answers ---


@pytest.mark.case("C141")
async def test_a_signed_answer_is_taken_where_it_was_asked_for_and_no_other(site_with: OpenSite) -> None:
    credentials = {"client_id": "gateway", "client_secret": SECRET, "signed": True}
    site = await site_with(ONLY, {"introspection": credentials})
    said = {"iss": site.idp.issuer, "aud": "gateway", "token_introspection": site.active()}
    signed = SIGNER.token(said, typ="token-introspection+jwt").encode()
    D503.assert_is(await site.bearer(site.opaque()))
    site.idp.fails(INTROSPECTION, says(signed, "application/token-introspection+jwt"))
    PASSES.assert_is(await site.bearer("the-token-of-the-answer"))
    assert site.idp.asked()[0].header("accept") == "application/token-introspection+jwt"
