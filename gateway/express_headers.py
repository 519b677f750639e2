"""The heads that the express lane writes: the ordinary lane's bytes, of parts that are made once. Pure."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from gateway.answer_head import date, has_no_body, joined, render, tells_length
from gateway.answer_parser import Rendered
from gateway.correlation import Trace
from gateway.express_fields import LONGEST_NAME, MOST_NAMES
from gateway.express_head import PlainHead
from gateway.headers import Lines, encoded_set, for_caller, may_return, oversized
from gateway.policy import Allow

MOST_ALLOWS = 16_384
"""Decisions whose headers are remembered."""

NOTHING = Allow()

_REPLACED = frozenset({"x-request-id", "traceparent"})
_TRACESTATE = frozenset({"tracestate"})
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_CONTROL = bytes(sorted({*range(0x100)} - {*range(0x20), 0x7F} | {0x09}))
_MEANS_A_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Changes:
    """What an `Allow` makes of a request's headers."""

    allow: Allow
    dropped: frozenset[str]
    """Names in lower case that the upstream does not receive from the caller."""
    dropped_untraced: frozenset[str]
    """The same where no trace of the caller's goes on."""
    lines: bytes
    """What it receives in their place."""
    oversized: tuple[str, ...]
    """What it does not receive, as it is too long."""


def changes_of(allow: Allow) -> Changes:
    """Raises `UnsafeHeader` for a name that is none."""
    dropped, untraced = _dropped(allow.drop_headers, tuple([name for name, _ in allow.set_headers]))
    return Changes(allow, dropped, untraced, joined(encoded_set(allow)), tuple(oversized(allow.set_headers)))


@lru_cache(maxsize=1024)
def _dropped(drop: frozenset[str], replaced: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """The same objects for the same names: they are those of the configuration, and come with every token."""
    dropped = _REPLACED | drop | {name.lower() for name in replaced}
    return dropped, dropped | _TRACESTATE


_NO_CHANGES = changes_of(NOTHING)


class Decisions:
    """The changes of decisions that policies give again and again: the same for the same object."""

    def __init__(self) -> None:
        self._recent: dict[int, Changes] = {}
        self._older: dict[int, Changes] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._recent) + len(self._older)

    def changes(self, allow: Allow) -> Changes:
        """What this one changes. Raises what `changes_of` raises."""
        if not allow.set_headers and not allow.drop_headers:
            return _NO_CHANGES
        if allow.answer_headers:
            # What tells the caller what it has left, say, is made for one request: it would only push others out.
            return changes_of(allow)
        key = id(allow)
        found = self._recent.get(key) or self._older.get(key)
        # An id may be another's by now; the object is not.
        if found is None or found.allow is not allow:
            found = changes_of(allow)
        elif key in self._recent:
            return found
        if len(self._recent) >= MOST_ALLOWS // 2:
            self._older, self._recent = self._recent, {}
        self._recent[key] = found
        return found


def start_of(method: str, target: str) -> bytes:
    """The head of a request to an upstream, up to what `Host` says."""
    return f"{method} {target} HTTP/1.1\r\nHost: ".encode("ascii")


def rest_of(head: PlainHead, changes: Changes, *, told: bytes, request_id: str, trace: Trace) -> bytes:
    """The same head behind `Host`, to its end; the order is that of `Outgoing.head`.

    `told` says where the request comes from.
    """
    lines = head.travelling(changes.dropped if trace.continued else changes.dropped_untraced)
    ours = f"X-Request-Id: {request_id}\r\ntraceparent: {trace.traceparent}\r\n".encode("ascii")
    return b"\r\n%b%b%b%b%b" % (lines, told, ours, changes.lines, _framing(head))


def _framing(head: PlainHead) -> bytes:
    length = head.fields.length
    if length is not None:
        return b"Content-Length: %d\r\n\r\n" % length
    # RFC 9110, 8.6: a client "SHOULD send a Content-Length [...] when the method defines a meaning for content".
    return b"Content-Length: 0\r\n\r\n" if head.method in _MEANS_A_BODY else b"\r\n"


class AnswerFacts(Protocol):
    """The head of an upstream's answer."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> bytes: ...
    @property
    def lines(self) -> Lines: ...
    @property
    def length(self) -> int | None: ...
    @property
    def rendered(self) -> dict[bool, Rendered] | None:
        """Where the head is remembered: what was made of it before, by `keep_alive`."""


class Dates:
    """The value of `Date`, made once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._date = b""

    def __call__(self, now: float) -> bytes:
        """For this time, in seconds since the epoch."""
        second = int(now)
        if second != self._second:
            self._second, self._date = second, date(now)
        return self._date


