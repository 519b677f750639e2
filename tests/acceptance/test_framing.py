"""Block G: where one request ends and the next begins is nobody's guess."""

import asyncio
import logging
from dataclasses import replace

import pytest

from gateway.caller import Limits
from gateway.policy import Allow
from tests.servers import (
    GOOD,
    ROUTE,
    RecordingUpstream,
    Running,
    Says,
    bearer,
    gateway,
    play,
    recording_upstream,
    request,
)

CHUNKED = "Transfer-Encoding: chunked"
TOKEN = f"Authorization: Bearer {GOOD}"
PROTECTED = replace(ROUTE, chain=Says(decision=bearer))
GET = request("GET", "/next")


async def refused(raw: bytes, *, status: int = 400) -> None:
    """The bytes are answered with that status and a closed connection; nothing reaches the upstream."""
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        await refuses(running, upstream, raw, status=status)
        assert (await running.ask(GET)).status == 200


async def refuses(running: Running, upstream: RecordingUpstream, raw: bytes, *, status: int = 400) -> None:
    before = len(upstream.requests)
    caller = await running.connect()
    caller.send(raw)
    reply = await caller.reply()
    assert (reply.status, reply.closes) == (status, True)
    assert reply.header("content-type") == ["application/problem+json"]
    assert await caller.ended() == b""
    assert len(upstream.requests) == before


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(["Content-Length: 4", CHUNKED], marks=pytest.mark.case("C192")),
        pytest.param([CHUNKED, "Content-Length: 4"], marks=pytest.mark.case("C192")),
        pytest.param([CHUNKED, CHUNKED], marks=pytest.mark.case("C194")),
        pytest.param([CHUNKED, "Transfer-Encoding: identity"], marks=pytest.mark.case("C194")),
        pytest.param(["Transfer-Encoding: chunked, identity"], marks=pytest.mark.case("C194")),
        pytest.param(["Transfer-Encoding: chunked, chunked"], marks=pytest.mark.case("C194")),
        pytest.param(["Transfer-Encoding: xchunked"], marks=pytest.mark.case("C193")),
        pytest.param(["Transfer-Encoding: chunked;a=b"], marks=pytest.mark.case("C193")),
        pytest.param(['Transfer-Encoding: "chunked"'], marks=pytest.mark.case("C193")),
        pytest.param(["Transfer-Encoding : chunked"], marks=pytest.mark.case("C193")),
        pytest.param([" Transfer-Encoding: chunked"], marks=pytest.mark.case("C193")),
        pytest.param(["Transfer-Encoding:\x0bchunked"], marks=pytest.mark.case("C193")),
        pytest.param(["Transfer-Encoding: chunked\x00"], marks=pytest.mark.case("C193")),
        pytest.param(["X: y\nTransfer-Encoding: chunked"], marks=pytest.mark.case("C193", "C206")),
        pytest.param(["X: \rTransfer-Encoding: chunked"], marks=pytest.mark.case("C193", "C206")),
        *(
            pytest.param([f"Content-Length: {value}"], marks=pytest.mark.case("C195"))
            for value in (
                "",
                "5, 5",
                "+5",
                "-1",
                "0x5",
                "5 5",
                "18446744073709551616",
                "9" * 7000,
                "\uff15",
                "\u0665",
                "5.0",
            )
        ),
        pytest.param(["Content-Length: 5", "Content-Length: 5"], marks=pytest.mark.case("C195")),
        pytest.param(["Content-Length: 5", "Content-Length: 6"], marks=pytest.mark.case("C195")),
    ],
    ids=lambda headers: " | ".join(headers)[:60].encode("unicode_escape").decode(),
)
async def test_framing_that_can_be_read_in_two_ways_is_refused(headers: list[str]) -> None:
    encoded = [header.encode() for header in headers]
    await refused(request("POST", "/", *encoded, body=b"0\r\n\r\n" + GET))


