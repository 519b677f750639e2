"""Block H: who a request is from, and by which way it came, is what the gateway says and nobody else."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from gateway.headers import LONGEST_VALUE, Forwarding, Style
from gateway.policy import Allow, Request
from gateway.upstreams import UpstreamOptions
from tests.servers import (
    GOOD,
    ROUTE,
    Says,
    bearer,
    gateway,
    recording_upstream,
    request,
)

TOKEN = f"Authorization: Bearer {GOOD}"
NAMES = frozenset({"X-User", "X-Scopes", "x-agw-*"})
PUBLIC = replace(ROUTE, name="public", path="/public")
IDENTIFIED = replace(
    ROUTE, name="identified", path="/api", chain=Says(decision=bearer, identity_headers=NAMES), preflight=True
)
FORGED = ("X-User: root", "x-user: root", "X_User: root", "X.User: root", "X-User:", "X-Scopes: all", "X-Agw-Tenant: t")
LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.mark.case("C218", "C219")
async def test_forged_identity_reaches_the_upstream_on_no_route() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, PUBLIC, IDENTIFIED) as running:
        assert (await running.ask(request("GET", "/api", TOKEN, *FORGED))).status == 200
        assert [value for name, value in upstream.last.headers if "user" in name.lower()] == ["alice"]
        assert (await running.ask(request("GET", "/public", *FORGED))).status == 200
        preflight = ("Origin: https://a.example", "Access-Control-Request-Method: GET")
        assert (await running.ask(request("OPTIONS", "/api", *preflight, *FORGED))).status == 200
        for recorded in upstream.requests[1:]:
            assert not [
                name for name, _ in recorded.headers if name.lower()[:5] in {"x-use", "x_use", "x.use", "x-agw"}
            ]
            assert not recorded.header("x-scopes")
        assert (await running.ask(request("GET", "/api", *FORGED))).status == 401
        assert len(upstream.requests) == 3


@pytest.mark.case("C024")
async def test_only_a_true_preflight_passes_without_a_token_and_only_where_it_may() -> None:
    preflight = ("Origin: https://a.example", "Access-Control-Request-Method: GET")
    off = replace(IDENTIFIED, name="off", path="/off", preflight=False)
    reads = replace(IDENTIFIED, name="reads", path="/reads", methods=frozenset({"GET"}))
    async with recording_upstream() as upstream, gateway(upstream.url, IDENTIFIED, off, reads) as running:
        assert (await running.ask(request("OPTIONS", "/off", *preflight))).status == 401
        assert (await running.ask(request("OPTIONS", "/api"))).status == 401
        assert (await running.ask(request("OPTIONS", "/api", preflight[0]))).status == 401
        assert (await running.ask(request("GET", "/api", *preflight))).status == 401
        assert (
            await running.ask(request("OPTIONS", "/reads", preflight[0], "Access-Control-Request-Method: PUT"))
        ).status == 405
        assert (await running.ask(request("OPTIONS", "/reads"))).status == 405
        assert not upstream.requests
        assert (await running.ask(request("OPTIONS", "/reads", *preflight))).status == 200


@pytest.mark.case("C221")
@pytest.mark.parametrize(
    "option", ["X-User", "x-USER, close", "authorization", "X-Forwarded-For", "host", "content-length"]
)
async def test_connection_takes_nothing_away_that_the_gateway_says(option: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, IDENTIFIED) as running:
        sent = request("POST", "/api", TOKEN, f"Connection: {option}", body=b"hello")
        assert (await running.ask(sent)).status == 200
        assert upstream.last.header("x-user") == ["alice"]
        assert upstream.last.header("x-forwarded-for") == ["127.0.0.1"]
        assert upstream.last.header("host") == [upstream.url.removeprefix("http://")]
        assert upstream.last.body == b"hello"


@pytest.mark.case("C221", "C229")
async def test_what_connection_nominates_ends_here() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        await running.ask(request("GET", "/", "Connection: X-Mine, keep-alive", "X-Mine: a", "X-Yours: b"))
        assert not upstream.last.header("x-mine") + upstream.last.header("connection")
        assert upstream.last.header("x-yours") == ["b"]


CLAIMED = (
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 443",
    "X-Forwarded-Prefix: /x",
    "X-Forwarded-Server: s",
    "X-Real-IP: 6.6.6.6",
    "Forwarded: for=7.7.7.7;proto=https;host=other",
)


@pytest.mark.case("C223", "C224")
async def test_nobody_is_believed_by_default() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        await running.ask(request("GET", "/", *CLAIMED, "X-Request-Id: mine"))
        told = {name: value for name, value in upstream.last.headers if name.lower().startswith(("x-", "forwarded"))}
        assert told.pop("X-Request-Id") == running.exchanges[0].request_id != "mine"
        assert told == {
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "api.example.com",
        }
        assert (running.exchanges[0].caller_ip, running.exchanges[0].scheme) == ("127.0.0.1", "http")


@pytest.mark.case("C223", "C224")
async def test_a_trusted_proxy_is_believed_and_appended_to() -> None:
    trusting = Forwarding(trusted=LOOPBACK)
    async with recording_upstream() as upstream, gateway(upstream.url, forwarding=trusting) as running:
        reply = await running.ask(request("GET", "/", *CLAIMED, "X-Request-Id: theirs-1"))
        told = {name: value for name, value in upstream.last.headers if name.lower().startswith(("x-", "forwarded"))}
        assert told == {
            "X-Forwarded-For": "6.6.6.6, 127.0.0.1",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil",
            "X-Request-Id": "theirs-1",
        }
        assert reply.header("x-request-id") == ["theirs-1"]
        await running.ask(request("GET", "/", "X-Request-Id: no good"))
        assert upstream.last.header("x-request-id") == [running.exchanges[1].request_id] != ["no good"]


@pytest.mark.case("C225")
@pytest.mark.parametrize(
    ("style", "winner", "names"),
    [
        (Style.X_FORWARDED, "6.6.6.6", {"x-forwarded-for"}),
        (Style.BOTH, "6.6.6.6", {"x-forwarded-for", "forwarded"}),
        (Style.RFC7239, "7.7.7.7", {"forwarded"}),
    ],
)
async def test_where_two_headers_disagree_policy_and_upstream_hear_the_same(
    style: Style, winner: str, names: set[str]
) -> None:
    heard: list[str] = []

    def hears(request: Request) -> Allow:
        heard.append(request.caller_ip)
        return Allow()

    route = replace(ROUTE, chain=Says(decision=hears))
    forwarding = Forwarding(trusted=LOOPBACK, style=style)
    async with recording_upstream() as upstream, gateway(upstream.url, route, forwarding=forwarding) as running:
        await running.ask(request("GET", "/", *CLAIMED))
        assert heard == [winner]
        for name in names:
            assert winner in upstream.last.header(name)[0]
        assert {"x-forwarded-for", "forwarded"} - names == {
            name for name in ("x-forwarded-for", "forwarded") if not upstream.last.header(name)
        }


@pytest.mark.case("C058", "C227")
async def test_no_value_of_a_policy_breaks_a_request(caplog: pytest.LogCaptureFixture) -> None:
    values = (
        ("X-Name", "Zoë"),
        ("X-Split", "a\r\nX-Admin: 1\x00"),
        ("X-Long", "a" * (LONGEST_VALUE + 1)),
        ("X-Odd", "\ud800"),
    )
    route = replace(ROUTE, chain=Says(decision=Allow(set_headers=values)))
    async with recording_upstream() as upstream, gateway(upstream.url, route) as running:
        assert (await running.ask(request("GET", "/"))).status == 200
        assert upstream.last.header("x-name") == ["Zo%C3%AB"]
        assert upstream.last.header("x-split") == ["a%0D%0AX-Admin: 1%00"]
        assert upstream.last.header("x-odd") == ["%ED%A0%80"]
        assert not upstream.last.header("x-admin") + upstream.last.header("x-long")
        assert "X-Long is not sent upstream" in caplog.text
        assert "aaaa" not in caplog.text


@pytest.mark.case("C229")
async def test_hop_by_hop_headers_end_here_both_ways() -> None:
    names = ["Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "TE", "Trailer", "Upgrade"]
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        lines = b"".join(name.encode() + b": x\r\n" for name in names if name != "Upgrade")
        upstream.plays(b"HTTP/1.1 200 OK\r\nConnection: X-Gone\r\nX-Gone: x\r\n" + lines + b"Content-Length: 0\r\n\r\n")
        reply = await running.ask(request("GET", "/", *(f"{name}: x" for name in names)))
        for name in (*names, "X-Gone", "Connection"):
            assert not upstream.last.header(name)
            assert not reply.header(name)


@pytest.mark.case("C230")
async def test_an_answer_passes_unchanged() -> None:
    lines = [
        b"sEt-cOOkie: a=1",
        b"Set-Cookie: b=2; Path=/",
        b"WWW-Authenticate: Negotiate",
        b'www-authenticate: Basic realm="x"',
        b"X-Empty:",
        b"X_Odd.Name: \xe9\xff",
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
    ]
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(b"HTTP/1.1 418 I'm a teap\xf6t\r\n" + b"\r\n".join([*lines, b"Content-Length: 2", b"", b"ok"]))
        reply = await running.ask(request("GET", "/"))
        assert reply.head.split(b"\r\n")[:8] == [
            b"HTTP/1.1 418 I'm a teap\xf6t",
            *(line if line != b"X-Empty:" else b"X-Empty: " for line in lines),
        ]
        assert reply.body == b"ok"
        assert not reply.header("server") + reply.header("content-type")


async def test_a_date_is_added_where_the_upstream_sent_none() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        assert (await running.ask(request("GET", "/"))).header("date") == ["Mon, 23 Nov 2026 12:00:00 GMT"]


async def test_the_policies_headers_and_the_request_id_reach_the_caller() -> None:
    route = replace(ROUTE, chain=Says(decision=Allow(answer_headers=(("RateLimit-Limit", "5"),))))
    async with recording_upstream() as upstream, gateway(upstream.url, route) as running:
        reply = await running.ask(request("GET", "/"))
        assert reply.header("ratelimit-limit") == ["5"]
        assert reply.header("x-request-id") == [running.exchanges[0].request_id] == upstream.last.header("x-request-id")


async def test_a_trace_goes_on_and_a_new_one_begins_without_the_callers_state() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        await running.ask(request("GET", "/", f"traceparent: 00-{'a' * 32}-{'b' * 16}-01", "tracestate: v=1"))
        assert upstream.last.header("traceparent")[0].startswith(f"00-{'a' * 32}-")
        assert upstream.last.header("tracestate") == ["v=1"]
        await running.ask(request("GET", "/", "traceparent: junk", "tracestate: v=1"))
        assert upstream.last.header("traceparent")[0].endswith("-00")
        assert not upstream.last.header("tracestate")
        assert running.exchanges[0].trace_id == "a" * 32


@pytest.mark.case("C232")
@pytest.mark.parametrize(("host", "sent"), [("upstream", "{upstream}"), ("caller", "API.example.com:81")])
async def test_the_upstreams_host_follows_the_configuration_only(host: str, sent: str) -> None:
    async with (
        recording_upstream() as upstream,
        gateway(UpstreamOptions(targets=(upstream.url,), host=host)) as running,
    ):
        await running.ask(request("GET", "/", "X-Forwarded-Host: evil", host="API.example.com:81"))
        assert upstream.last.header("host") == [sent.format(upstream=upstream.url.removeprefix("http://"))]
