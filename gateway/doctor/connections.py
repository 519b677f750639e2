"""Connections by TCP and TLS, as the gateway makes them: whether there is one, and if not, at which step it failed."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from gateway.doctor.certificates import Certificate, read_der

T = TypeVar("T")

EYEBALLS = 0.25
"""Seconds until the next address of a host is tried beside the one before (RFC 8305, 5)."""
NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE"})


class Fault(StrEnum):
    """Why there is no connection."""

    DNS = "dns"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    NETWORK = "network"
    PROXY = "proxy"
    SELF_SIGNED = "self_signed"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    WRONG_NAME = "wrong_name"
    NO_TLS = "no_tls"
    TLS = "tls"


# X509_V_ERR_… of OpenSSL, as `SSLCertVerificationError.verify_code` has them.
DISTRUST = {
    10: Fault.EXPIRED,
    18: Fault.SELF_SIGNED,
    19: Fault.UNTRUSTED,
    20: Fault.UNTRUSTED,
    62: Fault.WRONG_NAME,
    64: Fault.WRONG_NAME,
}


class Place(NamedTuple):
    """A server."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Unreachable(Exception):
    """There is no connection. `step` is what was under way; `certificate` the one that was not believed."""

    def __init__(self, fault: Fault, step: str, certificate: Certificate | None = None) -> None:
        super().__init__(fault)
        self.fault = fault
        self.step = step
        self.certificate = certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How servers are reached."""

    timeout: float
    """Seconds, for all steps together."""
    tls: ssl.SSLContext
    ca_file: str | None = None
    """Where `tls` has its authorities from, in place of the system's."""
    proxy: str | None = None
    server_name: str | None = None
    """What the certificate must be for, where that is not the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A connection that was made and closed again."""

    protocol: str
    """`TCP`, `TLSv1.3`, …"""
    certificate: Certificate | None


def place_of(url: str) -> Place:
    """The server of an http or https URL."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Place(parts.hostname or "", parts.port or (443 if tls else 80), tls)


async def connect(place: Place, way: Way) -> Connected:
    """Connect and hang up: nothing is sent but the handshake. Raises `Unreachable`."""
    try:
        return await _connect(place, way, way.tls)
    except Unreachable as failure:
        if failure.fault not in DISTRUST.values():
            raise
        raise Unreachable(failure.fault, failure.step, await _distrusted(place, way)) from None


async def _distrusted(place: Place, way: Way) -> Certificate | None:
    """The certificate that was not believed, only to be told of: on this connection nothing is ever sent."""
    curious = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    curious.check_hostname = False
    curious.verify_mode = ssl.CERT_NONE
    with suppress(Unreachable):
        return (await _connect(place, way, curious)).certificate
    return None


async def _connect(place: Place, way: Way, tls: ssl.SSLContext) -> Connected:
    deadline = asyncio.get_running_loop().time() + way.timeout
    async with _wire(place, way, deadline) as (_, writer):
        if not place.tls:
            return Connected(protocol="TCP", certificate=None)
        name = way.server_name or place.host
        await _step("the TLS handshake", deadline, writer.start_tls(tls, server_hostname=name))
        return _secured(writer.get_extra_info("ssl_object"))


def _secured(tls: ssl.SSLObject) -> Connected:
    der = tls.getpeercert(binary_form=True)
    try:
        certificate = read_der(der or b"")
    except ValueError:
        certificate = None
    return Connected(protocol=tls.version() or "TLS", certificate=certificate)


@asynccontextmanager
async def _wire(
    place: Place, way: Way, deadline: float
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """An open connection to the place, if need be through the proxy."""
    first = place if way.proxy is None else place_of(way.proxy)
    loop = asyncio.get_running_loop()
    try:
        await _step("the name look-up", deadline, loop.getaddrinfo(first.host, first.port, type=socket.SOCK_STREAM))
        opening = asyncio.open_connection(first.host, first.port, happy_eyeballs_delay=EYEBALLS)
        reader, writer = await _step("the connection", deadline, opening)
    except Unreachable as failure:
        raise failure if way.proxy is None else Unreachable(Fault.PROXY, failure.step) from None
    try:
        if way.proxy is not None:
            await _step("the proxy", deadline, _tunnel(reader, writer, place, secure=first.tls))
        yield reader, writer
    finally:
        writer.transport.abort()


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Place, *, secure: bool) -> None:
    """RFC 9110, 9.3.6: "Any 2xx (Successful) response indicates that the sender […] will switch to tunnel mode"."""
    if secure:
        await writer.start_tls(ssl.create_default_context())
    if place.tls:
        writer.write(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if head[9:10] != b"2":
            raise Unreachable(Fault.PROXY, "the proxy")


async def _step(name: str, deadline: float, under_way: Awaitable[T]) -> T:
    """Its result, within the time. Whatever goes wrong is `Unreachable`."""
    try:
        async with asyncio.timeout_at(deadline):
            return await under_way
    except TimeoutError:
        raise Unreachable(Fault.TIMEOUT, name) from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Unreachable(Fault.PROXY, name) from None
    except (OSError, UnicodeError) as error:
        raise Unreachable(_fault(error), name) from None


def _fault(error: OSError | UnicodeError) -> Fault:
    match error:
        case socket.gaierror() | UnicodeError():
            return Fault.DNS
        case ConnectionRefusedError():
            return Fault.REFUSED
        case ssl.SSLCertVerificationError():
            return DISTRUST.get(error.verify_code, Fault.UNTRUSTED)
        case ssl.SSLError():
            return Fault.NO_TLS if error.reason in NO_TLS else Fault.TLS
        case _:
            return Fault.NETWORK