@pytest.mark.case("C194")
async def test_a_transfer_coding_that_nobody_here_knows_is_not_implemented() -> None:
    await refused(request("POST", "/", "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), status=501)


@pytest.mark.case("C193")
@pytest.mark.parametrize(
    "header",
    ["Transfer_Encoding: chunked", "Transfer.Encoding: chunked", "Content-Encoding: chunked", "Content_Length: 9"],
)
async def test_what_only_looks_like_framing_never_reaches_the_upstream(header: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        assert (await running.ask(request("POST", "/", header, "Content-Length: 5", body=b"hello"))).status == 200
        assert len(upstream.requests) == 1
        assert upstream.last.body == b"hello"
        assert not upstream.last.header(header.partition(":")[0])


@pytest.mark.case("C196")
@pytest.mark.parametrize("framing", ["Content-Length: %d", CHUNKED])
async def test_what_is_left_of_a_refused_body_is_never_a_request(framing: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, PROTECTED) as running:
        caller = await running.connect()
        inner = request("GET", "/smuggled", TOKEN)
        body = inner if "%d" in framing else b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
        caller.send(request("POST", "/", framing.replace("%d", str(len(inner))), body=body))
        assert (await caller.reply()).status == 401
        caller.send(request("GET", "/real", TOKEN, "Connection: close"))
        rest = await caller.ended()
        assert rest.count(b"HTTP/1.1 ") <= 1
        assert {recorded.target for recorded in upstream.requests} <= {"/real"}


@pytest.mark.case("C196")
async def test_a_large_body_that_nobody_wants_ends_the_connection() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, PROTECTED) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 1000000", body=b"a" * 1000))
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (401, True)
        assert not upstream.requests


@pytest.mark.case("C198")
async def test_a_body_is_asked_for_only_after_the_policies_said_yes() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, PROTECTED) as running:
        expecting = request("POST", "/", "Expect: 100-continue", "Content-Length: 5")
        caller = await running.connect()
        caller.send(expecting)
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (401, True)
        assert not upstream.requests
        caller = await running.connect()
        caller.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 5", TOKEN))
        assert (await caller.reply()).head == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.send(b"hello")
        assert (await caller.reply()).status == 200
        assert upstream.last.body == b"hello"


@pytest.mark.case("C198")
async def test_an_expectation_that_is_unknown_fails() -> None:
    await refused(request("POST", "/", "Expect: something", "Content-Length: 5"), status=417)


@pytest.mark.case("C199")
@pytest.mark.parametrize(
    "tail",
    [
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"fffffffffffffffff\r\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n5\r\n",
        b"5\nhello\r\n",
        b"5;a\nb\r\nhello\r\n",
        b"g\r\n",
        b"\r\n",
    ],
)
@pytest.mark.parametrize("pause", [False, True])
async def test_a_malformed_chunk_is_refused_and_the_upstream_sees_an_abort(tail: bytes, pause: bool) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", CHUNKED) + b"3\r\nabc\r\n")
        if pause:
            await upstream.until(lambda it: bool(it.requests))
        caller.send(tail)
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (400, True)
        await upstream.until(lambda it: not it.open)
        assert not any(recorded.complete for recorded in upstream.requests)
        assert (await running.ask(GET)).status == 200


@pytest.mark.case("C199")
async def test_a_chunk_extension_without_end_is_refused() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", CHUNKED) + b"3;" + b"a" * 1_000_000 + b"\r\nabc\r\n0\r\n\r\n")
        try:
            status = (await caller.reply()).status
        except (asyncio.IncompleteReadError, ConnectionError):
            status = 400
        if status == 200:
            # An extension is legal, and dropped: what the upstream got is one request with this body.
            assert [recorded.body for recorded in upstream.requests] == [b"abc"]
            assert b";" not in upstream.last.head
        else:
            assert status == 400


@pytest.mark.case("C200")
async def test_trailers_are_dropped_and_never_become_headers() -> None:
    trailers = b"X-User: root\r\nAuthorization: Bearer good\r\n"
    async with recording_upstream() as upstream, gateway(upstream.url, ROUTE) as running:
        sent = request("POST", "/", CHUNKED, body=b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n")
        for raw in (sent + GET, sent):
            caller = await running.connect()
            caller.send(raw)
            assert (await caller.reply()).status == 200
            if raw == sent:
                caller.send(GET)
            # The parser would put a trailer before the next request's headers: there is no next request.
            assert await caller.ended() == b""
        assert len(upstream.requests) == 2
        for recorded in upstream.requests:
            assert recorded.body == b"abc"
            assert not recorded.header("authorization") + recorded.header("x-user")


@pytest.mark.case("C200")
@pytest.mark.parametrize("trailer", [b"Content-Length: 5", b"Host: evil", b"Transfer-Encoding: chunked"])
async def test_a_trailer_that_speaks_of_framing_never_arrives(trailer: bytes) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        reply = await running.ask(request("POST", "/", CHUNKED, body=b"0\r\n" + trailer + b"\r\n\r\n"))
        assert reply.closes
        for recorded in upstream.requests:
            assert recorded.header("host") == [upstream.url.removeprefix("http://")]
            assert recorded.header("transfer-encoding") == ["chunked"]
            assert not recorded.header("content-length")


@pytest.mark.case("C202")
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_forwarded_with_the_framing_that_it_came_with(method: str, chunked: bool) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(b"HTTP/1.1 204 No Content\r\n\r\n")
        framing = (CHUNKED,) if chunked else ()
        body = b"5\r\nhello\r\n0\r\n\r\n" if chunked else b"hello"
        assert (await running.ask(request(method, "/", *framing, body=body))).status == 204
        assert upstream.last.body == b"hello"
        assert upstream.last.header("transfer-encoding") == (["chunked"] if chunked else [])
        assert upstream.last.header("content-length") == ([] if chunked else ["5"])
        assert (await running.ask(GET)).status == 204


@pytest.mark.case("C203")
@pytest.mark.parametrize(("version", "status"), [("0.9", 505), ("2.0", 505), ("9.9", 400), ("1.1x", 400), ("1.2", 400)])
async def test_only_http_1_1_and_1_0_are_spoken(version: str, status: int) -> None:
    await refused(request("GET", "/", version=version), status=status)


@pytest.mark.case("C203")
async def test_chunks_in_http_1_0_are_refused() -> None:
    await refused(request("POST", "/", CHUNKED, body=b"0\r\n\r\n", version="1.0"))


async def test_http_1_0_is_answered_without_chunks() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        reply = await running.ask(request("GET", "/", "Connection: keep-alive", version="1.0"))
        assert (reply.body, reply.closes) == (b"ok", True)
        upstream.plays(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        kept = await running.ask(request("GET", "/", "Connection: keep-alive", version="1.0"))
        assert (kept.body, kept.header("connection")) == (b"ok", ["keep-alive"])


@pytest.mark.case("C204")
async def test_http_2_is_neither_spoken_nor_offered() -> None:
    await refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        headers = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
        caller = await running.connect()
        caller.send(request("GET", "/", *headers) + GET)
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (200, True)
        assert await caller.ended() == b""
        assert not upstream.last.header("upgrade") + upstream.last.header("http2-settings")
        assert len(upstream.requests) == 1


@pytest.mark.case("C205")
async def test_pipelined_requests_are_answered_in_order_each_by_its_own_verdict() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, PROTECTED) as running:
        caller = await running.connect()
        caller.send(b"".join(request("GET", f"/{number}", *([TOKEN] if number % 3 else [])) for number in range(100)))
        statuses = [(await caller.reply()).status for _ in range(100)]
        assert statuses == [200 if number % 3 else 401 for number in range(100)]
        assert [recorded.target for recorded in upstream.requests] == [f"/{n}" for n in range(100) if n % 3]


@pytest.mark.case("C206")
@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\rHost: h\r\r",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
        b"\r\n\r\nx GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\t HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"junk\r\n\r\n",
    ],
)
async def test_lines_that_do_not_end_as_they_must_are_refused(raw: bytes) -> None:
    await refused(raw)


