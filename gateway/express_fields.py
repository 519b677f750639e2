"""The header lines of plain requests: what they mean, and those that come again and again, read once. No I/O.

What is remembered holds no credential: only lines whose names say so are, and of `Authorization` just its place.
"""

import re

from gateway.headers import HeaderNames, may_travel, seems_framing

MOST_NAMES = 4096
"""Names of headers, as they are sent, that are remembered."""
LONGEST_NAME = 64
"""In bytes, of a name that is remembered."""
MOST_BLOCKS = 1024
"""Whole blocks of lines that are remembered."""
MOST_LINES = 4096
"""Lines of requests, without a query, that are remembered."""
LARGEST_BLOCK = 1024
"""In bytes, of a block, and of a request's line, that is remembered."""
MOST_RENDERED = 16
"""Ways to send one block on that are remembered: one for each set of headers that policies replace."""

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
HARMLESS = frozenset(
    {
        *("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "connection"),
        *("content-encoding", "content-length", "content-type", "dnt", "host", "origin", "pragma", "user-agent"),
    }
)
"""What holds no credential, and is the same in one request after the other."""

CREDENTIAL = "authorization"
_MARK = b"uthorization: "
_BEFORE_MARK = (b"\r\nA", b"\r\na")
_PRINTABLE = bytes(range(0x20, 0x7F))
_NAME = re.compile(rb"[A-Za-z0-9-]+")
_DIGITS = re.compile(rb"[0-9]{1,15}")

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


class Fields:
    """The lines of a head. `on_header` is for the parser; once everything is read, nothing changes any more."""

    __slots__ = (
        *("_known", "_names", "_rendered", "_seen", "_values", "asks_preflight", "closes", "host", "is_odd", "length"),
        *("lines", "place", "request_id", "traceparent", "user_agent"),
    )

    def __init__(self, names: "Names") -> None:
        self._names = names
        self._known = names.known
        self._seen = 0
        self._rendered: dict[frozenset[str], tuple[bytes, ...]] = {}
        self._values: dict[str, tuple[str, ...]] | None = None
        self.is_odd = False
        """Whether there is something that the express lane does not take."""
        self.lines: list[tuple[Name, bytes, bytes]] = []
        self.place = -1
        """Which of the lines the credential belongs into, where it is kept apart from them."""
        self.host = b""
        """The `Host` header as it was sent."""
        self.length: int | None = None
        """What `Content-Length` says."""
        self.closes = False
        """Whether the caller wants no other answer on this connection."""
        self.asks_preflight = False
        """Whether an OPTIONS request with these lines is a preflight of CORS."""
        self.user_agent = ""
        self.request_id = ""
        self.traceparent = ""

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """All values by their names in lower case, but for the credential that is kept apart."""
        if self._values is None:
            lists: dict[str, list[str]] = {}
            for position, (known, _, value) in enumerate(self.lines):
                if position != self.place:
                    lists.setdefault(known.lower, []).append(value.decode("ascii"))
            self._values = {name: tuple(values) for name, values in lists.items()}
        return self._values

    def rendered(self, dropped: frozenset[str]) -> tuple[bytes, ...]:
        """The lines that an upstream receives, but for the names in `dropped`. Two parts have the credential between
        them; from one it is left out, or it is not kept apart.
        """
        found = self._rendered.get(dropped)
        if found is None:
            found = self._render(dropped)
            if len(self._rendered) < MOST_RENDERED:
                self._rendered[dropped] = found
        return found

    def _render(self, dropped: frozenset[str]) -> tuple[bytes, ...]:
        lines = [
            b"%b: %b\r\n" % (name, value) if known.travels and known.lower not in dropped else b""
            for known, name, value in self.lines
        ]
        if self.place < 0 or not lines[self.place]:
            return (b"".join(lines),)
        return b"".join((*lines[: self.place], self.lines[self.place][1], b": ")), b"".join(
            (b"\r\n", *lines[self.place + 1 :])
        )

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
        elif bit == _PREFLIGHT:
            self.asks_preflight = True

    def _take_length(self, value: bytes) -> None:
        if _DIGITS.fullmatch(value):
            self.length = int(value)
        else:
            self.is_odd = True

    def _take_connection(self, value: bytes) -> None:
        option = value.lower()
        self.closes = option == b"close"
        self.is_odd |= option not in {b"close", b"keep-alive"}


class Names:
    """The names of headers, each as it is sent, looked into once; and blocks of lines that come again and again."""

    def __init__(self, scrub: HeaderNames) -> None:
        self._scrub = scrub
        self.known: dict[bytes, Name] = {}
        self.request_lines: dict[bytes, tuple[str, str, str]] = {}
        """Method, path and an empty query, by the line that they came in."""
        self._blocks: dict[bytes, Fields] = {}

    def __len__(self) -> int:
        """How many blocks are remembered."""
        return len(self._blocks)

    def learn(self, name: bytes) -> Name | None:
        """What is to be known of this name; `None` if the express lane takes no such header."""
        lower = name.decode("latin-1").lower()
        if not _NAME.fullmatch(name) or lower in UNUSUAL:
            return None
        learnt = Name(lower, travels=may_travel(lower, self._scrub))
        if len(self.known) < MOST_NAMES and len(name) <= LONGEST_NAME:
            self.known[name] = learnt
        return learnt

    def remember_line(self, line: bytes, method: str, path: str) -> None:
        """Remember a request's line that has no query, where credentials may be."""
        if len(self.request_lines) >= MOST_LINES:
            self.request_lines.clear()
        if len(line) <= LARGEST_BLOCK:
            self.request_lines[line] = method, path, ""

    def recall(self, block: bytes) -> Fields | None:
        """The lines that were remembered of this block, as `without_credential` leaves it."""
        return self._blocks.get(block)

    def remember(self, block: bytes, credential: bytes | None, fields: Fields) -> None:
        """Remember the lines of this block, unless they may hold a secret besides the credential.

        That is taken out of the lines. `block` and `credential` are what `without_credential` made of them.
        """
        place = _place_of(credential, block, fields)
        if place is None or len(block) > LARGEST_BLOCK:
            return
        if place >= 0:
            known, name, _ = fields.lines[place]
            fields.lines[place] = (known, name, b"")
            fields.place = place
        if len(self._blocks) >= MOST_BLOCKS:
            self._blocks.clear()
        self._blocks[block] = fields


def without_credential(block: bytes) -> tuple[bytes, bytes | None]:
    """A block of lines without what is behind `Authorization: `, and that; `None` where there is no such line.

    Where these characters stand elsewhere they are cut at as well: such a block is not remembered, hence never found.
    """
    start = block.find(_MARK) + len(_MARK)
    if start < len(_MARK):
        return block, None
    end = block.find(b"\r\n", start)
    if end < 0:
        return block[:start], block[start:]
    return block[:start] + block[end:], block[start:end]


def is_value(octets: bytes) -> bool:
    """Whether all parsers read these octets behind a colon and a blank alike: as the value of a header, not empty."""
    return octets != b"" and not octets.translate(None, _PRINTABLE) and octets[0] != 0x20 != octets[-1]


def _place_of(credential: bytes | None, block: bytes, fields: Fields) -> int | None:
    """Which line is the credential's, -1 where there is none; `None` where there may be a secret in another one."""
    others = [position for position, (known, _, _) in enumerate(fields.lines) if known.lower not in HARMLESS]
    if not others:
        return -1 if credential is None else None
    # One line that is not harmless; it is the one that the block was cut in, and the parser has read the same there.
    mark = block.find(_MARK)
    known, _, value = fields.lines[others[0]]
    if len(others) > 1 or known.lower != CREDENTIAL or value != credential:
        return None
    return others[0] if block[mark - 3 : mark] in _BEFORE_MARK else None
