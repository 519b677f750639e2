"""What an upstream sends is read in one way, or not at all."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway import answer_parser
from gateway.answer_parser import (
    LARGEST_HEAD,
    LONGEST_LINE,
    MOST_HEADS,
    MOST_LINES,
    Chunks,
    Framing,
    Malformed,
    may_become_head,
    read_head,
)

HEAD = b"HTTP/1.1 200 OK\r\n"


def framing(*lines: bytes, to_head: bool = False, status: bytes = b"200 OK") -> Framing:
    octets = b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", b""))
    return read_head(octets, to_head=to_head).framing


def test_a_head_is_told_as_it_came_but_for_blanks_around_values() -> None:
    head = read_head(b"HTTP/1.1 404 Not Here\r\nx-A:  b c\t \r\nEmpty:\r\nx-a: \xc3\xa9\r\n\r\n", to_head=False)
    assert (head.status, head.reason) == (404, b"Not Here")
    assert head.lines == [(b"x-A", b"b c"), (b"Empty", b""), (b"x-a", b"\xc3\xa9")]


def test_the_end_of_a_body_is_known_by_its_length_its_last_chunk_or_the_connection() -> None:
    assert framing(b"Content-Length: 2") is Framing.COUNTED
    assert framing(b"transfer-encoding: Chunked") is Framing.CHUNKED
    assert framing() is Framing.OPEN


@pytest.mark.case("C242")
def test_some_answers_have_no_body_whatever_they_announce() -> None:
    for announced in (b"Content-Length: 2", b"Transfer-Encoding: chunked", b"X: y"):
        assert framing(announced, to_head=True) is Framing.NONE
        assert framing(announced, status=b"204 No Content") is Framing.NONE
        assert framing(announced, status=b"304 Not Modified") is Framing.NONE
        assert framing(announced, status=b"102 Processing") is Framing.NONE
    assert framing(b"Content-Length: 0") is Framing.NONE
    assert read_head(HEAD + b"Content-Length: 7\r\n\r\n", to_head=True).length == 7


@pytest.mark.parametrize(
    ("octets", "may_follow"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: closed\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
    ],
)
def test_another_answer_may_follow_only_where_the_end_of_this_one_is_beyond_doubt(
    octets: bytes, may_follow: bool
) -> None:
    assert read_head(octets, to_head=False).keep_alive is may_follow


@pytest.mark.case("C243", "C255")
@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: 2, 2",
        b"Content-Length: -2",
        b"Content-Length: +2",
        b"Content-Length: 0x2",
        b"Content-Length: 2 2",
        b"Content-Length:",
        b"Content-Length: 18446744073709551616",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding:",
        b"X: a\n b",
        b"X: a\r\n b",
        b"X: a\nY: b",
        b"X: a\rY: b",
        b"X : a",
        b" X: a",
        b": a",
        b"X",
        b"X: a\x00b",
        b"X: a\x01b",
        b"X\x80: a",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_none(lines: bytes) -> None:
    with pytest.raises(Malformed):
        read_head(HEAD + lines + b"\r\n\r\n", to_head=False)


@pytest.mark.case("C243")
@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK",
        b"HTTP/1.2 200 OK",
        b"http/1.1 200 OK",
        b"\r\nHTTP/1.1 200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 101 Switching",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade",
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.1 200 O\rK",
        b"GET / HTTP/1.1",
        b"220 mail.example.com ESMTP",
    ],
)
def test_a_line_that_begins_no_answer_of_http_1_is_refused(line: bytes) -> None:
    with pytest.raises(Malformed):
        read_head(line + b"\r\n\r\n", to_head=False)


@pytest.mark.case("C245")
def test_a_head_is_too_large_beyond_the_longest_line_the_most_lines_and_the_whole() -> None:
    longest = b"X: " + b"a" * (LONGEST_LINE - 1)
    assert read_head(HEAD + longest + b"\r\n\r\n", to_head=False).lines[0][1] == b"a" * (LONGEST_LINE - 1)
    assert read_head(HEAD + b"X: a\r\n" * MOST_LINES + b"\r\n", to_head=False).status == 200
    eight = (longest + b"\r\n") * 8
    for lines in (longest + b"a\r\n", b"X: a\r\n" * (MOST_LINES + 1), eight):
        with pytest.raises(Malformed):
            read_head(HEAD + lines + b"\r\n", to_head=False)


@pytest.mark.case("C255")
def test_what_has_arrived_of_a_head_is_given_up_as_soon_as_it_can_become_none() -> None:
    whole = HEAD + b"X: y\r\n\r\n"
    assert all(may_become_head(whole[:size]) for size in range(1, len(whole)))
    for octets in (b"S", b"HTTP/2", b"HTTP/1.1 200 OK\nX", b"\r\nHTTP", HEAD + b"X" * LARGEST_HEAD):
        assert not may_become_head(octets)


def test_chunks_are_decoded_and_trailers_dropped() -> None:
    chunks = Chunks()
    assert chunks.feed(b'2;ext="a"\r\nok\r\n3\r\nabc\r\n0\r\nSet-Cookie: a=1\r\n\r\n') == b"okabc"
    assert (chunks.complete, chunks.exceeded) == (True, False)


@pytest.mark.case("C243")
@pytest.mark.parametrize(
    "octets",
    [
        b"zz\r\n",
        b"2 \r\nok\r\n",
        b"2\nok\r\n",
        b"2\r\nokk\r\n",
        b"-2\r\nok\r\n",
        b"0x2\r\nok\r\n",
        b"fffffffffffffffff\r\n",
        b"2\r\nok\r\n0\r\nX\r\n\r\n",
        b"2\r\nok\r\n0\r\nX: a\x00\r\n\r\n",
        b"\r\n2\r\nok\r\n",
    ],
)
def test_what_is_no_chunk_is_refused(octets: bytes) -> None:
    with pytest.raises(Malformed):
        Chunks().feed(octets)


@pytest.mark.case("C246")
@pytest.mark.parametrize("extra", [b"junk", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nEV", b"\x00", b"0\r\n\r\n"])
def test_what_follows_the_last_chunk_is_no_part_of_the_body(extra: bytes) -> None:
    chunks = Chunks()
    assert chunks.feed(b"2\r\nok\r\n0\r\n\r\n" + extra) == b"ok"
    assert (chunks.complete, chunks.exceeded) == (True, True)


@given(some.lists(some.binary(min_size=1, max_size=40), max_size=5), some.lists(some.integers(1, 60), max_size=8))
def test_chunks_decode_to_the_same_wherever_they_are_split(pieces: list[bytes], sizes: list[int]) -> None:
    left = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    chunks, decoded = Chunks(), b""
    for size in (*sizes, len(left)):
        decoded += chunks.feed(left[:size]) if left else b""
        left = left[size:]
    assert (decoded, chunks.complete, chunks.exceeded) == (b"".join(pieces), True, False)


@given(some.binary(max_size=200))
def test_nothing_but_malformed_comes_of_any_octets(octets: bytes) -> None:
    for prefix in (b"", b"HTTP/1.1 ", HEAD, HEAD + b"Content-Length: "):
        with suppress(Malformed):
            read_head(prefix + octets, to_head=False)
    with suppress(Malformed):
        Chunks().feed(octets)


def test_a_head_that_comes_again_is_read_once() -> None:
    octets = HEAD + b"Server: a\r\nContent-Length: 2\r\n\r\n"
    first = read_head(octets, to_head=False)
    assert read_head(bytes(bytearray(octets)), to_head=False) is first
    assert read_head(octets, to_head=True).framing is Framing.NONE
    assert read_head(octets, to_head=False).framing is Framing.COUNTED


@pytest.mark.parametrize(
    "line", [b"Set-Cookie: a=s3cr3t", b"Location: /?code=s3cr3t", b"X-Token: s3cr3t", b"Server: " + b"a" * 1024]
)
def test_a_head_that_may_hold_a_secret_or_is_long_is_not_remembered(line: bytes) -> None:
    octets = HEAD + line + b"\r\n\r\n"
    first = read_head(octets, to_head=False)
    assert read_head(octets, to_head=False) is not first
    assert octets not in answer_parser._remembered


def test_heads_are_remembered_up_to_a_number() -> None:
    for length in range(2 * MOST_HEADS):
        read_head(HEAD + b"Content-Length: %d\r\n\r\n" % length, to_head=False)
        assert 0 < len(answer_parser._remembered) <= MOST_HEADS
