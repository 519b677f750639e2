"""Reads the heads that the express lane takes: those that can be read in one way, and ask for nothing unusual. No I/O.

A white list: what is not recognised at once is left to the ordinary lane, which answers it, whatever it is.
"""

import re

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from gateway.caller import Limits
from gateway.express_fields import Fields, Name, Names, is_value, without_credential
from gateway.headers import RawHeaders

LARGEST_HEAD = 16_384
"""In bytes."""

_END = b"\r\n\r\n"
_PRINTABLE = bytes(range(0x20, 0x7F))
_LINE_ENDS = frozenset(b"\r\n" * count for count in range(256))
_REQUEST_LINE = re.compile(
    r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) "
    r"(/[A-Za-z0-9\-._~!$&'()*+,=:@/]*)(?:\?([A-Za-z0-9\-._~!$&'()*+,=:@/?]*))? HTTP/1\.1"
)
_SLACK = 64


class PlainHead:
    """A head that the express lane takes. Made by `read_plain`."""

    __slots__ = ("credential", "fields", "method", "path", "query", "size")

    def __init__(self, method: str, path: str, query: str, fields: Fields, credential: bytes | None, size: int) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields
        self.credential = credential
        """The value of the line that the fields know the place of alone."""
        self.size = size
        """In bytes."""

    @property
    def lines(self) -> list[tuple[Name, bytes, bytes]]:
        """What is known of each name, and names and values as they were sent."""
        fields = self.fields
        if fields.place < 0 or self.credential is None:
            return fields.lines
        known, name, _ = fields.lines[fields.place]
        return [*fields.lines[: fields.place], (known, name, self.credential), *fields.lines[fields.place + 1 :]]

    @property
    def raw_headers(self) -> RawHeaders:
        """Names and values as they were sent."""
        return [(name, value) for _, name, value in self.lines]

    def travelling(self, dropped: frozenset[str]) -> bytes:
        """The lines that an upstream receives, but for the names in `dropped`."""
        parts = self.fields.rendered(dropped)
        if len(parts) == 1 or self.credential is None:
            return parts[0]
        return b"%b%b%b" % (parts[0], self.credential, parts[1])


def read_plain(data: bytes, names: Names, limits: Limits) -> PlainHead | None:
    """The head that `data` begins with, if all of it is there and it is a plain one.

    A body may follow, and other requests. The lines are the same that the ordinary lane would read.
    """
    end = data.find(_END, 0, LARGEST_HEAD)
    if end < 0:
        return None
    begin = data.find(b"\r\n")
    # Larger ones are read and counted anew: what follows counts a whole head like a single line.
    asked = None if begin + _SLACK > limits.target else _asked(data[:begin], names)
    if asked is None:
        return None
    size = end + len(_END)
    block, credential = without_credential(data[begin:end])
    fields = names.recall(block)
    if fields is None or not _is_well_within(size, fields, limits) or not (credential is None or is_value(credential)):
        fields = _read(data[:size], names, limits)
        if fields is None:
            return None
        names.remember(block, credential, fields)
    method, path, query = asked
    if fields.asks_preflight and method == "OPTIONS":
        return None
    return PlainHead(method, path, query, fields, credential, size)


def _asked(line: bytes, names: Names) -> tuple[str, str, str] | None:
    """Method, path and query, where the line can be read in one way."""
    found = names.request_lines.get(line)
    if found is not None:
        return found
    read = _REQUEST_LINE.fullmatch(line.decode("latin-1"))
    if read is None:
        return None
    method, path, query = read[1], read[2], read[3]
    if "//" in path or "/." in path:
        return None
    if query is None:
        names.remember_line(line, method, path)
    return method, path, query or ""


def _read(octets: bytes, names: Names, limits: Limits) -> Fields | None:
    """The lines of a head that has no place in memory, or not yet."""
    # Nothing but printable ASCII and whole line ends; no blank where two parsers may differ about it.
    if octets.translate(None, _PRINTABLE) not in _LINE_ENDS or b" \r\n" in octets or b"\r\n " in octets:
        return None
    fields = Fields(names)
    try:
        HttpRequestParser(fields).feed_data(octets)
    except (HttpParserError, HttpParserUpgrade):
        return None
    if fields.is_odd or not fields.host:
        return None
    return fields if _is_well_within(len(octets), fields, limits) or _is_within(fields, limits) else None


def _is_well_within(size: int, fields: Fields, limits: Limits) -> bool:
    """Whether a head of this size is within what a caller may send, without a look at each line."""
    count = len(fields.lines)
    size += 2 * count
    return count <= limits.header_count and size <= limits.headers and size <= limits.header


def _is_within(fields: Fields, limits: Limits) -> bool:
    """Whether the lines are within what a caller may send."""
    sizes = [len(name) + len(value) for _, name, value in fields.lines]
    return (
        len(sizes) <= limits.header_count
        and sum(sizes) + 4 * len(sizes) <= limits.headers
        and max(sizes) <= limits.header
    )
