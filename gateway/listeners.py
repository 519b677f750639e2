"""Sockets that listen, and TLS for those who call."""

import socket
import ssl
from collections.abc import Iterable

from gateway.settings.front import TlsSettings
from gateway.settings.grammar import Address

BACKLOG = 4096
"""Connections that the kernel keeps while nobody accepts them; it may allow fewer."""


class CannotListen(Exception):
    """An address is taken, or not ours to listen on. The text says which, and what to write."""


def bind(addresses: Iterable[Address], option: str = "listen") -> list[socket.socket]:
    """A listening socket for each address of that option. Raises `CannotListen`, and leaves none behind."""
    bound: list[socket.socket] = []
    try:
        bound.extend(_bind(address, option) for address in addresses)
    except CannotListen:
        for each in bound:
            each.close()
        raise
    return bound


def _bind(address: Address, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        reason = (error.strerror or "it can't be bound").lower()
        raise CannotListen(f"cannot listen on {address}: {reason}; write another address under {option}") from error
    listening.setblocking(False)
    return listening


def bound_address(listening: socket.socket) -> tuple[str, int]:
    """Host and port of a socket; the port is the one that the system chose where 0 was configured."""
    host, port = listening.getsockname()[:2]
    return str(host), int(port)


def tls_context(settings: TlsSettings | None) -> ssl.SSLContext | None:
    """TLS 1.2 and later with our certificate; callers must show one of theirs where authorities are configured.

    Raises OSError or ssl.SSLError when a file cannot be read or does not fit the other.
    """
    if settings is None:
        return None
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.client_ca_file)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    # An encrypted key fails at once; without a password given, OpenSSL would ask at the terminal and wait.
    tls.load_cert_chain(settings.certificate_file, settings.key_file, password="")
    tls.set_alpn_protocols(["http/1.1"])
    if settings.client_ca_file is not None:
        tls.verify_mode = ssl.CERT_REQUIRED
    return tls
