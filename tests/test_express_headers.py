"""What the express lane remembers of decisions."""

from itertools import product
from typing import Any

import pytest

from gateway import answer_parser
from gateway.answer_parser import read_head
from gateway.express_headers import MOST_ALLOWS, AnswerHeads, Decisions
from gateway.policy import Allow

SETS = (("X-A", "1"),)


def test_a_decision_that_is_given_again_is_remembered_once() -> None:
    decisions, allow = Decisions(), Allow(set_headers=SETS)
    first = decisions.changes(allow)
    assert first.lines == b"X-A: 1\r\n"
    assert decisions.changes(allow) is first
    assert len(decisions) == 1


def test_one_that_changes_nothing_needs_no_memory() -> None:
    decisions = Decisions()
    assert decisions.changes(Allow()) is decisions.changes(Allow(valid_until=5.0))
    assert len(decisions) == 0


def test_one_that_tells_the_caller_something_is_made_for_one_request_and_not_remembered() -> None:
    decisions = Decisions()
    for left in range(9):
        allow = Allow(set_headers=SETS, answer_headers=(("RateLimit-Remaining", str(left)),))
        assert decisions.changes(allow).lines == b"X-A: 1\r\n"
    assert len(decisions) == 0


def test_no_more_are_remembered_than_there_is_room_for_and_those_in_use_stay() -> None:
    decisions, used = Decisions(), Allow(set_headers=SETS)
    first = decisions.changes(used)
    for number in range(3 * MOST_ALLOWS):
        decisions.changes(Allow(set_headers=(("X-A", str(number)),)))
        if number % 1000 == 0:
            assert decisions.changes(used) is first
    assert len(decisions) <= MOST_ALLOWS


@pytest.mark.parametrize("status", [b"200 OK", b"204 No Content", b"304 Not Modified", b"500 Oh"])
@pytest.mark.parametrize("line", [b"Content-Length: 2", b"Transfer-Encoding: chunked", b"Server: a", b"Set-Cookie: a"])
@pytest.mark.parametrize("dated", [b"", b"Date: Mon, 23 Nov 2026 08:00:00 GMT\r\n"])
def test_a_head_that_comes_again_is_written_the_same_but_for_the_id(status: bytes, line: bytes, dated: bytes) -> None:
    octets = b"HTTP/1.1 %b\r\n%b\r\n%b\r\n" % (status, line, dated)
    heads = AnswerHeads()
    for method, keep_alive, request_id in 2 * tuple(product(("GET", "HEAD"), (True, False), ("one", "two"))):
        facts: dict[str, Any] = {"method": method, "request_id": request_id, "keep_alive": keep_alive, "now": 5.0}
        to_head = method == "HEAD"
        remembered, new = read_head(octets, to_head=to_head), answer_parser._read(octets, to_head=to_head)
        assert new.rendered is None
        assert heads.render(remembered, Allow(), **facts) == heads.render(new, Allow(), **facts)
        assert b"X-Request-Id: %b\r\n" % request_id.encode() in heads.render(remembered, Allow(), **facts)[0]
