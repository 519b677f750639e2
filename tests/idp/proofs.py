"""What a client signs for itself: DPoP proofs (RFC 9449) and client assertions (RFC 7523)."""

import base64
import hashlib
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key of a client."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_jwk(self) -> dict[str, Any]:
        return dict(ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True))

    @property
    def thumbprint(self) -> str:
        """RFC 7638: the digest of the required members in lexicographic order."""
        jwk = self.public_jwk
        required = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
        return base64.urlsafe_b64encode(hashlib.sha256(required.encode()).digest()).rstrip(b"=").decode()

    def proof(self, method: str, url: str) -> str:
        """The value of a `DPoP` header for one request."""
        claims = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": _now()}
        return jwt.encode(claims, self.private, "ES256", {"typ": "dpop+jwt", "jwk": self.public_jwk})


def assertion(client_id: str, audience: str, key: ec.EllipticCurvePrivateKey | str) -> dict[str, str]:
    """Form fields that authenticate a client by signature: with its secret (HS256) or its private key (ES256)."""
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": str(uuid.uuid4())}
    lifetime = {"iat": _now(), "exp": _now() + 60}
    return {
        "client_id": client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({**claims, **lifetime}, key, "HS256" if isinstance(key, str) else "ES256"),
    }


def _now() -> int:
    return int(time.time())  # noqa: TID251 - a real server checks it by the machine's clock
