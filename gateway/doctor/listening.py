"""Our own side: the certificate that callers see, and the addresses that we listen on."""

import errno
import socket
import ssl
from collections.abc import Iterator

from gateway.doctor.certificates import Certificate, expiry, read_pem
from gateway.doctor.findings import Finding, failure, ok, skipped, warning
from gateway.doctor.reachability import UnusableFile, load_pair
from gateway.doctor.shown import listed
from gateway.settings import Settings
from gateway.settings.front import TlsSettings
from gateway.settings.grammar import Address

ADDRESS = "address"
TLS = "TLS"


def examine_listening(settings: Settings, now: float) -> list[Finding]:
    """The addresses, and the certificate if there is one; `now` in seconds since the epoch. Blocks on files and DNS."""
    findings = [_address(address, "listen") for address in settings.listen]
    findings.append(_address(settings.admin.listen, "admin.listen"))
    if settings.portal is not None:
        findings.append(_address(settings.portal.listen, "portal.listen"))
    if settings.tls is not None:
        findings.extend(_tls(settings.tls, settings, now))
    return findings


def _address(address: Address, option: str) -> Finding:
    try:
        _bind(address)
    except OSError as error:
        return _taken(address, option) if error.errno == errno.EADDRINUSE else refused(address, option, error)
    return ok(ADDRESS, f"{address} ({option}) is free.")


def _bind(address: Address) -> None:
    """Take the address for a moment. It does not listen: no caller could tell."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as taken:
        # As the gateway does it: connections that ended lately keep nobody out.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address.host, address.port))


def _taken(address: Address, option: str) -> Finding:
    return skipped(
        ADDRESS,
        f"{address} ({option}) is in use; the gateway itself may be running.",
        "If it is not, end what listens there, or write another address.",
    )


def refused(address: Address, option: str, error: OSError) -> Finding:
    """An address that the system does not give us."""
    reason = (error.strerror or "it cannot be bound").lower()
    advice = f"Write another address under {option}"
    if error.errno == errno.EACCES:
        advice = f"Write a port from 1024 on under {option}, or give the process CAP_NET_BIND_SERVICE"
    return failure(ADDRESS, f"{address} ({option}) cannot be had: {reason}.", f"{advice}.")


def _tls(tls: TlsSettings, settings: Settings, now: float) -> Iterator[Finding]:
    try:
        certificate = _load(tls)
    except UnusableFile as fault:
        yield failure(TLS, f"tls.{fault}; the gateway would not start with it.", "Correct the files under tls.")
        return
    yield ok(TLS, f"The certificate and its key go together; it is for {listed(certificate.names)}.")
    yield expiry(certificate, now, "The certificate that callers see", "Have it renewed, and reload.")
    yield from _uncovered(certificate, settings)


def _load(tls: TlsSettings) -> Certificate:
    """Raises `UnusableFile`."""
    load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls.certificate_file, tls.key_file)
    if tls.client_ca_file is not None:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.client_ca_file)
        except (OSError, ValueError):
            raise UnusableFile("client_ca_file holds no certificates in PEM") from None
    try:
        with open(tls.certificate_file, "rb") as file:
            return read_pem(file.read())
    except (OSError, ValueError):
        raise UnusableFile("certificate_file is not in PEM") from None


def _uncovered(certificate: Certificate, settings: Settings) -> Iterator[Finding]:
    hosts = dict.fromkeys(host for route in settings.routes.values() for host in route.hosts)
    uncovered = [host for host in hosts if not certificate.covers(host)]
    if uncovered:
        yield warning(
            "names",
            f"The certificate is not for {listed(uncovered)}, which routes name as hosts.",
            "Have it issued for these names too, or let what stands in front of the gateway end TLS.",
        )
