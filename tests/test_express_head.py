"""What the express lane reads, and what it remembers."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.caller import Limits
from gateway.express_fields import LARGEST_BLOCK, MOST_BLOCKS, MOST_LINES, MOST_NAMES, Names
from gateway.express_head import LARGEST_HEAD, PlainHead, read_plain
from gateway.express_headers import MOST_ALLOWS, Decisions
from gateway.express_request import PlainHeaders
from gateway.headers import NO_NAMES, HeaderNames
from gateway.policy import Allow
from tests.servers import request

LIMITS = Limits()


def test_headers_are_read_as_the_other_lanes_are() -> None:
    raw = request("GET", "/", "X-A: 1", "x-a:2", "X-Empty:")
    head = read_plain(raw, Names(NO_NAMES), LIMITS)
    assert head is not None
    headers = PlainHeaders(head)
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


def _read(names: Names, *lines: str, target: str = "/") -> PlainHead | None:
    return read_plain(request("GET", target, *lines), names, LIMITS)


def _shown(head: PlainHead | None) -> object:
    if head is None:
        return None
    fields = head.fields
    facts = (fields.host, fields.length, fields.closes, fields.user_agent, fields.asks_preflight)
    return head.raw_headers, facts, list(PlainHeaders(head).items()), head.travelling(frozenset({"x-user"}))


@pytest.mark.parametrize(
    "credential", ["", "Authorization:  three", "authorization: Bearer one", "Authorization: Basic two", "X-A: 1"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_head_says_the_same_when_its_lines_are_remembered(credential: str, place: int) -> None:
    lines = ["User-Agent: a", "accept: */*"]
    if credential:
        lines.insert(place, credential)
    names = Names(NO_NAMES)
    first, again = _read(names, *lines), _read(names, *lines, target="/other?q")
    assert _shown(first) == _shown(again) == _shown(_read(Names(NO_NAMES), *lines))
    assert (len(names) == 1) == (credential not in {"X-A: 1", "Authorization:  three"})


def test_the_next_callers_credential_is_its_own_although_the_lines_are_remembered() -> None:
    names = Names(NO_NAMES)
    one = _read(names, "Authorization: Bearer one", "Accept: */*")
    two = _read(names, "Authorization: Bearer two", "Accept: */*")
    assert one is not None
    assert two is not None
    assert two.fields is one.fields
    for head, value in ((one, "Bearer one"), (two, "Bearer two")):
        assert PlainHeaders(head).getall("Authorization") == [value]
        assert dict(PlainHeaders(head).items())["Authorization"] == value
        assert head.travelling(frozenset()) == b"Authorization: %b\r\nAccept: */*\r\n" % value.encode()
        assert head.travelling(frozenset({"authorization"})) == b"Accept: */*\r\n"


def test_no_credential_stays_in_memory() -> None:
    names = Names(NO_NAMES)
    for number, lines in enumerate(
        [
            ("Authorization: Bearer s3cr3t",),
            ("authorization:Bearer s3cr3t",),
            ("AUTHORIZATION: Bearer s3cr3t",),
            ("X-Key: s3cr3t",),
            ("Cookie: a=s3cr3t",),
            ("Proxy-Authorization: s3cr3t",),
            ("Authorization: Bearer a", "AUTHORIZATION: s3cr3t"),
            ("Authorization: Bearer a", "Authorization: s3cr3t"),
            ("Authorization: Bearer a", "Cookie: s3cr3t"),
            ("User-Agent: authorization: a", "Authorization: s3cr3t"),
            ("X-authorization: a", "Authorization: s3cr3t"),
        ]
    ):
        head = _read(names, f"Accept: {number}", *lines)
        assert head is not None
        assert any(b"s3cr3t" in value for _, value in head.raw_headers)
        del head
    assert len(names) == 1
    assert "s3cr3t" not in repr([(block, fields.lines, fields.values) for block, fields in names._blocks.items()])


@pytest.mark.parametrize(
    "line",
    ["Authorization: ", "Authorization: a ", "Authorization: a\tb", "Authorization: a\r", "Authorization: \xe9"],
)
def test_a_credential_is_looked_at_although_the_lines_are_remembered(line: str) -> None:
    for lines in ((line, "Accept: */*"), ("Accept: */*", line)):
        names = Names(NO_NAMES)
        plain = [each if each != line else "Authorization: a" for each in lines]
        assert _read(names, *plain) is not None
        assert _read(names, *plain) is not None
        assert _read(names, *lines) is None


def test_what_seems_a_credential_inside_of_another_line_is_not_taken_for_one() -> None:
    names = Names(NO_NAMES)
    for _ in range(2):
        for agent in ("authorization: one", "authorization: two", "xauthorization: three"):
            head = _read(names, f"User-Agent: a {agent}")
            assert head is not None
            assert head.fields.user_agent == f"a {agent}"
    assert len(names) == 0


def test_blocks_are_remembered_up_to_a_number_and_a_size() -> None:
    names = Names(NO_NAMES)
    for number in range(MOST_BLOCKS + 10):
        assert _read(names, f"Accept: {number}") is not None
        assert 0 < len(names) <= MOST_BLOCKS
    names = Names(NO_NAMES)
    assert _read(names, "Accept: " + "a" * LARGEST_BLOCK) is not None
    assert len(names) == 0


def test_lines_that_are_remembered_count_with_the_credential_that_they_come_with() -> None:
    names = Names(NO_NAMES)
    few = Limits(headers=200, header=150)
    for length, taken in ((10, True), (120, True), (150, False), (10, True)):
        head = read_plain(request("GET", "/", "Authorization: " + "a" * length), names, few)
        assert (head is not None) == taken


def test_a_preflight_is_left_alone_although_its_lines_are_remembered() -> None:
    names = Names(NO_NAMES)
    lines = ("Origin: https://a.example", "Access-Control-Request-Method: PUT")
    for _ in range(2):
        assert read_plain(request("GET", "/", *lines), names, LIMITS) is not None
        assert read_plain(request("OPTIONS", "/", *lines), names, LIMITS) is None


def test_a_request_line_says_the_same_when_it_is_remembered_and_none_with_a_query_is() -> None:
    names = Names(NO_NAMES)
    for target, path, query in (
        ("/a/b:c", "/a/b:c", ""),
        ("/a?", "/a", ""),
        ("/a?access_token=b", "/a", "access_token=b"),
    ):
        for method in ("GET", "POST"):
            for _ in range(2):
                head = read_plain(request(method, target), names, LIMITS)
                assert head is not None
                assert (head.method, head.path, head.query) == (method, path, query)
    assert set(names.request_lines) == {b"GET /a/b:c HTTP/1.1", b"POST /a/b:c HTTP/1.1"}


@pytest.mark.parametrize(
    "line",
    [
        *(b"GET / HTTP/1.0", b"get / HTTP/1.1", b"GET /a b HTTP/1.1", b"GET //a HTTP/1.1", b"GET /a/../b HTTP/1.1"),
        *(b"GET /%41 HTTP/1.1", b"GET a HTTP/1.1", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"\r\nGET / HTTP/1.1"),
        *(b"GET /\xe9 HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\n HTTP/1.1", b"TRACE / HTTP/1.1", b"GET / HTTP/1.1\n"),
    ],
)
def test_a_request_line_that_is_not_plain_is_left_alone_whatever_is_remembered(line: bytes) -> None:
    names = Names(NO_NAMES)
    for _ in range(2):
        assert read_plain(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", names, LIMITS) is not None
        assert read_plain(line + b"\r\nHost: a\r\n\r\n", names, LIMITS) is None
    assert len(names.request_lines) == 1


def test_request_lines_are_remembered_up_to_a_number_and_a_size() -> None:
    names = Names(NO_NAMES)
    assert _read(names, target="/" + "a" * LARGEST_BLOCK) is not None
    assert not names.request_lines
    for number in range(MOST_LINES + 10):
        assert _read(names, target=f"/{number}") is not None
        assert 0 < len(names.request_lines) <= MOST_LINES
