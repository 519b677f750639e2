"""One connection to an upstream: every way in which an answer comes, ends, breaks off, or is none."""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.answer_parser import AnswerHead
from gateway.outgoing import UpstreamBroke, UpstreamFailure, UpstreamInvalid, UpstreamSilent
from gateway.upstream_connection import Patience, UpstreamConnection
from tests.fakes import FakeClock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"
OPEN = b"HTTP/1.1 200 OK\r\n\r\nok"
PATIENCE = Patience(connect=1, response=10, idle=20, keep_alive=30)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Remembers what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reads = True
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Wire:
    """A connection between a fake transport, a home and a sink: it is all three of them, and notes what it is told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.transport = FakeTransport()
        self.told: list[object] = []
        self.kept: list[UpstreamConnection] = []
        self.health: list[str] = []
        self.ended = 0
        self.on_head: Callable[[], None] = lambda: None
        self.connection = UpstreamConnection(self, PATIENCE, self.clock.monotonic)
        self.connection.connection_made(self.transport)

    def ask(self, octets: bytes = GET, **options: bool) -> "Wire":
        self.connection.start(self, octets, **options)
        return self

    def says(self, *pieces: bytes) -> "Wire":
        for piece in pieces:
            self.connection.data_received(piece)
        return self

    @property
    def body(self) -> bytes:
        return b"".join(each for each in self.told if isinstance(each, bytes))

    @property
    def failure(self) -> UpstreamFailure | None:
        last = self.told[-1] if self.told else None
        return last if isinstance(last, UpstreamFailure) else None

    @property
    def is_kept(self) -> bool:
        return self.kept == [self.connection] and not self.transport.aborted

    # The sink.

    def head(self, head: AnswerHead) -> None:
        self.told.append((head.status, head.reason, tuple(head.lines), head.length))
        self.on_head()

    def piece(self, piece: bytes) -> None:
        assert piece
        self.told.append(piece)

    def end(self) -> None:
        self.told.append("end")

    def failed(self, failure: UpstreamFailure) -> None:
        self.told.append(failure)

    def go_on(self) -> None:
        self.told.append("go on")

    def hold_body(self) -> None:
        self.told.append("hold")

    def resume_body(self) -> None:
        self.told.append("resume")

    # The home.

    def opened(self, connection: UpstreamConnection) -> None:
        """It is known already."""

    def answered(self) -> None:
        self.health.append("answered")

    def broke(self) -> None:
        self.health.append("broke")

    def take_back(self, connection: UpstreamConnection) -> None:
        self.kept.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        self.ended += 1


def heard(wire: Wire) -> list[object]:
    """What the sink was told, with the body as one and failures by their type."""
    others = [type(each) if isinstance(each, Exception) else each for each in wire.told if not isinstance(each, bytes)]
    return [*others, wire.body]


@pytest.mark.parametrize("answer", [OK, CHUNKED])
def test_an_answer_with_an_end_is_told_and_the_connection_kept(answer: bytes) -> None:
    wire = Wire().ask().says(answer)
    assert wire.transport.written == GET
    assert (wire.told[0][0], wire.told[-1]) == (200, "end")  # type: ignore[index]  # the head
    assert wire.body == (b"ok" if answer is OK else b"okabc")
    assert wire.is_kept
    assert wire.health == ["answered"]


def test_a_kept_connection_serves_the_next_request() -> None:
    wire = Wire().ask().says(OK)
    wire.told.clear()
    wire.ask().says(CHUNKED)
    assert heard(wire)[-2:] == ["end", b"okabc"]


def test_an_answer_without_an_end_lasts_until_the_connection_ends() -> None:
    wire = Wire().ask().says(OPEN, b"more")
    assert wire.body == b"okmore"
    wire.connection.connection_lost(None)
    assert (wire.told[-1], wire.kept) == ("end", [])


@pytest.mark.case("C238")
@pytest.mark.parametrize("answer", [OK[:-1], CHUNKED[:-1], CHUNKED[:-12], OPEN])
def test_an_answer_that_breaks_off_is_never_complete(answer: bytes) -> None:
    wire = Wire().ask().says(answer)
    wire.connection.connection_lost(ConnectionResetError())
    assert isinstance(wire.failure, UpstreamBroke)
    assert "end" not in wire.told
    assert not wire.kept


@pytest.mark.case("C242")
@pytest.mark.parametrize("rest", [b"", b"evil"])
def test_an_answer_to_head_has_no_body_and_with_one_the_connection_ends(rest: bytes) -> None:
    wire = Wire().ask(to_head=True).says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + rest)
    assert heard(wire)[1:] == ["end", b""]
    assert wire.is_kept is not bool(rest)


@pytest.mark.case("C246")
@pytest.mark.parametrize("answer", [OK, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"])
@pytest.mark.parametrize("extra", [OK, b"junk", b"\r\n", b"HTTP/1.1 2"])
def test_what_follows_an_answer_reaches_nobody(answer: bytes, extra: bytes) -> None:
    at_once, later = Wire().ask().says(answer + extra), Wire().ask().says(answer, extra)
    assert heard(at_once) == heard(later)
    assert later.transport.aborted
    # The parser takes an empty line before the next answer for nothing, and so it is.
    assert at_once.transport.aborted or (answer, extra) == (CHUNKED, b"\r\n")


@pytest.mark.case("C246")
def test_what_comes_before_any_request_ends_the_connection() -> None:
    wire = Wire().says(OK)
    assert (wire.transport.aborted, wire.told, wire.ended) == (True, [], 1)


@pytest.mark.case("C252")
def test_interim_answers_are_skipped_and_100_asks_for_the_body() -> None:
    wire = Wire().ask(whole=False).says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
    assert wire.told == ["go on"]
    wire.connection.send(b"hello")
    wire.connection.finish()
    wire.says(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + OK)
    assert heard(wire)[-2:] == ["end", b"ok"]
    assert wire.told.count("go on") == 1
    assert wire.is_kept


@pytest.mark.case("C243", "C255")
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
    ],
)
def test_what_is_no_answer_ends_the_connection_and_nothing_of_it_is_told(answer: bytes) -> None:
    wire = Wire().ask().says(answer)
    assert [type(each) for each in wire.told] == [UpstreamInvalid]
    assert wire.transport.aborted
    wire.connection.connection_lost(None)
    assert (len(wire.told), wire.ended, wire.health) == (1, 1, [])


@pytest.mark.case("C239")
def test_a_body_that_is_not_in_chunks_any_more_fails() -> None:
    wire = Wire().ask().says(CHUNKED[:-24], b"zz\r\n")
    assert isinstance(wire.failure, UpstreamInvalid)
    assert wire.transport.aborted


@pytest.mark.case("C245")
def test_a_head_without_an_end_is_not_kept_for_ever() -> None:
    wire = Wire().ask().says(b"HTTP/1.1 200 OK\r\n")
    for _ in range(70):
        wire.says(b"X: " + b"a" * 1000 + b"\r\n")
    assert isinstance(wire.failure, UpstreamInvalid)


@pytest.mark.case("C236")
def test_whether_a_connection_may_have_been_dead_before_depends_on_its_past_and_on_any_byte() -> None:
    fresh = Wire().ask()
    fresh.connection.connection_lost(None)
    kept = Wire().ask().says(OK).ask()
    kept.connection.connection_lost(ConnectionResetError())
    begun = Wire().ask().says(OK).ask().says(b"H")
    begun.connection.connection_lost(None)
    failures = [wire.failure for wire in (fresh, kept, begun)]
    assert [isinstance(failure, UpstreamBroke) and failure.was_idle for failure in failures] == [False, True, False]
    assert (fresh.health, kept.health, begun.health) == (["broke"], ["answered"], ["answered", "broke"])


def test_a_connection_that_was_lost_meanwhile_takes_no_request() -> None:
    wire = Wire()
    wire.connection.connection_lost(None)
    wire.ask()
    assert isinstance(wire.failure, UpstreamBroke)
    assert wire.transport.written == b""


# An answer before the request's body has ended: what is left of it would be taken for the next request.


@pytest.mark.parametrize("answer", [OK, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_an_answer_before_the_end_of_the_request_ends_the_connection(answer: bytes) -> None:
    wire = Wire().ask(whole=False).says(answer)
    assert wire.told[-1] == "end"
    assert (wire.transport.aborted, wire.kept) == (True, [])


def test_an_answer_while_the_request_waits_to_be_taken_ends_the_connection() -> None:
    wire = Wire().ask(whole=False)
    wire.connection.send(b"hello")
    wire.connection.pause_writing()
    wire.connection.finish()
    wire.says(OK)
    assert (wire.told[-1], wire.transport.aborted) == ("end", True)


def test_the_body_waits_while_the_upstream_takes_nothing() -> None:
    wire = Wire().ask(whole=False)
    wire.connection.pause_writing()
    wire.connection.resume_writing()
    wire.connection.finish()
    wire.connection.pause_writing()
    assert wire.told == ["hold", "resume"]


# Whoever reads slowly.


@pytest.mark.case("C249")
def test_the_upstream_waits_for_the_sink_and_a_kept_connection_reads_again() -> None:
    wire = Wire().ask().says(OK[:-1])
    wire.connection.pause()
    assert (wire.transport.reads, wire.connection.deadline) == (False, math.inf)
    wire.connection.resume()
    assert wire.transport.reads
    wire.connection.pause()
    wire.says(b"k")
    assert (wire.transport.reads, wire.is_kept) == (True, True)


@pytest.mark.case("C247")
def test_a_sink_that_leaves_is_told_nothing_more() -> None:
    for left_at_head in (True, False):
        wire = Wire()
        wire.on_head = wire.connection.abort if left_at_head else lambda: None
        wire.ask().says(CHUNKED[:-10])
        wire.connection.abort()
        told = len(wire.told)
        wire.says(CHUNKED[-10:])
        wire.connection.connection_lost(None)
        assert len(wire.told) == told <= (1 if left_at_head else 2)
        assert (wire.transport.aborted, wire.ended, wire.kept) == (True, 1, [])


# Deadlines: looked at by whoever keeps the connections.


@pytest.mark.case("C240")
def test_the_head_the_pieces_and_the_next_request_are_each_waited_for() -> None:
    wire = Wire().ask()
    assert wire.connection.deadline == wire.clock.monotonic() + PATIENCE.response
    wire.clock.move(5)
    wire.says(OK[:-1])
    assert wire.connection.deadline == wire.clock.monotonic() + PATIENCE.idle
    wire.clock.move(5)
    wire.says(b"k")
    assert wire.connection.deadline == wire.clock.monotonic() + PATIENCE.keep_alive


def test_an_interim_answer_is_no_reason_to_wait_longer() -> None:
    wire = Wire().ask()
    until = wire.connection.deadline
    wire.clock.move(5)
    wire.says(b"HTTP/1.1 102 Processing\r\n\r\n")
    assert wire.connection.deadline == until


@pytest.mark.case("C240")
def test_the_callers_slowness_is_not_the_upstreams() -> None:
    wire = Wire().ask(whole=False)
    assert wire.connection.deadline == math.inf
    wire.connection.pause_writing()
    assert wire.connection.deadline == wire.clock.monotonic() + PATIENCE.response
    wire.connection.resume_writing()
    assert wire.connection.deadline == math.inf
    wire.connection.finish()
    assert wire.connection.deadline == wire.clock.monotonic() + PATIENCE.response


@pytest.mark.case("C240")
def test_a_connection_that_nobody_uses_is_not_kept_for_ever() -> None:
    wire = Wire()
    assert wire.connection.deadline == wire.clock.monotonic() + PATIENCE.keep_alive
    wire.connection.expire()
    assert wire.transport.aborted
    assert not wire.told


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", OK[:-1], OPEN])
def test_an_upstream_that_is_late_is_silent_and_an_idle_connection_ends_without_a_word(answer: bytes) -> None:
    wire = Wire().ask().says(*([answer] if answer else []))
    wire.connection.expire()
    assert isinstance(wire.failure, UpstreamSilent)
    idle = Wire().ask().says(OK)
    idle.told.clear()
    idle.connection.expire()
    assert (idle.told, idle.transport.aborted, wire.transport.aborted) == ([], True, True)


# Whatever comes, and however it is cut.


def split(octets: bytes, sizes: Sequence[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(octets[:size])
        octets = octets[size:]
    return [piece for piece in (*pieces, octets) if piece]


ANSWERS = [
    OK,
    CHUNKED,
    OPEN,
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    CHUNKED.replace(b"3\r\nabc", b"3\r\nabcd"),
]


@pytest.mark.case("C217")
@given(some.sampled_from(ANSWERS), some.lists(some.integers(1, 30), max_size=12))
def test_an_answer_is_the_same_wherever_it_is_split(answer: bytes, sizes: list[int]) -> None:
    whole, pieces = Wire().ask().says(answer), Wire().ask().says(*split(answer, sizes))
    for wire in (whole, pieces):
        wire.connection.connection_lost(None)
    assert heard(whole)[:-1] == heard(pieces)[:-1]
    # What came before a malformed chunk may have been passed on already.
    assert pieces.body == whole.body or isinstance(whole.failure, UpstreamInvalid)
    assert whole.kept == whole.kept[:1]
    assert bool(whole.kept) == bool(pieces.kept)


@pytest.mark.case("C217")
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_may_come_byte_by_byte(answer: bytes) -> None:
    whole, pieces = Wire().ask().says(answer), Wire().ask().says(*split(answer, [1] * len(answer)))
    assert heard(whole)[:-1] == heard(pieces)[:-1]


@pytest.mark.case("C243")
@given(
    some.lists(
        some.one_of(
            some.binary(min_size=1, max_size=30),
            some.sampled_from(
                [
                    b"HTTP/1.1 200 OK\r\n",
                    b"\r\n",
                    b"Content-Length: 5\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"5\r\nhello\r\n",
                    b"0\r\n",
                ]
            ),
        ),
        max_size=12,
    )
)
def test_no_octets_raise_and_each_request_ends_once(pieces: list[bytes]) -> None:
    wire = Wire().ask().says(*pieces)
    wire.connection.connection_lost(None)
    ends = [each for each in wire.told if each == "end" or isinstance(each, Exception)]
    assert ends == [wire.told[-1]]
    heads = [each for each in wire.told if isinstance(each, tuple)]
    assert len(heads) <= 1
    for _, _, lines, _ in heads:
        names = [name.lower() for name, _ in lines]
        assert not {b"content-length", b"transfer-encoding"} <= set(names)
        assert names.count(b"content-length") <= 1
