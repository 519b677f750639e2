"""What an upstream sends, read strictly: the head of an answer, and its chunks. No I/O.

llhttp decides what is HTTP. Where it knows more than one reading, there is none here.
"""

import re
from enum import Enum
from typing import TypeAlias

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.headers import Lines

END = b"\r\n\r\n"
"""Of a head."""
LARGEST_HEAD = 65_536
"""In bytes."""
LONGEST_LINE = 8190
"""In bytes: the name and the value."""
MOST_LINES = 128
MOST_HEADS = 512
"""Heads that are remembered."""
LARGEST_REMEMBERED = 1024
"""In bytes, of a head that is remembered."""
HARMLESS = frozenset(
    {
        *(b"accept-ranges", b"cache-control", b"connection", b"content-encoding", b"content-language"),
        *(b"content-length", b"content-type", b"date", b"etag", b"expires", b"keep-alive", b"last-modified"),
        *(b"pragma", b"server", b"strict-transport-security", b"transfer-encoding", b"vary", b"via"),
        *(b"x-content-type-options", b"x-frame-options", b"x-powered-by"),
    }
)
"""Names of headers that hold no secret. A head with any other is not remembered."""

_START = b"HTTP/1."
_ABOUT_FRAMING = {len(name): name for name in (b"content-length", b"transfer-encoding", b"connection")}
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HEAD_OF_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


Rendered: TypeAlias = tuple[bytes, bytes, bool]
"""A head for callers, but for the id of the request that is between the two parts; and whether chunks follow."""


class Malformed(ValueError):
    """This is no answer, or one that can be read in two ways."""


class Framing(Enum):
    """How the end of an answer's body is known (RFC 9112, 6.3)."""

    NONE = "there is no body"
    COUNTED = "by its length"
    CHUNKED = "by its last chunk"
    OPEN = "by the end of the connection"


class AnswerHead:
    """The head of an answer. Made by `read_head`; the methods are for the parser."""

    __slots__ = ("_codings", "_connection", "framing", "keep_alive", "length", "lines", "reason", "rendered", "status")

    def __init__(self) -> None:
        self.status = 0
        self.reason = b""
        self.lines: Lines = []
        """As they came, but for blanks around the values."""
        self.length: int | None = None
        """What `Content-Length` says, which is more than what follows where there is no body."""
        self.framing = Framing.NONE
        self.keep_alive = False
        """Whether another answer may follow on this connection."""
        self.rendered: dict[bool, Rendered] | None = None
        """Where the head is remembered: what was made of it for callers, by whether they keep their connection."""
        self._codings: list[bytes] = []
        self._connection = b""

    def on_status(self, reason: bytes) -> None:
        """The parser has read the reason."""
        self.reason = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read a line."""
        value = value.rstrip(b" \t")
        self.lines.append((name, value))
        known = _ABOUT_FRAMING.get(len(name))
        if known is not None and name.lower() == known:
            self._take(known, value)

    def _take(self, known: bytes, value: bytes) -> None:
        if known == b"content-length":
            self.length = int(value)
        elif known == b"transfer-encoding":
            self._codings.append(value.lower())
        else:
            self._connection += b"," + value.lower()

    def conclude(self, status: int, *, is_1_1: bool, to_head: bool) -> None:
        """Everything is read. Raises `Malformed` for a coding that is unknown."""
        self.status = status
        if self._codings not in ([], [b"chunked"]):
            raise Malformed("a transfer coding that is not known")
        self.framing = self._framing(to_head)
        options = [option.strip() for option in self._connection.split(b",")] if self._connection else ()
        # RFC 9112, 9.3: in HTTP/1.0 persistence is an extension, that we do without.
        self.keep_alive = is_1_1 and b"close" not in options and self.framing is not Framing.OPEN

    def _framing(self, to_head: bool) -> Framing:
        if to_head or self.status in {204, 304} or self.status < 200:
            return Framing.NONE
        if self._codings:
            return Framing.CHUNKED
        if self.length is None:
            return Framing.OPEN
        return Framing.COUNTED if self.length else Framing.NONE


_remembered: dict[bytes, AnswerHead] = {}


def read_head(octets: bytes, *, to_head: bool) -> AnswerHead:
    """One whole head, its empty line included. `to_head`: the request was HEAD. Raises `Malformed`.

    Servers send the same head again and again, within one second at least: the same octets are read once.
    """
    found = None if to_head else _remembered.get(octets)
    if found is not None:
        return found
    head = _read(octets, to_head=to_head)
    if not to_head and len(octets) <= LARGEST_REMEMBERED and _is_harmless(head):
        if len(_remembered) >= MOST_HEADS:
            _remembered.clear()
        head.rendered = {}
        _remembered[octets] = head
    return head


def _is_harmless(head: AnswerHead) -> bool:
    return head.status >= 200 and all(name.lower() in HARMLESS for name, _ in head.lines)


def _read(octets: bytes, *, to_head: bool) -> AnswerHead:
    if not octets.startswith(_START) or len(octets) > LARGEST_HEAD:
        raise Malformed("no answer of HTTP/1.1, or a head that is too large")
    head = AnswerHead()
    parser = HttpResponseParser(head)
    try:
        parser.feed_data(octets)
    except (HttpParserError, HttpParserUpgrade) as error:
        raise Malformed("not HTTP") from error
    head.conclude(parser.get_status_code(), is_1_1=octets[7:8] == b"1", to_head=to_head)
    _check(head, len(octets))
    return head


def _check(head: AnswerHead, size: int) -> None:
    # 101 as well: who asks for another protocol does not ask here.
    if head.status == 101 or not 100 <= head.status <= 999 or _CONTROL.search(head.reason):
        raise Malformed("not an answer to a plain request")
    too_long = size > LONGEST_LINE and any(len(name) + len(value) > LONGEST_LINE for name, value in head.lines)
    if too_long or len(head.lines) > MOST_LINES:
        raise Malformed("a head that is too large")


def may_become_head(octets: bytes) -> bool:
    """Whether this can be the beginning of a head that is not malformed and not too large."""
    if len(octets) >= LARGEST_HEAD or not (octets.startswith(_START) or _START.startswith(octets)):
        return False
    # RFC 9112, 2.2 lets a recipient take a bare LF for the end of a line; another one does not, and sees another head.
    return octets.count(b"\n") == octets.count(b"\r\n")


class Chunks:
    """Decodes a body that comes in chunks. Trailers are dropped."""

    __slots__ = ("_parser", "_pieces", "complete", "exceeded")

    def __init__(self) -> None:
        self.complete = False
        """Whether the last chunk and the trailers were there."""
        self.exceeded = False
        """Whether more came after that."""
        self._pieces: list[bytes] = []
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parser.feed_data(_HEAD_OF_CHUNKS)

    def feed(self, octets: bytes) -> bytes:
        """What they decode to. Raises `Malformed`; not to be called once it is complete."""
        if self._parser is None:
            raise Malformed("the body has ended")
        try:
            self._parser.feed_data(octets)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.complete:
                raise Malformed("not a chunk") from error
            self.exceeded = True
        if self.complete:
            self._parser = None  # it knows us as we know it: nobody would free either for a while
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def on_message_begin(self) -> None:
        """The parser has met a message; only the first one was asked for."""
        self.exceeded = self.complete

    def on_body(self, piece: bytes) -> None:
        """The parser has read a part of a chunk."""
        if not self.complete:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """The parser has read the end."""
        self.complete = True
