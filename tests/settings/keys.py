"""Private keys in PEM, made once per run."""

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey

MAKE: dict[str, Callable[[], PrivateKey]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "short-rsa": lambda: rsa.generate_private_key(65537, 1024),
    "p-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "k-256": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "dsa": lambda: dsa.generate_private_key(2048),
}


@cache
def pem(kind: str, password: bytes | None = None) -> str:
    """A private key of that kind."""
    encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    return MAKE[kind]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()
