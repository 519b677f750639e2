"""The clients that oidc-provider knows, and how each of them says who it is."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from jwt.algorithms import ECAlgorithm

from tests.certificates import Pair
from tests.idp.certificates import Certificates
from tests.idp.proofs import SigningKey, assertion
from tests.idp.wire import basic

CALLBACK = "http://127.0.0.1:4009/callback"
"""Where the web client is sent back to; nobody listens there."""

ODD_SECRET = 'sp ace+plus%25:colon&amp="quote"/'
"""A secret that reaches the provider only when it is form-encoded before it is put into Basic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client and what it proves itself with; `authentication` is a `token_endpoint_auth_method`."""

    client_id: str
    authentication: str = "client_secret_basic"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    key: SigningKey = field(default_factory=SigningKey, repr=False)
    certificate: Pair | None = None

    def headers(self) -> dict[str, str]:
        """Header fields that authenticate a request."""
        uses_basic = self.authentication == "client_secret_basic"
        return {"Authorization": basic(self.client_id, self.client_secret)} if uses_basic else {}

    def form(self, issuer: str) -> dict[str, str]:
        """Form fields that authenticate a request to that issuer."""
        match self.authentication:
            case "client_secret_basic":
                return {}
            case "client_secret_post":
                return {"client_id": self.client_id, "client_secret": self.client_secret}
            case "client_secret_jwt":
                return assertion(self.client_id, issuer, self.client_secret)
            case "private_key_jwt":
                return assertion(self.client_id, issuer, self.key.private)
            case _:
                return {"client_id": self.client_id}


def make_introspecting(certificates: Certificates) -> dict[str, Client]:
    """A client for each way to authenticate, by its name; all of them may introspect any token."""
    return {
        "client_secret_basic": Client(client_id="gateway"),
        "client_secret_basic, odd secret": Client(client_id="gateway-odd", client_secret=ODD_SECRET),
        "client_secret_post": Client(client_id="gateway-post", authentication="client_secret_post"),
        "client_secret_jwt": Client(client_id="gateway-secret-jwt", authentication="client_secret_jwt"),
        "private_key_jwt": Client(client_id="gateway-key-jwt", authentication="private_key_jwt"),
        "tls_client_auth": Client(
            client_id="gateway-tls", authentication="tls_client_auth", certificate=certificates.client
        ),
        "self_signed_tls_client_auth": Client(
            client_id="gateway-self-signed",
            authentication="self_signed_tls_client_auth",
            certificate=certificates.self_signed,
        ),
    }


def describe(client: Client) -> dict[str, Any]:
    """The client's metadata (RFC 7591, 2) as the provider is started with it."""
    return {
        "client_id": client.client_id,
        "token_endpoint_auth_method": client.authentication,
        "grant_types": ["client_credentials"],
        "response_types": [],
        "redirect_uris": [],
        **_proof_of(client),
    }


def describe_web(client: Client) -> dict[str, Any]:
    """The metadata of a client whose users sign in."""
    return {
        **describe(client),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [CALLBACK],
    }


def load(pair: Pair) -> x509.Certificate:
    """The certificate of a pair."""
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def _proof_of(client: Client) -> dict[str, Any]:
    match client.authentication:
        case "private_key_jwt":
            return {"token_endpoint_auth_signing_alg": "ES256", "jwks": {"keys": [client.key.public_jwk]}}
        case "client_secret_jwt":
            return {"token_endpoint_auth_signing_alg": "HS256", "client_secret": client.client_secret}
        case "tls_client_auth" if client.certificate:
            subject = load(client.certificate).subject.rfc4514_string()
            return {"tls_client_auth_subject_dn": subject, "tls_client_certificate_bound_access_tokens": True}
        case "self_signed_tls_client_auth" if client.certificate:
            return {"jwks": {"keys": [_certified_key(client.certificate)]}}
        case _:
            return {"client_secret": client.client_secret}


def _certified_key(pair: Pair) -> dict[str, Any]:
    certificate = load(pair)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    return {**jwk, "x5c": [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]}
