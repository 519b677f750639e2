"""Both lanes come to the same verdict, send the same bytes upstream, and give the same answer."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.headers import Forwarding
from gateway.policy import Allow, Request
from tests.acceptance.test_desync import cases, render, spellings
from tests.rfc.vectors import folder
from tests.servers import (
    GOOD,
    ROUTE,
    Plays,
    RawCaller,
    Recorded,
    RecordingUpstream,
    Running,
    Says,
    bearer,
    gateway,
    play,
    recording_upstream,
    request,
)

WAITS = ("waits",)
PATIENCE = 0.4
"""Seconds after which a gateway seems to wait for more of a request."""
TOKEN = f"Authorization: Bearer {GOOD}"
IDS = re.compile(
    rb"(?im)^(x-request-id|traceparent): .*?\r$|\"instance\":\"[^\"]*\"|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{22}"
)


def bearer_with_extras(request: Request) -> Any:
    """What most of an `Allow` can say."""
    decision = bearer(request)
    if not isinstance(decision, Allow):
        return decision
    return replace(decision, drop_parameters=frozenset({"secret"}), answer_headers=(("RateLimit-Limit", "5"),))


ROUTES = (
    replace(ROUTE, name="public", path="/public"),
    replace(ROUTE, name="api", path="/api", chain=Says(decision=bearer, identity_headers=frozenset({"X-User"}))),
    replace(ROUTE, name="extras", path="/extras", chain=Says(decision=bearer_with_extras)),
    replace(ROUTE, name="moved", path="/moved/{id}", strip_prefix="/moved", add_prefix="/v2", body_limit=10),
    replace(ROUTE, name="reads", path="/reads", methods=frozenset({"GET"}), preflight=True),
    replace(ROUTE, name="rest", hosts=("api.example.com", "example.com")),
)


@dataclass
class Lanes:
    """A gateway without the express lane, and one with it, each with an upstream of its own."""

    ordinary: Running
    express: Running
    upstreams: tuple[RecordingUpstream, RecordingUpstream]

    def play(self, answer: Plays | bytes) -> None:
        for upstream in self.upstreams:
            upstream.plays(answer)


@asynccontextmanager
async def both_lanes(**options: Any) -> AsyncIterator[Lanes]:
    async with (
        recording_upstream() as one,
        recording_upstream() as other,
        gateway(one.url, *ROUTES, express=False, **options) as ordinary,
        gateway(other.url, *ROUTES, express=True, **options) as express,
    ):
        yield Lanes(ordinary, express, (one, other))


def anonymous(octets: bytes) -> bytes:
    """Without ids, which differ, and the upstream's own address."""
    return re.sub(rb"127\.0\.0\.1:\d+", b"upstream", IDS.sub(b"<id>", octets))


async def outcome(
    running: Running, upstream: RecordingUpstream, raw: bytes, split: int = 0, patience: float = PATIENCE
) -> tuple[object, ...]:
    """What the caller got, what the upstream got, and what was recorded."""
    seen, recorded = len(upstream.requests), len(running.exchanges)
    caller = await running.connect()
    caller.send(raw[:split] if split else raw)
    if split:
        await asyncio.sleep(0.003)
        caller.send(raw[split:])
    answer = await answered(caller, raw, patience)
    caller.close()
    while running.gateway.in_flight:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.001)
    sent = [(anonymous(each.head), each.body if each.complete else b"") for each in upstream.requests[seen:]]
    noted = [facts(exchange) for exchange in running.exchanges[recorded:]]
    return answer, sent, noted


def facts(exchange: Any) -> tuple[object, ...]:
    return (
        *(exchange.method, exchange.host, exchange.path, exchange.route, exchange.status, exchange.upstream_status),
        *(exchange.result, exchange.code, exchange.flag, exchange.caller_ip, exchange.scheme, exchange.user_agent),
        *(exchange.bytes_in, exchange.bytes_out, exchange.retries, exchange.received_at, exchange.notes),
    )


async def answered(caller: RawCaller, raw: bytes, patience: float) -> tuple[object, ...]:
    try:
        reply = await caller.reply(timeout=patience, method=raw.split(b" ", 1)[0].decode("latin-1"))
    except TimeoutError:
        return WAITS
    except (asyncio.IncompleteReadError, ConnectionError):
        return ("closed",)
    return anonymous(reply.head), anonymous(reply.body), reply.complete


