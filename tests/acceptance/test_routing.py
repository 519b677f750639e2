"""Block F: the policy that decided is the policy of the path on which the upstream acts."""

import asyncio
import posixpath
from dataclasses import replace
from itertools import permutations
from urllib.parse import unquote

import pytest

from gateway.policy import Request
from gateway.router import Route
from tests.servers import GOOD, ROUTE, RecordingUpstream, Running, Says, bearer, gateway, recording_upstream, request

PUBLIC = replace(ROUTE, name="public", path="/public")
ADMIN = replace(ROUTE, name="admin", path="/admin", chain=Says(decision=bearer))


async def ask(target: str | bytes, *headers: str, method: str = "GET") -> tuple[int, list[str]]:
    """The status, and the targets that reached the upstream."""
    raw = target if isinstance(target, bytes) else target.encode("latin-1")
    async with recording_upstream() as upstream, gateway(upstream.url, PUBLIC, ADMIN) as running:
        sent = request(method, "TARGET", *headers).replace(b"TARGET", raw, 1)
        reply = await running.ask(sent)
        assert (await running.ask(request("GET", "/public/ok"))).status == 200
        return reply.status, [recorded.target for recorded in upstream.requests[:-1]]


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/public/../admin", marks=pytest.mark.case("C166")),
        pytest.param("/public/./../admin", marks=pytest.mark.case("C166")),
        pytest.param("/public/b/../../admin", marks=pytest.mark.case("C166")),
        pytest.param("/public/%2e%2e/admin", marks=pytest.mark.case("C167")),
        pytest.param("/public/.%2e/admin", marks=pytest.mark.case("C167")),
        pytest.param("/public/%2E%2E/admin", marks=pytest.mark.case("C167")),
        pytest.param("/public/..%2fadmin", marks=pytest.mark.case("C168")),
        pytest.param("/admin%2fx", marks=pytest.mark.case("C168")),
        pytest.param("/public/%2F..%2F..%2F", marks=pytest.mark.case("C168")),
        pytest.param("/public\\..\\admin", marks=pytest.mark.case("C169")),
        pytest.param("/public/..%5cadmin", marks=pytest.mark.case("C169")),
        pytest.param("//admin", marks=pytest.mark.case("C171")),
        pytest.param("/public//b///c", marks=pytest.mark.case("C171")),
        pytest.param("///", marks=pytest.mark.case("C171")),
        pytest.param("/admin;/x", marks=pytest.mark.case("C172")),
        pytest.param("/admin;a=b", marks=pytest.mark.case("C172")),
        pytest.param("/public/..;/admin", marks=pytest.mark.case("C172")),
        pytest.param("/public#/../admin", marks=pytest.mark.case("C174")),
        pytest.param("/public?a#b", marks=pytest.mark.case("C174")),
        pytest.param("/public/%c0%ae%c0%ae/admin", marks=pytest.mark.case("C177")),
        pytest.param("/public/%e0%80%af", marks=pytest.mark.case("C177")),
        pytest.param("/public/%uff0e", marks=pytest.mark.case("C177")),
        pytest.param("/public/%", marks=pytest.mark.case("C181")),
        pytest.param("/public/%zz", marks=pytest.mark.case("C181")),
        pytest.param("/public/%1", marks=pytest.mark.case("C181")),
        pytest.param("/public/\xe9", marks=pytest.mark.case("C182")),
        pytest.param("http://other/admin", marks=pytest.mark.case("C178")),
        pytest.param("ftp://api.example.com/public", marks=pytest.mark.case("C178")),
        pytest.param("https://u:p@api.example.com/public", marks=pytest.mark.case("C178")),
        "*",
    ],
)
async def test_a_target_that_can_be_read_in_two_ways_goes_nowhere(target: str) -> None:
    assert await ask(target) == (400, [])


@pytest.mark.case("C167")
async def test_the_upstream_gets_the_bytes_that_were_matched() -> None:
    assert await ask("/public/%7eb%2ec/%20%c3%a9?x=%2e%2e&y=a+b") == (200, ["/public/~b.c/%20%C3%A9?x=%2e%2e&y=a+b"])


@pytest.mark.case("C178")
async def test_a_url_of_the_host_that_is_asked_is_a_path_like_any_other() -> None:
    assert await ask("http://API.example.com/public/a?b") == (200, ["/public/a?b"])
    assert await ask("http://api.example.com/admin") == (401, [])


@pytest.mark.case("C175")
async def test_a_query_cannot_choose_the_route() -> None:
    assert await ask("/admin?x=/public/health") == (401, [])
    assert await ask("/nothing?/public") == (404, [])


@pytest.mark.case("C186")
async def test_what_no_route_is_for_is_never_forwarded() -> None:
    assert await ask("/other") == (404, [])
    assert await ask("/publicly") == (404, [])


