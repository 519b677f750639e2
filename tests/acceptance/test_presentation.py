"""Block A: how the token is presented."""

from typing import Any

import pytest

from tests.acceptance.conftest import OpenSite
from tests.acceptance.outcomes import B400, B431, D503, I401, M405, N401, PASSES, R400, Outcome, challenge
from tests.acceptance.site import Site, State, enforced


def case(number: str, name: str, *values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.case(number), id=f"{number} {name}")


# --- no credential, or one presented wrongly: decided without anybody being asked, whatever the state ---

REFUSED = [
    case("C001", "none", [], N401),
    case("C002", "basic", ["Authorization: Basic YWxpY2U6c2VjcmV0"], N401),
    case("C004", "bearer without a token", ["Authorization: Bearer"], R400),
    case("C004", "bearer and a space", ["Authorization: Bearer "], R400),
    case("C007", "two words", ["Authorization: Bearer a b"], R400),
    case("C007", "a list", ["Authorization: Bearer a,b"], R400),
    case("C007", "a parameter", ["Authorization: Bearer a;x=1"], R400),
    case("C008", "the same twice", ["Authorization: Bearer abc"] * 2, R400),
    case("C012", "query tokens are off", [], N401),
    case("C015", "cookie tokens are off", ["Cookie: access_token=abc; session=abc"], N401),
    case("C015", "a flood of cookies", ["Cookie: " + "a=b;" * 1500], N401),
    case("C015", "malformed cookies", ["Cookie: ;=;;x;\t=; =a"], N401),
    case("C016", "0xE9", [b"Authorization: Bearer \xe9"], B400),
    case("C016", "0xFF", [b"Authorization: Bearer abc\xff"], B400),
    case("C016", "UTF-8", [b"Authorization: Bearer \xc3\xa9"], R400),
    case("C022", "X-Access-Token", ["X-Access-Token: abc"], N401),
    case("C022", "X-Forwarded-Access-Token", ["X-Forwarded-Access-Token: abc"], N401),
    case("C022", "X-Authorization", ["X-Authorization: Bearer abc"], N401),
    case("C023", "DPoP", ["Authorization: DPoP abc"], N401),
]


@pytest.mark.parametrize(("headers", "expected"), REFUSED)
async def test_a_request_without_a_usable_credential_is_refused_and_nobody_is_asked(
    site: Site, state: State, headers: list[str | bytes], expected: Outcome
) -> None:
    target = "/orders?access_token=this-one-is-no-credential" if not headers else "/orders"
    site.secret("this-one-is-no-credential")
    expected.assert_is(await site.in_state(state, *headers, target=target))
    assert site.introspections == 0


@pytest.mark.case("C009")
@pytest.mark.parametrize("good_first", [True, False])
async def test_a_good_and_a_bad_authorization_header_are_refused_in_both_orders(
    site: Site, state: State, good_first: bool
) -> None:
    headers = [f"Authorization: Bearer {site.opaque()}", "Authorization: Bearer bad"]
    R400.assert_is(await site.in_state(state, *(headers if good_first else reversed(headers))))
    assert site.introspections == 0


# --- good tokens ---


@pytest.mark.case("C003", "C107", "C133")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "BeArEr"])
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
async def test_the_scheme_is_compared_without_regard_to_case(site: Site, state: State, scheme: str, kind: str) -> None:
    token = site.opaque() if kind == "opaque" else site.vouched(site.jwt())
    expected = D503 if (kind, state) == ("opaque", State.OUTAGE) else PASSES
    expected.assert_is(await site.in_state(state, f"Authorization: {scheme} {token}"))


@pytest.mark.case("C005")
async def test_two_spaces_before_the_token_are_as_good_as_one_and_find_the_same_entry(site: Site) -> None:
    token = site.opaque()
    for spaces in (" ", "  ", "    "):
        PASSES.assert_is(await site.ask(f"Authorization: Bearer{spaces}{token}"))
    assert site.introspections == 1


@pytest.mark.case("C012", "C307")
async def test_the_credential_is_not_forwarded(site: Site) -> None:
    token = site.opaque()
    PASSES.assert_is(await site.bearer(token))
    assert token.encode() not in site.upstream.last.head
    assert site.upstream.last.header("authorization") == []