async def same(lanes: Lanes, raw: bytes) -> None:
    one, other = await outcomes(lanes, raw, PATIENCE)
    if one != other and WAITS in {one[0], other[0]}:
        # A machine that is busy is told from a gateway that waits for more by waiting for longer.
        one, other = await outcomes(lanes, raw, 10 * PATIENCE)
    assert one == other, raw


async def outcomes(lanes: Lanes, raw: bytes, patience: float) -> tuple[tuple[object, ...], tuple[object, ...]]:
    one = await outcome(lanes.ordinary, lanes.upstreams[0], raw, patience=patience)
    return one, await outcome(lanes.express, lanes.upstreams[1], raw, patience=patience)


names = st.sampled_from(
    ["X-A", "x-a", "Accept", "Cookie", "User-Agent", "X-User", "X-Forwarded-For", "X_User", "X.Y", "Keep-Alive", "TE",
     "Connection", "Proxy-Connection", "Content-Encoding", "Content-Type", "Content-Length", "Transfer-Encoding",
     "Expect", "Upgrade", "Origin", "Access-Control-Request-Method", "traceparent", "tracestate", "X-Request-Id",
     "Authorization", "Host", "Forwarded", "Close", "Trailer", "ETag", "HTTP2-Settings", "X-Real-IP"]
)  # fmt: skip
values = st.one_of(
    st.sampled_from(
        ["a", "", "keep-alive", "close", "X-A", "close, X-A", "chunked", "gzip", "100-continue", "h2c", "0", "5", "5 ",
         "GET", "PUT", "other.example", f"Bearer {GOOD}", "Bearer bad", "bearer", f"00-{'a' * 32}-{'b' * 16}-01",
         "6.6.6.6", "id-1", " lead", "tail\t", "t\tab", "\xe9", "caf\xc3\xa9", "a\x01", "x" * 9000]
    ),
    st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12),
)  # fmt: skip
lines = st.lists(st.tuples(names, values), max_size=5)
methods = st.sampled_from(
    ["GET", "GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "get", "TRACE", "CONNECT", "PROPFIND"]
)
targets = st.one_of(
    st.sampled_from(
        [
            *("/public", "/public/a", "/public?a=b&c", "/api", "/api/x", "/extras?secret=1&b=2", "/moved/7", "/reads"),
            *("/moved/7/x?y", "/none", "/public/%41", "/public?%20", "/public?%", "/public//a", "/public/../api", "/"),
            *("/public/.x", "/public/a.b", "/public;x", "/public#f", "\\public", "*", "http://api.example.com/public"),
            *("/public/" + "a" * 8200, "/public?" + "q" * 8000, "public"),
        ]
    ),
    st.text(alphabet="/abc.-_~!$&'()*+,=:@%?;|", max_size=12).map(lambda tail: "/public" + tail),
)
hosts = st.sampled_from(
    ["api.example.com", "API.example.com:80", "h", "[::1]:8", "a_b", "a.", "", "a b", "a:99999", "1.2.3.4"]
)
bodies = st.sampled_from([b"", b"", b"hello", b"0\r\n\r\n", b"a" * 20, b"GET / HTTP/1.1\r\n\r\n"])


plain_lines = st.lists(
    st.sampled_from(
        [
            *(b"X-A: 1", b"x-a: 2", b"X-Empty:", b"Cookie: a=b", b"User-Agent: test", b"X-User: root", b"X-Agw-X: 1"),
            *(b"X-Forwarded-For: 1.1.1.1", b"Forwarded: for=1.1.1.1", b"X-Real-IP: 6.6.6.6", b"X-Rewrite-Url: /x"),
            *(b"Connection: close", b"Connection: Keep-Alive", b"Keep-Alive: 5", b"Origin: a", b"Accept:  */*"),
            *(b"Content-Encoding: gzip", b"Content-Encoding: Chunked", b"Content-Type: text/plain"),
            b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01",
            *(b"tracestate: v=1", b"X-Request-Id: mine", b"Proxy-Authorization: x"),
            b"Access-Control-Request-Method: GET",
        ]
    ),
    unique=True,
    max_size=8,
)
plain_targets = st.sampled_from(
    [
        "/public",
        "/public/a?b=c",
        "/api",
        "/api/x",
        "/extras?secret=1&b=2",
        "/extras?b=2",
        "/moved/7",
        "/moved/7/x?y",
        "/a/b",
    ]
)
plain_methods = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"])


@st.composite
def plain_requests(draw: st.DrawFn) -> bytes:
    headers = draw(plain_lines)
    if draw(st.booleans()):
        headers.append(TOKEN.encode())
    return request(draw(plain_methods), draw(plain_targets), *headers, body=draw(bodies))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    headers = [f"{name}: {value}".encode("latin-1") for name, value in draw(lines)]
    if draw(st.booleans()):
        headers.append(TOKEN.encode())
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0", "2.0"]))
    return request(draw(methods), draw(targets), *headers, host=draw(hosts), body=draw(bodies), version=version) + draw(
        st.sampled_from([b"", b"", b"", b"\r\n", b"GET /next"])
    )


def test_requests_of_any_kind_fare_the_same() -> None:
    taken = 0
    with asyncio.Runner() as runner:
        opened = both_lanes()
        lanes = runner.run(opened.__aenter__())

        @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.one_of(plain_requests(), requests()))
        def compare(raw: bytes) -> None:
            runner.run(same(lanes, raw))

        try:
            compare()
            taken = lanes.express.gateway.expressed
        finally:
            runner.run(opened.__aexit__(None, None, None))
    assert taken > 100


