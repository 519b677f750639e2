"""The ways in which our client proves itself to a real provider, as the YAML has them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.idp.clients import Client
from tests.idp.gateway import Section, section
from tests.idp.oidc_provider import OidcProvider
from tests.idp.provider import IdentityProvider

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Way:
    """How our client proves itself, what the provider is told when it registers, and what the gateway is."""

    method: str
    registered: Mapping[str, Any] = field(default_factory=dict)
    configured: Mapping[str, Any] = field(default_factory=dict, repr=False)


def signing_by(algorithm: str, key: PrivateKey, jwk: Mapping[str, Any]) -> Way:
    public = {**jwk, "kid": "ours", "use": "sig", "alg": algorithm}
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Way(
        "private_key_jwt",
        {"jwks": {"keys": [public]}, "token_endpoint_auth_signing_alg": algorithm},
        {"private_key": pem, "key_id": "ours", "algorithm": algorithm},
    )


def by_rsa() -> Way:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return signing_by("RS256", key, RSAAlgorithm.to_jwk(key.public_key(), as_dict=True))


def by_curve() -> Way:
    key = ec.generate_private_key(ec.SECP256R1())
    return signing_by("ES256", key, ECAlgorithm.to_jwk(key.public_key(), as_dict=True))


def by_edwards_curve() -> Way:
    key = ed25519.Ed25519PrivateKey.generate()
    return signing_by("EdDSA", key, OKPAlgorithm.to_jwk(key.public_key(), as_dict=True))


def registered(provider: IdentityProvider, way: Way) -> Section:
    """The provider, and as our client one that has just registered itself to prove itself that way."""
    metadata = {
        "client_name": f"gateway {secrets.token_hex(4)}",
        "grant_types": ["client_credentials"],
        "redirect_uris": ["https://gateway.example/callback"],
        "response_types": [],
        "token_endpoint_auth_method": way.method,
        **way.registered,
    }
    record = provider.register(metadata).json()
    secret = {"client_secret": record["client_secret"]} if way.method.startswith("client_secret") else {}
    ours = {"authentication": way.method, "client_id": record["client_id"], **secret, **way.configured}
    return section(provider, introspection=ours)


def over_tls(provider: OidcProvider, client: Client) -> Section:
    """The provider over its TLS port, where that client shows its certificate."""
    assert client.certificate
    files = {
        "ca_file": str(provider.certificates.authority),
        "certificate_file": str(client.certificate.certificate),
        "key_file": str(client.certificate.key),
    }
    return {
        "issuer": provider.issuer,
        "metadata": f"{provider.tls_origin}/.well-known/openid-configuration",
        "introspection": {"authentication": "tls_client_auth", "client_id": client.client_id},
        "transport": files,
    }
