"""Reads the heads that the express lane takes: those that can be read in one way, and ask for nothing unusual. No I/O.

A white list: what is not recognised at once is left to the ordinary lane, which answers it, whatever it is.
"""

import re
from collections.abc import ItemsView, Iterator, ValuesView
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from multidict import CIMultiDict, MultiMapping

from gateway.caller import Limits
from gateway.headers import HeaderNames, RawHeaders, may_travel, seems_framing

LARGEST_HEAD = 16_384
"""In bytes."""
MOST_NAMES = 4096
"""Names of headers, as they are sent, that are remembered."""
LONGEST_NAME = 64
"""In bytes, of a name that is remembered."""

SINGLE = (
    *("host", "content-length", "connection", "content-encoding", "user-agent", "x-request-id", "traceparent"),
    *("tracestate", "access-control-request-method", "content-type", "content-location", "content-range", "etag"),
    *("max-forwards", "server"),
)
"""What may be there once. The parser of the ordinary lane refuses to read some of them twice."""
UNUSUAL = frozenset(
    {"transfer-encoding", "upgrade", "expect", "te", "trailer", "http2-settings", "proxy-connection", "close"}
)
"""What asks for more than the express lane does, or means something to a parser that it does not mean to us."""

_END = b"\r\n\r\n"
_METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_STARTS = tuple(name + b" /" for name in _METHODS)
_VERSION = b" HTTP/1.1\r\n"
_PRINTABLE = bytes(range(0x20, 0x7F))
_LINE_ENDS = frozenset(b"\r\n" * count for count in range(256))
_NAME = re.compile(rb"[A-Za-z0-9-]+")
_DIGITS = re.compile(rb"[0-9]{1,15}")
_TARGET = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,=:@/]*(?:\?[A-Za-z0-9\-._~!$&'()*+,=:@/?]*)?")
_SLACK = 64

_BITS = {name: 1 << position for position, name in enumerate(SINGLE)}
_HOST = _BITS["host"]
_LENGTH = _BITS["content-length"]
_CONNECTION = _BITS["connection"]
_CODING = _BITS["content-encoding"]
_USER_AGENT = _BITS["user-agent"]
_REQUEST_ID = _BITS["x-request-id"]
_TRACEPARENT = _BITS["traceparent"]
_PREFLIGHT = _BITS["access-control-request-method"]


class Name:
    """What is known of a header's name."""

    __slots__ = ("bit", "lower", "travels")

    def __init__(self, lower: str, *, travels: bool) -> None:
        self.lower = lower
        self.bit = _BITS.get(lower, 0)
        """Of a name that may be there once."""
        self.travels = travels
        """Whether a header called so may reach an upstream."""


class Names:
    """The names of headers, each as it is sent, looked into once."""

    def __init__(self, scrub: HeaderNames) -> None:
        self._scrub = scrub
        self.known: dict[bytes, Name] = {}

    def learn(self, name: bytes) -> Name | None:
        """What is to be known of this name; `None` if the express lane takes no such header."""
        lower = name.decode("latin-1").lower()
        if not _NAME.fullmatch(name) or lower in UNUSUAL:
            return None
        learnt = Name(lower, travels=may_travel(lower, self._scrub))
        if len(self.known) < MOST_NAMES and len(name) <= LONGEST_NAME:
            self.known[name] = learnt
        return learnt


class PlainHeaders(MultiMapping[str]):
    """The headers of a request. Names compare without regard to case."""

    __slots__ = ("_lines",)

    def __init__(self, lines: list[tuple[Name, bytes, bytes]]) -> None:
        self._lines = lines

    def getall(self, key: str, default: Any = ...) -> Any:
        """All values under that name, in their order."""
        lower = key.lower()
        found = [value.decode("ascii") for known, _, value in self._lines if known.lower == lower]
        if found:
            return found
        if default is ...:
            raise KeyError(key)
        return default

    def getone(self, key: str, default: Any = ...) -> Any:
        """The first value under that name."""
        lower = key.lower()
        for known, _, value in self._lines:
            if known.lower == lower:
                return value.decode("ascii")
        if default is ...:
            raise KeyError(key)
        return default

    def get(self, key: str, default: Any = None) -> Any:
        """The first value under that name, or the default."""
        return self.getone(key, default)

    def __getitem__(self, key: str) -> str:
        return str(self.getone(key))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.getone(key, None) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._lines)

    def items(self) -> ItemsView[str, str]:
        """All names and values, in their order."""
        return self._whole().items()

    def values(self) -> ValuesView[str]:
        """All values, in their order."""
        return self._whole().values()

    def _whole(self) -> CIMultiDict[str]:
        return CIMultiDict((name.decode("ascii"), value.decode("ascii")) for _, name, value in self._lines)


class PlainHead:
    """A head that the express lane takes. Made by `read_plain`; the first methods are for the parser."""

    __slots__ = (
        "_known",
        "_names",
        "_seen",
        "_url",
        "closes",
        "host",
        "is_odd",
        "length",
        "lines",
        "method",
        "path",
        "query",
        "request_id",
        "size",
        "traceparent",
        "user_agent",
    )

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known = names.known
        self._seen = 0
        self._url = b""
        self.is_odd = False
        """Whether there is something that the express lane does not take."""
        self.lines: list[tuple[Name, bytes, bytes]] = []
        self.method = ""
        self.path = ""
        self.query = ""
        self.host = b""
        """The `Host` header as it was sent."""
        self.length: int | None = None
        """What `Content-Length` says."""
        self.closes = False
        """Whether the caller wants no other answer on this connection."""
        self.user_agent = ""
        self.request_id = ""
        self.traceparent = ""
        self.size = 0
        """In bytes."""

    @property
    def raw_headers(self) -> RawHeaders:
        """Names and values as they were sent."""
        return [(name, value) for _, name, value in self.lines]

    def on_url(self, url: bytes) -> None:
        """The parser has read the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read a line."""
        known = self._known.get(name) or self._names.learn(name)
        if known is None:
            self.is_odd = True
            return
        self.lines.append((known, name, value))
        if known.bit:
            self._take(known.bit, value)

    def _take(self, bit: int, value: bytes) -> None:
        if self._seen & bit:
            self.is_odd = True
        self._seen |= bit
        if bit == _HOST:
            self.host = value
        elif bit == _USER_AGENT:
            self.user_agent = value.decode("ascii")
        elif bit == _LENGTH:
            self._take_length(value)
        elif bit == _CONNECTION:
            self._take_connection(value)
        elif bit == _TRACEPARENT:
            self.traceparent = value.decode("ascii")
        elif bit == _REQUEST_ID:
            self.request_id = value.decode("ascii")
        elif bit == _CODING:
            self.is_odd |= seems_framing("content-encoding", value)

    def _take_length(self, value: bytes) -> None:
        if _DIGITS.fullmatch(value):
            self.length = int(value)
        else:
            self.is_odd = True

    def _take_connection(self, value: bytes) -> None:
        option = value.lower()
        self.closes = option == b"close"
        self.is_odd |= option not in {b"close", b"keep-alive"}

    def conclude(self, octets: bytes) -> bool:
        """Everything is read; tell whether the express lane takes it."""
        size = len(self._url)
        start = octets.find(b" ")
        if self.is_odd or not self.host or not octets.startswith(_VERSION, start + 1 + size):
            return False
        self.method = _METHODS[octets[:start]]
        if self._seen & _PREFLIGHT and self.method == "OPTIONS":
            return False
        target = self._url.decode("ascii")
        if not _TARGET.fullmatch(target):
            return False
        self.path, _, self.query = target.partition("?")
        self.size = len(octets)
        return "//" not in self.path and "/." not in self.path

    def is_within(self, limits: Limits) -> bool:
        """Whether it is well within what a caller may send; a target a little sooner than the ordinary lane says."""
        if len(self._url) + _SLACK > limits.target or len(self.lines) > limits.header_count:
            return False
        if self.size + 2 * len(self.lines) <= min(limits.header, limits.headers):
            return True
        sizes = [len(name) + len(value) for _, name, value in self.lines]
        return sum(sizes) + 4 * len(sizes) <= limits.headers and max(sizes) <= limits.header


def read_plain(data: bytes, names: Names, limits: Limits) -> PlainHead | None:
    """The head that `data` begins with, if all of it is there and it is a plain one.

    A body may follow, and other requests. The lines are the same that the ordinary lane would read.
    """
    end = data.find(_END, 0, LARGEST_HEAD)
    if end < 0 or not data.startswith(_STARTS):
        return None
    octets = data[: end + len(_END)]
    # Nothing but printable ASCII and whole line ends; no blank where two parsers may differ about it.
    if octets.translate(None, _PRINTABLE) not in _LINE_ENDS or b" \r\n" in octets or b"\r\n " in octets:
        return None
    head = PlainHead(names)
    try:
        HttpRequestParser(head).feed_data(octets)
    except (HttpParserError, HttpParserUpgrade):
        return None
    return head if head.conclude(octets) and head.is_within(limits) else None
