"""What the express lane reads, and what it remembers."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.caller import Limits
from gateway.express_head import LARGEST_HEAD, MOST_NAMES, Names, PlainHeaders, read_plain
from gateway.express_headers import MOST_ALLOWS, Decisions
from gateway.headers import NO_NAMES, HeaderNames
from gateway.policy import Allow
from tests.servers import request

LIMITS = Limits()


def test_headers_are_read_as_the_other_lanes_are() -> None:
    raw = request("GET", "/", "X-A: 1", "x-a:2", "X-Empty:")
    head = read_plain(raw, Names(NO_NAMES), LIMITS)
    assert head is not None
    headers = PlainHeaders(head.lines)
    other = CIMultiDictProxy(CIMultiDict([("Host", "api.example.com"), ("X-A", "1"), ("x-a", "2"), ("X-Empty", "")]))
    assert list(headers) == list(other)
    assert list(headers.items()) == list(other.items())
    assert list(headers.values()) == list(other.values())
    assert len(headers) == len(other)
    for name in ("x-A", "X-EMPTY", "host", "none"):
        assert headers.getall(name, ()) == other.getall(name, ())
        assert headers.get(name) == other.get(name)
        assert (name in headers) == (name in other)
    assert headers["x-a"] == "1"
    for asks in (headers.getall, headers.getone, headers.__getitem__):
        with pytest.raises(KeyError):
            asks("none")


def test_a_head_that_is_not_all_here_is_left_alone() -> None:
    raw = request("GET", "/", "X-A: 1")
    for end in range(len(raw)):
        assert read_plain(raw[:end], Names(NO_NAMES), LIMITS) is None
    large = request("GET", "/", *(f"X-{number}: {'a' * 8000}" for number in range(3)))
    assert len(large) > LARGEST_HEAD
    assert read_plain(large, Names(NO_NAMES), LIMITS) is None


@pytest.mark.parametrize(
    "limits", [Limits(target=64), Limits(header=20), Limits(headers=60), Limits(header_count=2)], ids=str
)
def test_what_may_be_too_large_is_left_alone(limits: Limits) -> None:
    raw = request("GET", "/a", "X-A: " + "a" * 30, "X-B: 1")
    assert read_plain(raw, Names(NO_NAMES), LIMITS) is not None
    assert read_plain(raw, Names(NO_NAMES), limits) is None


def test_names_are_remembered_up_to_a_number() -> None:
    names = Names(HeaderNames.of(["X-User"]))
    for number in range(MOST_NAMES + 10):
        learnt = names.learn(b"X-%d" % number)
        assert learnt is not None
        assert learnt.travels
    assert len(names.known) == MOST_NAMES
    user = names.learn(b"x-USER")
    assert user is not None
    assert not user.travels


def test_what_a_decision_changes_is_made_once_as_long_as_it_is_the_same_one() -> None:
    decisions = Decisions()
    allow = Allow(set_headers=(("X-User", "alice"),), drop_headers=frozenset({"authorization"}))
    changes = decisions.changes(allow)
    assert (changes.lines, changes.dropped >= {"x-user", "authorization"}) == (b"X-User: alice\r\n", True)
    assert decisions.changes(allow) is changes
    assert decisions.changes(Allow(set_headers=(("X-User", "bob"),))).lines == b"X-User: bob\r\n"
    for _ in range(2 * MOST_ALLOWS):
        decisions.changes(Allow(set_headers=(("X-User", "carol"),)))
    assert decisions.changes(allow) is not changes
    assert len(decisions._recent) + len(decisions._older) <= MOST_ALLOWS