# --- more than one place ---


@pytest.mark.case("C011")
async def test_a_token_in_the_header_and_in_the_query_is_refused(site: Site, state: State) -> None:
    token = site.vouched(site.jwt())
    R400.assert_is(await site.in_state(state, f"Authorization: Bearer {token}", target="/orders?a=b&access_token=x"))
    assert site.introspections == 0


@pytest.mark.case("C013")
@pytest.mark.parametrize(
    "query",
    ["access_token={0}&access_token={0}", "access_token[]={0}", "Access_Token={0}", "access_token={0}&ACCESS_TOKEN=x"],
)
async def test_a_query_token_that_is_spelled_in_two_ways_is_refused(
    site_with: OpenSite, state: State, query: str
) -> None:
    site = await site_with({"orders": enforced(sources={"query": "access_token"})})
    token = site.opaque()
    R400.assert_is(await site.in_state(state, target=f"/orders?{query.format(token)}"))
    assert site.introspections == 0


@pytest.mark.case("C013", "C307")
async def test_a_query_token_is_good_where_query_tokens_are_on_and_ends_there(site_with: OpenSite) -> None:
    site = await site_with({"orders": enforced(sources={"query": "access_token"})})
    token = site.opaque()
    PASSES.assert_is(await site.ask(target=f"/orders?a=1&access_token={token}&b=2"))
    assert site.upstream.last.target == "/orders?a=1&b=2"


@pytest.mark.case("C014")
@pytest.mark.parametrize("state", [State.COLD, State.WARM])
async def test_a_form_token_is_not_looked_at_where_form_tokens_are_off(site: Site, state: State) -> None:
    body = b"access_token=another-one&x=" + b"y" * 2_000_000
    form = "Content-Type: application/x-www-form-urlencoded"
    authorization = f"Authorization: Bearer {site.opaque()}"
    PASSES.assert_is(await site.in_state(state, authorization, form, method="POST", body=body))
    assert site.upstream.last.body == body


@pytest.mark.case("C014")
async def test_a_form_body_alone_is_no_credential_where_form_tokens_are_off(site: Site, state: State) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    body = f"access_token={site.opaque()}".encode()
    N401.assert_is(await site.in_state(state, form, method="POST", body=body))


@pytest.mark.case("C022")
async def test_another_header_is_a_credential_on_the_route_that_names_it_and_on_no_other(site_with: OpenSite) -> None:
    named = enforced(sources={"authorization": False, "header": "X-Access-Token"}) | {"path": "/named"}
    site = await site_with({"orders": enforced(), "named": named})
    token = site.opaque()
    PASSES.assert_is(await site.ask(f"X-Access-Token: {token}", target="/named"))
    assert site.upstream.last.header("x-access-token") == []
    N401.assert_is(await site.ask(f"X-Access-Token: {token}"))


# --- length ---

WIDE = {"header": 20_000, "headers": 65_536}


@pytest.mark.case("C018", "C060")
@pytest.mark.parametrize(
    ("length", "expected"), [(8191, PASSES), (8192, PASSES), (8193, I401), (12_000, I401), (65_536, B431)]
)
async def test_a_token_is_at_most_8_kib_long(site_with: OpenSite, state: State, length: int, expected: Outcome) -> None:
    site = await site_with(limits=WIDE)
    token = site.opaque("a" * length)
    outcome = D503 if expected is PASSES and state is State.OUTAGE else expected
    outcome.assert_is(await site.in_state(state, f"Authorization: Bearer {token}"))
    assert (site.introspections > 0) is (expected is PASSES)


@pytest.mark.case("C018")
@pytest.mark.parametrize(("length", "expected"), [(8171, PASSES), (8172, PASSES), (8173, B431), (65_536, B431)])
async def test_by_default_the_limit_of_a_header_line_counts_first(site: Site, length: int, expected: Outcome) -> None:
    expected.assert_is(await site.bearer(site.opaque("a" * length)))


# --- framing of the header ---


