"""C208: the 33 subjects of h1spec, through the whole gateway.

h1spec (github.com/uNetworking/h1spec) is a script for Deno that no package registry has. What it asks about is asked
here in requests of our own. It accepts any error for what is bad: here it has to be the one that the RFC names.
"""

import asyncio
from collections.abc import Mapping

import pytest

from tests.servers import RawCaller, gateway, recording_upstream, request

pytestmark = [pytest.mark.case("C208"), pytest.mark.usefixtures("lane")]

WHOLE = b"GET /orders HTTP/1.1\r\nHost: localhost\r\n\r\n"
UNFINISHED = {
    "within the method": b"GE",
    "behind the method": b"GET ",
    "within the target": b"GET /orders",
    "behind the target": b"GET /orders ",
    "within the version": b"GET /orders HTTP/1",
    "behind the version": b"GET /orders HTTP/1.1",
    "within the end of the request line": b"GET /orders HTTP/1.1\r",
    "behind the request line": b"GET /orders HTTP/1.1\r\n",
    "within a field name": b"GET /orders HTTP/1.1\r\nHo",
    "behind a field name": b"GET /orders HTTP/1.1\r\nHost:",
    "before a field value": b"GET /orders HTTP/1.1\r\nHost: ",
    "behind a field value": b"GET /orders HTTP/1.1\r\nHost: localhost",
    "within the end of a field": b"GET /orders HTTP/1.1\r\nHost: localhost\r",
    "behind a field": b"GET /orders HTTP/1.1\r\nHost: localhost\r\n",
    "within the end of the head": b"GET /orders HTTP/1.1\r\nHost: localhost\r\n\r",
}
"""Where a request may come in two pieces (RFC 9112, 2.2): nothing is answered before the second one is here."""

BAD: Mapping[str, tuple[bytes, set[int]]] = {
    # RFC 9112, 3: "request-line = method SP request-target SP HTTP-version".
    "no version": (b"GET / \r\nHost: a\r\n\r\n", {400, 505}),
    "a version that there is not": (b"GET / HTTP/7.7\r\nHost: a\r\n\r\n", {400, 505}),
    "something before the request line": (b"what is this GET / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    # RFC 9112, 2.2: "A sender MUST NOT generate a bare CR".
    "a bare CR that begins a field": (b"GET / HTTP/1.1\r\nHost: a\r\n\rX-Field: b\r\n\r\n", {400}),
    # RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
    # lacks a Host header field and to any request message that contains more than one Host header field line".
    "no Host": (request("GET", "/", "Content-Length: 3", host=None), {400}),
    "two Hosts": (request("GET", "/", "Host: b.example"), {400}),
    # RFC 9110, 5.1: a field name is a token; 5.5: a value has no control characters.
    "a field name with brackets": (request("GET", "/", "X-Field{}: a"), {400}),
    "a control character in a value": (request("GET", "/", b"X-Field: a\x01b"), {400}),
    # RFC 9112, 6.3: "If a message is received without Transfer-Encoding and with an invalid Content-Length header
    # field, then the message framing is invalid and the recipient MUST treat it as an unrecoverable error".
    "a length below zero": (request("GET", "/", "Content-Length: -77"), {400}),
    "a length far below zero": (request("GET", "/", "Content-Length: -" + "98765" * 6), {400}),
    "a length in words": (request("GET", "/", "Content-Length: five"), {400}),
    # RFC 9112, 6.1: "A server MAY reject a request that contains both Content-Length and Transfer-Encoding".
    "two framings": (request("GET", "/", "tRANSFER-eNCODING: chunked", "cONTENT-lENGTH: 3"), {400}),
}

GOOD: Mapping[str, tuple[bytes, bytes]] = {
    "a plain one": (request("GET", "/orders"), b""),
    "names in any case, tabs, no value": (b"GET /orders HTTP/1.1\r\nhOST:\tlocalhost\r\nX-Nothing:\r\n\r\n", b""),
    "a value of a blank": (request("GET", "/orders", "X-Blank: "), b""),
    "a body with a length": (request("POST", "/orders", body=b"a body"), b"a body"),
    "a body in chunks": (
        request("POST", "/orders", "Transfer-Encoding: chunked", body=b"2\r\na \r\n4\r\nbody\r\n0\r\n\r\n"),
        b"a body",
    ),
}


async def _says_nothing(caller: RawCaller) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await caller.reader.read(1)
    except TimeoutError:
        return True
    return False


def test_there_are_as_many_as_h1spec_has() -> None:
    expectation = 1
    assert len(UNFINISHED) + len(BAD) + len(GOOD) + expectation == 33


@pytest.mark.parametrize("where", UNFINISHED)
async def test_a_request_is_waited_for_until_it_is_whole(where: str) -> None:
    first = UNFINISHED[where]
    assert WHOLE.startswith(first) or first == b"GET /orders HTTP/1"
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        caller.send(first)
        assert await _says_nothing(caller)
        assert not upstream.requests
        caller.send(WHOLE.removeprefix(first))
        assert (await caller.reply()).status == 200


@pytest.mark.parametrize("what", BAD)
async def test_what_breaks_the_rules_is_refused_and_the_connection_ended(what: str) -> None:
    sent, statuses = BAD[what]
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        caller.send(sent)
        reply = await caller.reply()
        assert reply.status in statuses
        assert reply.closes
        assert await caller.ended() == b""
        assert not upstream.requests


@pytest.mark.parametrize("what", GOOD)
async def test_what_keeps_the_rules_is_forwarded(what: str) -> None:
    sent, body = GOOD[what]
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        assert (await running.ask(sent)).status == 200
        assert [recorded.body for recorded in upstream.requests] == [body]


async def test_who_expects_to_be_told_to_go_on_is_told_or_answered() -> None:
    """RFC 9110, 10.1.1: "A server MAY omit sending a 100 (Continue) response [...] if the framing indicates that there
    is no content."
    """
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        assert (await running.ask(request("GET", "/orders", "Expect: 100-continue"))).status in {100, 200}
