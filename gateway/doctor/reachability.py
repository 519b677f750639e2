"""Whether servers can be reached, in words: for providers and upstreams alike."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.client_tls import http_tls, show_certificate
from gateway.doctor.certificates import Certificate, expiry
from gateway.doctor.connections import Connected, Fault, Place, Unreachable, Way, connect
from gateway.doctor.findings import Finding, failure, ok
from gateway.doctor.shown import listed

RENEW = "Have it renewed, before connections to it fail."


@dataclass(frozen=True, slots=True)
class Reached:
    """How it went with one server."""

    place: Place
    findings: tuple[Finding, ...]
    connected: bool


class UnusableFile(Exception):
    """A file for TLS can't be used. The text says which, and why."""


def client_tls(ca_file: str | None, certificate_file: str | None, key_file: str | None) -> ssl.SSLContext:
    """TLS as the gateway speaks it to servers. Raises `UnusableFile`."""
    try:
        tls = http_tls(ca_file)
    except (OSError, ValueError):
        raise UnusableFile("ca_file holds no certificates in PEM") from None
    if certificate_file is not None:
        load_pair(tls, certificate_file, key_file)
    return tls


def load_pair(tls: ssl.SSLContext, certificate_file: str, key_file: str | None) -> None:
    """Our certificate and its key. Raises `UnusableFile`."""
    try:
        show_certificate(tls, certificate_file, key_file)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UnusableFile("key_file is not the key of certificate_file") from None
        raise UnusableFile("certificate_file or key_file is not in PEM, or its key has a passphrase") from None
    except OSError:
        raise UnusableFile("certificate_file or key_file cannot be read") from None


async def reach(place: Place, way: Way, *, now: float, section: str, code_of: Callable[[Fault], str]) -> Reached:
    """Connect to a server. `section` is where its options are written, `code_of` what callers get meanwhile."""
    try:
        connected = await connect(place, way)
    except Unreachable as unreachable:
        seen, advice = told(unreachable, place, way, section)
        return Reached(
            place, (failure("reachable", f"{seen.removesuffix('.')} ({code_of(unreachable.fault)}).", advice),), False
        )
    return Reached(place, tuple(_well(place, connected, now)), True)


def _well(place: Place, connected: Connected, now: float) -> Iterator[Finding]:
    yield ok("reachable", f"{place} takes connections ({connected.protocol}).")
    if connected.certificate is not None:
        yield expiry(connected.certificate, now, f"The certificate of {place.host}", RENEW)


def told(unreachable: Unreachable, place: Place, way: Way, section: str) -> tuple[str, str]:
    """What happened, and what to do."""
    match unreachable.fault:
        case Fault.DNS:
            return (
                f"The name {place.host} cannot be resolved.",
                "Correct the host, or let the DNS of this machine know it.",
            )
        case Fault.REFUSED:
            return f"{place} refuses connections.", "Start the server, or correct host and port."
        case Fault.TIMEOUT:
            return (
                f"{place} did not answer within {way.timeout:g} s; {unreachable.step} was under way.",
                f"Open the way in the firewalls, or write a longer {section}.connect_timeout.",
            )
        case Fault.NETWORK:
            return f"{place} cannot be reached; {unreachable.step} broke off.", "Look at routes and firewalls."
        case Fault.PROXY:
            return (
                f"The proxy on the way to {place} cannot be used; {unreachable.step} failed.",
                f"Correct {section}.proxy, or let the proxy allow CONNECT {place}.",
            )
        case _:
            return _told_of_tls(unreachable, place, way, section)


def _told_of_tls(unreachable: Unreachable, place: Place, way: Way, section: str) -> tuple[str, str]:
    certificate = unreachable.certificate
    match unreachable.fault:
        case Fault.SELF_SIGNED:
            return (
                f"The certificate of {place} is self-signed.",
                _trust(way, section, "that certificate"),
            )
        case Fault.UNTRUSTED:
            return (
                f"The certificate of {place} comes from an authority that is not trusted{_issuer(certificate)}.",
                _trust(way, section, "the authority's certificate"),
            )
        case Fault.EXPIRED:
            return f"The certificate of {place} has expired.", "Have the server's certificate renewed."
        case Fault.WRONG_NAME:
            names = listed(certificate.names) if certificate else "another host"
            return (
                f"The certificate of {place} is for another host: {names}.",
                "Write a host that the certificate names, or have it issued for this one.",
            )
        case Fault.NO_TLS:
            return f"{place} does not speak TLS.", "Correct the port, or switch TLS on at the server."
        case _:
            return (
                f"The TLS handshake with {place} failed.",
                f"If the server asks for a certificate, write {section}.certificate_file and {section}.key_file.",
            )


def _trust(way: Way, section: str, what: str) -> str:
    if way.ca_file is not None:
        return f"Add {what} in PEM to the file of {section}.ca_file."
    return f"Write {section}.ca_file: the path of {what} in PEM."


def _issuer(certificate: Certificate | None) -> str:
    return "" if certificate is None else f": {certificate.issuer}"