@pytest.mark.case("C019", "C020", "C211")
@pytest.mark.parametrize(
    "lines",
    [
        b"Authorization : Bearer %s",
        b"Authorization\t: Bearer %s",
        b"Authorization: Bearer\r\n %s",
        b"Authorization:\r\n\tBearer %s",
        b" Authorization: Bearer %s",
        b"Authorization: Bearer %s\r\nX: a\r\n b",
        b"Authorization: Bearer %s\0",
        b"Authorization: Bearer %s\rX: 1",
    ],
)
async def test_a_malformed_header_line_is_refused_and_never_shown(site: Site, state: State, lines: bytes) -> None:
    token = site.vouched(site.jwt())
    B400.assert_is(await site.in_state(state, lines % token.encode()))
    assert site.introspections == 0


# --- methods ---


@pytest.mark.case("C025")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_no_method_skips_the_policy(site: Site, state: State, method: str) -> None:
    reply = await site.in_state(state, method=method)
    assert reply.status == 401
    assert challenge(reply).get("error") is None


@pytest.mark.case("C025")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_every_method_passes_with_a_good_token(site: Site, method: str) -> None:
    site.upstream.plays(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert (await site.bearer(site.opaque(), method=method)).status == 200
    assert site.upstream.last.line.startswith(f"{method} ")


@pytest.mark.case("C025")
@pytest.mark.parametrize("method", ["FOO", "get", "X" * 200])
async def test_a_method_that_http_does_not_know_is_refused_whatever_the_token(
    site: Site, state: State, method: str
) -> None:
    token = site.vouched(site.jwt())
    B400.assert_is(await site.in_state(state, f"Authorization: Bearer {token}", method=method))
    assert site.introspections == 0


@pytest.mark.case("C025", "C216")
@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
async def test_trace_and_connect_are_refused_whatever_the_token(site: Site, state: State, method: str) -> None:
    token = site.vouched(site.jwt())
    reply = await site.in_state(state, f"Authorization: Bearer {token}", method=method)
    assert reply.status in {400, M405.status, 501}


# --- preflight ---

PREFLIGHT = ["Origin: https://app.example.com", "Access-Control-Request-Method: GET"]


@pytest.mark.case("C024")
async def test_a_preflight_needs_a_token_unless_the_route_lets_it_through(site: Site, state: State) -> None:
    N401.assert_is(await site.in_state(state, *PREFLIGHT, method="OPTIONS"))


@pytest.mark.case("C024", "C218", "C219")
async def test_a_preflight_that_is_let_through_carries_no_forged_identity(site_with: OpenSite) -> None:
    route = enforced(identity_headers={"X-User": "sub"}) | {"preflight": True}
    site = await site_with({"orders": route})
    forged = ["X-User: admin", "x_user: admin", "X.User: admin", "X-USER: root"]
    PASSES.assert_is(await site.ask(*PREFLIGHT, *forged, method="OPTIONS"))
    assert b"admin" not in site.upstream.last.head
    assert b"root" not in site.upstream.last.head
    N401.assert_is(await site.ask("Origin: https://app.example.com", method="OPTIONS"))
    N401.assert_is(await site.ask(*PREFLIGHT, method="GET"))


# --- what is forwarded instead ---


@pytest.mark.case("C218", "C219", "C221")
async def test_the_upstream_receives_the_identity_that_the_provider_names_and_no_other(site_with: OpenSite) -> None:
    site = await site_with({"orders": enforced(identity_headers={"X-User": "sub"})})
    forged = ["X-User: admin", "X_User: admin", "x.user: admin", "X-User:", "Connection: X-User"]
    PASSES.assert_is(await site.bearer(site.opaque(), *forged))
    assert site.upstream.last.header("x-user") == ["alice"]
    assert b"admin" not in site.upstream.last.head


# --- the challenge ---


@pytest.mark.case("C027", "C312")
async def test_a_challenge_is_well_formed_whatever_the_realm_and_the_request(site_with: OpenSite) -> None:
    site = await site_with({"orders": enforced(realm='the "orders" \\ API', scopes=["orders.write"])})
    target = "/orders/%3CEvil%3E?x=%22Evil"
    for reply in (
        await site.ask(target=target),
        await site.bearer("unknown", target=target),
        await site.bearer(site.opaque(), target=target),
        await site.ask("Authorization: Bearer", target=target),
    ):
        assert challenge(reply)["realm"] == 'the \\"orders\\" \\\\ API'
        assert b"Evil" not in reply.head + reply.body