_STAYS, _RETURNS, _IS_DATE, _IS_CONNECTION = range(4)
_HARMLESS = frozenset({b"close", b"keep-alive"})


class AnswerHeads:
    """Writes heads of answers. The names of headers, each as it is sent, are looked into once."""

    def __init__(self) -> None:
        self._known: dict[bytes, int | None] = {}
        self._dates = Dates()

    def render(
        self, head: AnswerFacts, allow: Allow, *, method: str, request_id: str, keep_alive: bool, now: float
    ) -> tuple[bytes, bool]:
        """What the caller receives, to the end of the head; and whether the body is to be sent in chunks.

        Raises `UnsafeHeader` for an answer whose head is not what it seems.
        """
        parts = None if allow.answer_headers else self._parts(head, method, keep_alive=keep_alive, now=now)
        if parts is None:
            tail, chunked = _framing_of(head, method)
            return _any(head, allow, request_id, tail, keep_alive=keep_alive, now=now), chunked
        before, after, chunked = parts
        return b"%b%b%b" % (before, request_id.encode("ascii"), after), chunked

    def _parts(self, head: AnswerFacts, method: str, *, keep_alive: bool, now: float) -> Rendered | None:
        memory = head.rendered
        if memory is not None and (found := memory.get(keep_alive)) is not None:
            return found
        plain = self._plain(head)
        if plain is None:
            return None
        before, dated = plain
        tail, chunked = _framing_of(head, method)
        end = b"\r\n" if keep_alive else b"Connection: close\r\n\r\n"
        after = b"\r\n%b%b" % (tail if dated else b"%bDate: %b\r\n" % (tail, self._dates(now)), end)
        if memory is not None and dated:
            memory[keep_alive] = before, after, chunked
        return before, after, chunked

    def _plain(self, head: AnswerFacts) -> tuple[bytes, bool] | None:
        """The head up to the request's id, and whether it has a date; `None` where a closer look is needed."""
        known = self._known
        parts = [b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)]
        dated = False
        for line in head.lines:
            kind = known.get(line[0], -1)
            if kind == -1:
                kind = self._learn(line[0])
            if kind == _RETURNS:
                parts.append(b"%b: %b\r\n" % line)
            elif kind == _IS_DATE:
                dated = True
                parts.append(b"%b: %b\r\n" % line)
            elif kind is None or (kind == _IS_CONNECTION and line[1].lower() not in _HARMLESS):
                return None
        octets = b"".join(parts)
        if octets.translate(None, _NO_CONTROL) != b"\r\n" * len(parts):
            return None
        return octets + b"X-Request-Id: ", dated

    def _learn(self, name: bytes) -> int | None:
        kind = _kind(name)
        if len(self._known) < MOST_NAMES and len(name) <= LONGEST_NAME:
            self._known[name] = kind
        return kind


def _framing_of(head: AnswerFacts, method: str) -> tuple[bytes, bool]:
    """The line that says how the body ends, if there is one, and whether it comes in chunks."""
    status, length = head.status, head.length
    if length is not None:
        tells = tells_length(status) or not has_no_body(method, status)
        return b"Content-Length: %d\r\n" % length if tells else b"", False
    if has_no_body(method, status):
        return b"", False
    return b"Transfer-Encoding: chunked\r\n", True


def _kind(name: bytes) -> int | None:
    lower = name.decode("latin-1").lower()
    # RFC 9110, 7.6.1: who answers `Connection: close` nominates a header of that name as well.
    if not _TOKEN.fullmatch(name) or lower == "close":
        return None
    if lower == "connection":
        return _IS_CONNECTION
    if lower == "x-request-id" or not may_return(lower):
        return _STAYS
    return _IS_DATE if lower == "date" else _RETURNS


def _any(head: AnswerFacts, allow: Allow, request_id: str, tail: bytes, *, keep_alive: bool, now: float) -> bytes:
    lines = for_caller(head.lines, answer_headers=allow.answer_headers, request_id=request_id)
    if tail:
        name, _, value = tail[:-2].partition(b": ")
        lines.append((name, value))
    reason = head.reason.decode("utf-8", "surrogateescape")
    return render(head.status, reason, lines, now=now, connection=b"" if keep_alive else b"close")