@pytest.mark.case("C016")
async def test_a_header_that_is_not_utf_8_is_refused() -> None:
    await refused(request("GET", "/", b"Authorization: Bearer \xe9"))


@pytest.mark.case("C210")
@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/" + "a" * 8191, (), 200),
        ("/" + "a" * 8192, (), 414),
        ("/" + "a" * 20_000, (), 414),
        ("/?" + "a" * 300_000, (), 414),
        ("/", ("X: " + "a" * 8191,), 200),
        ("/", ("X: " + "a" * 8192,), 431),
        ("/", ("X: " + "a" * 8193,), 431),
        ("/", ("X" * 8193 + ": a",), 431),
        ("/", ("X: " + "a" * 300_000,), 431),
        ("/", ("X: a",) * 99, 200),
        ("/", ("X: a",) * 100, 431),
        ("/", ("X: a",) * 1000, 431),
        ("/", ("X: " + "a" * 8000,) * 8, 200),
        ("/", ("X: " + "a" * 8000,) * 9, 431),
        ("/", ("X: a",) * 100_000, 431),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_what_is_too_large_is_refused_with_its_own_status(
    target: str, headers: tuple[str, ...], status: int
) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        raw = request("GET", target, *headers)
        for start in range(0, len(raw), 50_000):
            caller.send(raw[start : start + 50_000])
            await asyncio.sleep(0)
        reply = await caller.reply()
        assert reply.status == status
        assert len(upstream.requests) == (status == 200)
        assert reply.closes is (status != 200)


