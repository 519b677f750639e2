"""The bytes of a request to an upstream."""

from dataclasses import replace

import pytest

from gateway.headers import UnsafeHeader
from gateway.outgoing import Outgoing

GET = Outgoing(method="GET", target="/a?b=c", headers=[(b"X-A", b"\xc3\xa9"), (b"x-a", b"")], host="caller:1")


async def no_body() -> bytes:
    return b""


def test_a_head_is_the_request_line_host_and_the_headers_as_they_are() -> None:
    assert GET.head(b"up") == b"GET /a?b=c HTTP/1.1\r\nHost: up\r\nX-A: \xc3\xa9\r\nx-a: \r\n\r\n"


@pytest.mark.parametrize(
    ("method", "body", "length", "lines"),
    [
        ("GET", False, None, b""),
        ("GET", False, 0, b"Content-Length: 0\r\n"),
        ("POST", False, None, b"Content-Length: 0\r\n"),
        ("DELETE", False, None, b""),
        ("POST", True, 5, b"Content-Length: 5\r\n"),
        ("POST", True, None, b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_the_framing_is_said_once(method: str, body: bool, length: int | None, lines: bytes) -> None:
    outgoing = Outgoing(
        method=method, target="/", headers=[], host="", body=no_body if body else None, content_length=length
    )
    assert outgoing.head(b"up") == b"%b / HTTP/1.1\r\nHost: up\r\n%b\r\n" % (method.encode(), lines)


def test_an_expectation_is_sent_along() -> None:
    outgoing = replace(GET, method="POST", headers=[], body=no_body, content_length=5, expects_continue=True)
    assert b"\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" in outgoing.head(b"up")


def test_pieces_are_sent_as_they_are_or_in_chunks_with_an_end() -> None:
    counted, chunked = replace(GET, content_length=5), replace(GET, body=no_body)
    assert [counted.framed(piece) for piece in (b"hello", b"")] == [b"hello", b""]
    assert [chunked.framed(piece) for piece in (b"hello, world", b"")] == [b"c\r\nhello, world\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize(
    "changed",
    [
        replace(GET, target="/ HTTP/1.1\r\nX: y"),
        replace(GET, target="/a b"),
        replace(GET, method="GET /x"),
        replace(GET, headers=[(b"X", b"a\r\nY: b")]),
        replace(GET, headers=[(b"X", b"a\nY: b")]),
        replace(GET, headers=[(b"X", b"a\rb")]),
        replace(GET, headers=[(b"X", b"a\0b")]),
    ],
)
def test_one_request_never_becomes_two(changed: Outgoing) -> None:
    with pytest.raises(UnsafeHeader):
        changed.head(b"up")


def test_no_host_ends_its_line() -> None:
    with pytest.raises(UnsafeHeader):
        GET.head(b"up\r\nX: y")