async def test_a_trusted_proxys_word_counts_the_same() -> None:
    async with both_lanes(forwarding=Forwarding(trusted=(ip_network("127.0.0.0/8"),))) as lanes:
        for headers in (
            ("X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Request-Id: theirs-1"),
            ("X-Forwarded-For: 7.7.7.7, junk, 8.8.8.8", "X-Request-Id: no good"),
            (),
        ):
            await same(lanes, request("GET", "/public", *headers))
        assert lanes.express.gateway.expressed == 3


def corpus() -> Iterator[bytes]:
    for tier in ("Severe", "Ambiguous", "Acceptable", "Compliant"):
        yield from map(render, cases(tier))
    for file in sorted(folder().glob("llhttp/**/request/*.md")):
        for block in re.findall(r"```http\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL):
            raw = block.replace("\n", "\r\n").replace("\\r\r\n", "\r\n").replace("\\n\r\n", "\n")
            yield raw.replace("\\t", "\t").replace("\\f", "\f").encode("latin-1", "replace")


@pytest.mark.case("C209")
async def test_what_others_have_collected_fares_the_same() -> None:
    async with both_lanes() as lanes:
        lanes.play(b"HTTP/1.1 204 No Content\r\n\r\n")
        raws = list(corpus())
        for raw in raws:
            await same(lanes, raw)
        assert len(raws) > 200


@pytest.mark.case("C193")
async def test_each_spelling_of_transfer_encoding_fares_the_same() -> None:
    async with both_lanes() as lanes:
        every = sorted(set(spellings()))[::7]
        for spelling in every:
            await same(lanes, request("POST", "/public", b"Content-Length: 5", spelling, body=b"0\r\n\r\n"))


@pytest.mark.case("C217")
async def test_a_request_may_be_split_anywhere_and_fares_the_same() -> None:
    raw = request("POST", "/api/split?a=b", TOKEN, "X-A: 1", body=b"hello")
    async with both_lanes() as lanes:
        whole = await outcome(lanes.ordinary, lanes.upstreams[0], raw)
        for split in range(1, len(raw)):
            assert await outcome(lanes.express, lanes.upstreams[1], raw, split) == whole
        assert lanes.express.gateway.expressed == 5


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 \r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Gone\r\nX-Gone: a\r\nX-Stays: b\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nClose: a\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX-Request-Id: theirs\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: a\r\n\r\n",
    b"HTTP/1.1 418 I'm a teap\xf6t\r\nSet-Cookie: a\r\nset-cookie: b\r\nX-E:\r\nX: \xe9\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nKeep-Alive: 5\r\nProxy-X: y\r\n"
    b"Content-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"junk\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX Y: a\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nold",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["/public", "/extras"])
async def test_answers_of_any_kind_fare_the_same(method: str, path: str) -> None:
    async with both_lanes() as lanes:
        for answer in ANSWERS:
            ends = b"Content-Length" not in answer and b"chunked" not in answer

            async def plays(_: Recorded, __: object, writer: Any, answer: bytes = answer, ends: bool = ends) -> None:
                writer.write(answer)
                if ends:
                    writer.close()

            lanes.play(plays)
            await same(lanes, request(method, path, TOKEN))
        lanes.play(play(None))
        await same(lanes, request(method, path, TOKEN))
        assert lanes.express.gateway.expressed == len(ANSWERS) + 1
