"""The head of an answer as it is written to a caller. Pure."""

from collections.abc import Iterable
from email.utils import formatdate

from gateway.answers import TITLES, Answer
from gateway.headers import Lines, check_all, encode_value


def has_no_body(method: str, status: int) -> bool:
    """RFC 9112, 6.3: the answers that are "always terminated by the first empty line after the header fields"."""
    return method == "HEAD" or status in {204, 304}


def tells_length(status: int) -> bool:
    """RFC 9110, 8.6: no Content-Length in a 204; in answers to HEAD and in a 304 it tells what would be there."""
    return status != 204


def date(now: float) -> bytes:
    """The value of `Date` (RFC 9110, 5.6.7). `now` in seconds since the epoch."""
    return formatdate(now, usegmt=True).encode("ascii")


def lines_of(answer: Answer) -> Lines:
    """The headers of an answer of the gateway's own."""
    return [(name.encode("ascii"), encode_value(value)) for name, value in answer.headers]


def render_own(answer: Answer, *, now: float, connection: bytes) -> bytes:
    """An answer of the gateway's own, as it is written. Raises `UnsafeHeader`."""
    head = render(answer.status, TITLES.get(answer.status, ""), lines_of(answer), now=now, connection=connection)
    return head + answer.body


def render(status: int, reason: str, lines: Lines, *, now: float, connection: bytes) -> bytes:
    """A whole head. `connection` is what `Connection` is to say, if it says anything.

    `Date` is added where there is none (RFC 9110, 6.6.1). Raises `UnsafeHeader` for what would be more than a line.
    """
    reason_line = reason.encode("utf-8", "surrogateescape")
    check_all([(b"reason", reason_line), *lines])
    if not any(name.lower() == b"date" for name, _ in lines):
        lines = [*lines, (b"Date", date(now))]
    if connection:
        lines = [*lines, (b"Connection", connection)]
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason_line, joined(lines))


def joined(lines: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header lines one after the other."""
    return b"".join(b"%b: %b\r\n" % line for line in lines)
