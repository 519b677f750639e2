"""Certificates that are right, and certificates that are wrong in one way, made anew for each test."""

import datetime
import ipaddress
import itertools
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path

    def locked(self) -> "Pair":
        """The same, with a key that takes a password."""
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        locked = self.key.with_suffix(".locked")
        encryption = serialization.BestAvailableEncryption(b"a password")
        locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
        return Pair(self.certificate, locked)

    def serve(self, *, client_ca: Path | None = None) -> ssl.SSLContext:
        """TLS of a server with this certificate; with `client_ca` it admits only clients that this one vouches for."""
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
        tls.load_cert_chain(self.certificate, self.key)
        if client_ca is not None:
            tls.verify_mode = ssl.CERT_REQUIRED
        return tls


class Authority:
    """Vouches for whom it is told to. `file` is its own certificate: what a client trusts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"Test authority {next(_numbers)}")
        certificate = _sign(self._name, self._key, self._name, self._key, host=None, until=_now() + DAY)
        self.file = _write(folder, certificate, self._key).certificate

    def issue(self, host: str = "127.0.0.1") -> Pair:
        """For a server at `host`, or for a client of that name."""
        return self._issue(host, until=_now() + DAY)

    def issue_expired(self, host: str = "127.0.0.1") -> Pair:
        """The same, and it was valid until yesterday."""
        return self._issue(host, until=_now() - DAY)

    def _issue(self, host: str, until: datetime.datetime) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        return _write(self._folder, _sign(_name(host), key, self._name, self._key, host=host, until=until), key)


def self_signed(folder: Path, host: str = "127.0.0.1") -> Pair:
    """A server's certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _write(folder, _sign(_name(host), key, _name(host), key, host=host, until=_now() + DAY), key)


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    host: str | None,
    until: datetime.datetime,
) -> x509.Certificate:
    number = x509.random_serial_number()
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), number, until - 30 * DAY, until)
    builder = builder.add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    if host is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)  # noqa: TID251 - a certificate is valid by the machine's clock


def _write(folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    number = next(_numbers)
    pair = Pair(folder / f"{number}.crt", folder / f"{number}.key")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pair.certificate.write_bytes(certificate.public_bytes(pem))
    pair.key.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return pair