@pytest.mark.case("C180")
@pytest.mark.parametrize("host", ["", "a@b", "a, b", "a:99999", "a b", "api.example.com/x"])
async def test_a_host_that_is_none_is_refused(host: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        assert (await running.ask(request("GET", "/", host=host))).status == 400
        assert not upstream.requests


@pytest.mark.case("C180")
async def test_a_host_must_be_sent_once() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        assert (await running.ask(request("GET", "/", host=None))).status == 400
        assert (await running.ask(request("GET", "/", "Host: api.example.com"))).status == 400
        assert not upstream.requests
        assert (await running.ask(request("GET", "/", host=None, version="1.0"))).status == 200


@pytest.mark.case("C180")
@pytest.mark.parametrize("host", ["H.EXAMPLE.", "h.example:8080", "h.Example"])
async def test_every_spelling_of_a_host_leads_to_its_route(host: str) -> None:
    named = replace(ROUTE, name="named", hosts=("h.example",), chain=Says(decision=bearer))
    async with recording_upstream() as upstream, gateway(upstream.url, ROUTE, named) as running:
        assert (await running.ask(request("GET", "/", host=host))).status == 401
        assert not upstream.requests


@pytest.mark.case("C184")
async def test_a_stripped_prefix_changes_neither_the_verdict_nor_the_rest_of_the_path() -> None:
    seen: list[Request] = []

    def sees(request: Request) -> object:
        seen.append(request)
        return bearer(request)

    stripped = replace(
        ROUTE,
        path="/public",
        strip_prefix="/public",
        add_prefix="/v2",
        chain=Says(decision=sees),  # type: ignore[arg-type]  # what it returns is a decision
    )
    async with recording_upstream() as upstream, gateway(upstream.url, stripped) as running:
        token = f"Authorization: Bearer {GOOD}"
        assert (await running.ask(request("GET", "/public/a%41/b", token))).status == 200
        assert (await running.ask(request("GET", "/public", token))).status == 200
        for target in ("/public/../admin", "/public/%2e%2e/admin", "/public/..%2f", "/public//admin"):
            assert (await running.ask(request("GET", target, token))).status == 400
        assert [recorded.target for recorded in upstream.requests] == ["/v2/aA/b", "/v2"]
        assert [request.path for request in seen] == ["/public/aA/b", "/public"]


@pytest.mark.case("C185")
async def test_the_text_of_a_route_is_literal() -> None:
    dotted = replace(ROUTE, name="dotted", path="/v1.0/(a|b)*", exact=True)
    async with recording_upstream() as upstream, gateway(upstream.url, dotted) as running:
        for target in ("/v1x0/a", "/v1.0/ab", "/v1.0/"):
            assert (await running.ask(request("GET", target))).status == 404
        assert not upstream.requests


@pytest.mark.case("C189")
@pytest.mark.parametrize(
    "name", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Envoy-Original-Path", "X-Forwarded-Prefix"]
)
async def test_no_header_steers_the_route_or_reaches_the_upstream(name: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, PUBLIC, ADMIN) as running:
        assert (await running.ask(request("GET", "/admin", f"{name}: /public"))).status == 401
        assert (await running.ask(request("GET", "/public", f"{name}: /admin"))).status == 200
        assert upstream.last.target == "/public"
        assert not upstream.last.header(name)


@pytest.mark.case("C190")
async def test_the_order_of_the_routes_never_decides() -> None:
    routes: list[Route[str]] = [
        ROUTE,
        PUBLIC,
        replace(ADMIN, path="/public/{any}"),
        replace(ADMIN, name="x", path="/x"),
    ]
    async with recording_upstream() as upstream:
        for order in permutations(routes):
            async with gateway(upstream.url, *order) as running:
                await running.ask(request("GET", "/public/7"))
                await running.ask(request("GET", "/public"))
                assert [exchange.route for exchange in running.exchanges] == ["admin", "public"]


@pytest.mark.case("C025")
async def test_trace_is_refused() -> None:
    assert await ask("/public", method="TRACE") == (405, [])


@pytest.mark.case("C216")
@pytest.mark.parametrize("target", ["api.example.com:443", "/public"])
async def test_connect_is_refused_and_opens_no_tunnel(target: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, PUBLIC, ADMIN) as running:
        caller = await running.connect()
        caller.send(request("CONNECT", target) + request("GET", "/public"))
        assert (await caller.reply()).status == 405
        assert await caller.ended() == b""
        assert not upstream.requests


@pytest.mark.case("C025")
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"])
async def test_every_method_is_judged(method: str) -> None:
    assert await ask("/admin", method=method) == (401, [])


@pytest.mark.parametrize("method", ["FOO", "get", "A" * 200])
async def test_a_method_that_the_parser_does_not_know_reaches_nobody(method: str) -> None:
    assert await ask("/public", method=method) == (400, [])


async def fuzz(upstream: RecordingUpstream, running: Running, targets: list[str]) -> list[str]:
    """The targets that reached the upstream without a token."""
    limit = asyncio.Semaphore(20)

    async def one(target: str) -> None:
        async with limit:
            await running.ask(request("GET", target))

    await asyncio.gather(*(one(target) for target in targets))
    return [recorded.target for recorded in upstream.requests]


@pytest.mark.case("C191")
async def test_no_spelling_of_a_way_out_reaches_the_protected_path() -> None:
    dots = ["..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "..;", "..%00", "%c0%ae%c0%ae", "...", ". ."]
    slashes = ["/", "%2f", "\\", "%5c", "//", "%252f", ";/", "/./", "%2F%2e%2f"]
    targets = [
        f"/public{before}{dot}{after}{again}admin"
        for before in slashes
        for dot in dots
        for after in slashes
        for again in ("", "x/..%2f", "../")
    ]
    async with recording_upstream() as upstream, gateway(upstream.url, PUBLIC, ADMIN) as running:
        reached = await fuzz(upstream, running, targets)
    assert len(targets) > 2000
    # What got through is below /public for everybody who decodes a path once and resolves its dots.
    assert reached
    for target in reached:
        meant = unquote(target)
        assert posixpath.normpath(meant).startswith("/public/")
        assert not set(meant) & set(";\\\0")
