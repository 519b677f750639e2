"""Certificates: until when, for whom, and who says so."""

from dataclasses import dataclass
from math import floor

from cryptography import x509

from gateway.doctor.findings import Finding, failure, ok, warning
from gateway.doctor.shown import foreign, plural

DAY = 86_400
FEW_DAYS = 14
"""With fewer left it is time to renew one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What there is to say of one."""

    expires_at: float
    """Seconds since the epoch."""
    names: tuple[str, ...]
    """Hosts and addresses that it is for, as it spells them."""
    issuer: str

    def covers(self, host: str) -> bool:
        """Whether it is for that host (RFC 6125, 6.4.3: a `*` is one whole label, the left one)."""
        names = [name.lower() for name in self.names]
        return host in names or f"*.{host.partition('.')[2]}" in names


def read_der(der: bytes) -> Certificate:
    """Raises ValueError when it is none."""
    return _read(x509.load_der_x509_certificate(der))


def read_pem(pem: bytes) -> Certificate:
    """The first of them. Raises ValueError when there is none."""
    return _read(x509.load_pem_x509_certificate(pem))


def _read(certificate: x509.Certificate) -> Certificate:
    return Certificate(
        expires_at=certificate.not_valid_after_utc.timestamp(),
        names=_names(certificate),
        issuer=foreign(certificate.issuer.rfc4514_string()),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = [foreign(name) for name in names.get_values_for_type(x509.DNSName)]
    return (*hosts, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))


def expiry(certificate: Certificate, now: float, whose: str, advice: str) -> Finding:
    """How long it is good at `now`, in seconds since the epoch. `whose` begins the sentence."""
    days = floor((certificate.expires_at - now) / DAY)
    if days < 0:
        return failure("certificate", f"{whose} expired {plural(-days, 'day')} ago.", advice)
    seen = f"{whose} expires in {plural(days, 'day')}."
    return ok("certificate", seen) if days >= FEW_DAYS else warning("certificate", seen, advice)
