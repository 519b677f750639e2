"""Keys, key sets and signed tokens for tests, right and wrong ones."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms

from policies.token_enforcement.jwks import KeySet, parse_key_set
from policies.token_enforcement.signature import ASYMMETRIC, Invalid, Verified, verify

CLAIMS = {"iss": "https://idp.example.com", "sub": "alice", "scope": "orders.read"}


EVERY = ASYMMETRIC | {"HS256", "HS384", "HS512", "none", "None", "NONE", ""}
"""A list of algorithms that nobody should write; even with it nothing wrong may pass."""


def encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def joined(header: bytes, payload: bytes) -> str:
    """The signing input of a token (RFC 7515, 5.1)."""
    return f"{encoded(header)}.{encoded(payload)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key pair that signs with one algorithm, under one key id."""

    alg: str
    kid: str | None
    private: Any

    @property
    def algorithm(self) -> Algorithm:
        return get_default_algorithms()[self.alg if self.alg not in {"Ed25519", "Ed448"} else "EdDSA"]

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as a provider publishes it."""
        members = self.algorithm.to_jwk(self.private.public_key(), as_dict=True)
        members.pop("key_ops", None)
        members |= {"alg": self.alg, "use": "sig"}
        return members if self.kid is None else members | {"kid": self.kid}

    def header(self, **more: object) -> dict[str, object]:
        return {"alg": self.alg, "typ": "at+jwt"} | ({} if self.kid is None else {"kid": self.kid}) | more

    def token(self, claims: Mapping[str, object] = CLAIMS, /, **header: object) -> str:
        return self.sign(json.dumps(self.header(**header)).encode(), json.dumps(claims).encode())

    def sign(self, header: bytes, payload: bytes) -> str:
        """A token of these very octets, correctly signed."""
        signing_input = joined(header, payload)
        return f"{signing_input}.{encoded(self.algorithm.sign(signing_input.encode(), self.private))}"


@cache
def rsa_signer(alg: str = "RS256", kid: str | None = "rsa-1", bits: int = 2048) -> Signer:
    return Signer(alg=alg, kid=kid, private=rsa.generate_private_key(65537, bits))


@cache
def ec_signer(alg: str = "ES256", kid: str | None = "ec-1") -> Signer:
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    return Signer(alg=alg, kid=kid, private=ec.generate_private_key(curves[alg]))


@cache
def ed25519_signer(alg: str = "EdDSA", kid: str | None = "ed-1") -> Signer:
    return Signer(alg=alg, kid=kid, private=ed25519.Ed25519PrivateKey.generate())


@cache
def ed448_signer(alg: str = "EdDSA", kid: str | None = "ed-448") -> Signer:
    return Signer(alg=alg, kid=kid, private=ed448.Ed448PrivateKey.generate())


def document(*members: object) -> bytes:
    """A JWK Set."""
    return json.dumps({"keys": members}).encode()


def key_set(*signers: Signer) -> KeySet:
    """What a provider with these keys publishes."""
    return parse_key_set(document(*(signer.jwk for signer in signers)))


RSA, EC, ED25519 = rsa_signer(), ec_signer(), ed25519_signer()
KEYS = key_set(RSA, EC, ED25519)


def code(token: str, keys: KeySet = KEYS, algorithms: frozenset[str] = ASYMMETRIC) -> str:
    """How the token is refused, or `believed`."""
    match verify(token, keys, algorithms):
        case Invalid(code):
            return code
        case Verified():
            return "believed"
