"""One request to one upstream: its bytes, and what each way to fail means."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway import answers
from gateway.exchange import Flag
from gateway.headers import Lines, RawHeaders, UnsafeHeader
from gateway.policy import Deny

_MEANS_A_BODY = frozenset({"POST", "PUT", "PATCH"})


class UpstreamFailure(Exception):
    """An upstream did not do its part."""

    deny: Deny = answers.UPSTREAM_BROKE
    flag = Flag.UPSTREAM_RESET


class UpstreamRefused(UpstreamFailure):
    """There is no connection: refused, unreachable, unknown name, TLS. Nothing was sent."""

    deny = answers.UPSTREAM_REFUSED
    flag = Flag.UPSTREAM_CONNECT


class UpstreamSilent(UpstreamFailure):
    """It takes or sends nothing within the time."""

    deny = answers.UPSTREAM_SILENT
    flag = Flag.UPSTREAM_TIMEOUT


class UpstreamBroke(UpstreamFailure):
    """It ended the connection in the middle."""

    def __init__(self, message: str, *, was_idle: bool = False) -> None:
        super().__init__(message)
        self.was_idle = was_idle
        """Whether the connection came from the pool and gave no byte: it may have been dead before we used it."""


class UpstreamInvalid(UpstreamFailure):
    """It does not speak HTTP as it must be spoken."""

    deny = answers.UPSTREAM_INVALID
    flag = Flag.UPSTREAM_PROTOCOL


class UpstreamEjected(UpstreamFailure):
    """No target may be asked now, or none has a connection to spare."""

    flag = Flag.UPSTREAM_EJECTED

    def __init__(self, retry_after: int) -> None:
        super().__init__("no target can take the request")
        self.deny = answers.ejected(retry_after)


class UpgradeRefused(Exception):
    """The upstream answered a WebSocket handshake, but not with 101."""

    def __init__(self, status: int, headers: RawHeaders) -> None:
        super().__init__("the upstream opened no WebSocket")
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An allowed request, as the upstream is to receive it."""

    method: str
    target: str
    """Path and query, every byte as it is to be sent."""
    headers: Lines
    """All but `Host` and framing."""
    host: str
    """What the caller called us, port included."""
    body: Callable[[], Awaitable[bytes]] | None = None
    """Gives the next piece; empty at the end."""
    content_length: int | None = None
    """Of the body. `None`: it is sent in chunks."""
    expects_continue: bool = False
    body_is_here: bool = False
    """Whether `body` gives all pieces without a wait."""

    def head(self, host: bytes) -> bytes:
        """The head to send, for this `Host`. Raises `UnsafeHeader` for one that would be read as something else."""
        lines = [
            f"{self.method} {self.target} HTTP/1.1".encode(),
            b"Host: " + host,
            *[name + b": " + value for name, value in self.headers],
            *self._framing(),
        ]
        octets = b"\r\n".join((*lines, b"", b""))
        # Nothing gets here that holds any of these. Should it ever, then one request must not become two.
        ends = len(lines) + 1
        if octets.count(b"\n") != ends or octets.count(b"\r") != ends or b"\0" in octets or lines[0].count(b" ") != 2:
            raise UnsafeHeader("a request holds a character that may not be there")
        return octets

    def framed(self, piece: bytes) -> bytes:
        """A piece of the body on the wire; an empty one is its end."""
        return piece if self.content_length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)

    def _framing(self) -> list[bytes]:
        lines = [b"Expect: 100-continue"] if self.expects_continue else []
        if self.content_length is not None:
            return [*lines, b"Content-Length: %d" % self.content_length]
        if self.body is not None:
            return [*lines, b"Transfer-Encoding: chunked"]
        # RFC 9110, 8.6: a client "SHOULD send a Content-Length [...] when the method defines a meaning for content".
        return [b"Content-Length: 0"] if self.method in _MEANS_A_BODY else []