@pytest.mark.case("C210", "C264")
async def test_a_body_above_the_limit_is_refused_before_it_is_read() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, limits=Limits(body=5)) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 6"))
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (413, True)
        assert not upstream.requests
        assert (await running.ask(request("POST", "/", body=b"12345"))).status == 200


@pytest.mark.case("C264")
async def test_a_chunked_body_is_cut_at_the_limit_and_the_upstream_sees_an_abort() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, body_limit=5)) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", CHUNKED) + b"5\r\n12345\r\n")
        await upstream.until(lambda it: bool(it.requests))
        caller.send(b"1\r\n6\r\n0\r\n\r\n")
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (413, True)
        await upstream.until(lambda it: not it.open)
        assert not upstream.last.complete


@pytest.mark.case("C019", "C211")
async def test_nothing_of_a_bad_request_is_in_the_answer_or_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        bodies = set()
        for raw in (
            b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization : Bearer s3cret\r\n\r\n",
            b"s3cret / HTTP/1.1\r\n\r\n",
            b"GET /s3cret\x00 HTTP/1.1\r\n\r\n",
            request("POST", "/", CHUNKED) + b"3;s3cret\rs3cret\r\n",
        ):
            reply = await running.ask(raw)
            assert reply.status == 400
            bodies.add(reply.body.partition(b'"instance"')[0])
            assert b"s3cret" not in reply.head + reply.body
        assert len(bodies) == 1
        assert "s3cret" not in caplog.text
        assert "s3cret" not in repr(running.exchanges)


@pytest.mark.case("C213")
@pytest.mark.parametrize(
    "headers",
    [
        ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"),
        (
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 8",
            "Sec-WebSocket-Key: " + "A" * 22 + "==",
        ),
    ],
)
async def test_a_broken_handshake_opens_no_tunnel(headers: tuple[str, ...]) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        await refuses(running, upstream, request("GET", "/", *headers))


@pytest.mark.case("C213")
async def test_only_a_get_can_become_a_websocket() -> None:
    key = "Sec-WebSocket-Key: " + "A" * 22 + "=="
    headers = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key)
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        await refuses(running, upstream, request("POST", "/", *headers, body=b"hello"))


@pytest.mark.case("C213")
async def test_an_upgrade_to_anything_else_is_a_plain_request() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        caller.send(request("GET", "/", "Upgrade: notwebsocket", "Connection: Upgrade"))
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (200, True)
        assert not upstream.last.header("upgrade")


SPLIT = request("POST", "/split/%c3%a9", TOKEN, CHUNKED, body=b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")


@pytest.mark.case("C217")
async def test_a_request_may_be_split_anywhere() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, PROTECTED) as running:

        async def split_at(position: int) -> int:
            caller = await running.connect()
            caller.send(SPLIT[:position])
            await asyncio.sleep(0.005)
            caller.send(SPLIT[position:])
            return (await caller.reply()).status

        statuses = await asyncio.gather(*(split_at(position) for position in range(1, len(SPLIT))))
        assert set(statuses) == {200}
        assert {(recorded.target, recorded.body) for recorded in upstream.requests} == {("/split/%C3%A9", b"hello!")}
        assert len(upstream.requests) == len(SPLIT) - 1


@pytest.mark.case("C217")
async def test_a_bad_request_may_be_split_anywhere() -> None:
    raw = b"GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n"
    async with recording_upstream() as upstream, gateway(upstream.url) as running:

        async def split_at(position: int) -> int:
            caller = await running.connect()
            caller.send(raw[:position])
            await asyncio.sleep(0.005)
            caller.send(raw[position:])
            return (await caller.reply()).status

        assert set(await asyncio.gather(*(split_at(position) for position in range(1, len(raw))))) == {400}
        assert not upstream.requests


async def test_an_answer_before_the_end_of_the_body_ends_both_connections() -> None:
    async with (
        recording_upstream() as upstream,
        gateway(upstream.url, replace(ROUTE, chain=Says(decision=Allow()))) as running,
    ):
        upstream.reads_body = False
        upstream.plays(play(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"))
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 10", body=b"12345"))
        reply = await caller.reply()
        assert (reply.status, reply.body, reply.closes) == (403, b"no", True)
        await upstream.until(lambda it: not it.open)
        upstream.reads_body = True
        upstream.plays(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert (await running.ask(GET)).status == 200
        assert upstream.last.line == "GET /next HTTP/1.1"
