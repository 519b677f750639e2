"""A signed token and a provider's keys: is the signature theirs, and what does the token say? Pure.

Only the compact serialisation of a JWS is read (RFC 7515, 7.1), under the rules of RFC 8725.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from jwt.algorithms import Algorithm, ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

from policies.token_enforcement import strict
from policies.token_enforcement.jwks import KeySet

_VERIFIERS: Mapping[str, Algorithm] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "RS384": RSAAlgorithm(RSAAlgorithm.SHA384),
    "RS512": RSAAlgorithm(RSAAlgorithm.SHA512),
    "PS256": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256),
    "PS384": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA384),
    "PS512": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA512),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "ES384": ECAlgorithm(ECAlgorithm.SHA384),
    "ES512": ECAlgorithm(ECAlgorithm.SHA512),
    "EdDSA": OKPAlgorithm(),
    "Ed25519": OKPAlgorithm(),
    "Ed448": OKPAlgorithm(),
    "HS256": HMACAlgorithm(HMACAlgorithm.SHA256),
    "HS384": HMACAlgorithm(HMACAlgorithm.SHA384),
    "HS512": HMACAlgorithm(HMACAlgorithm.SHA512),
}
"""`none` is not among them, so no list of algorithms can let it in. A key is bound to its algorithms in `jwk.Key`."""

ASYMMETRIC = frozenset(alg for alg in _VERIFIERS if not alg.startswith("HS"))
MAX_LENGTH = 8192
_MAX_KID = 256


@dataclass(frozen=True, slots=True)
class Invalid:
    """The token is not good. `code` is stable and of a closed set; `detail` one constant sentence, never input."""

    code: str
    detail: str


TOO_LONG = Invalid("token_malformed", "The token is longer than this API accepts.")
MALFORMED = Invalid("token_malformed", "The token is not a well-formed signed JWT.")
EXTENDED = Invalid("token_malformed", "The token uses a JWS extension that this API does not support.")
CLAIMS_MALFORMED = Invalid("token_malformed", "The token's claims are not a well-formed JSON object.")
ALGORITHM_REFUSED = Invalid("token_algorithm_refused", "The token is signed with an algorithm that is not accepted.")
KEY_UNKNOWN = Invalid("token_key_unknown", "The provider publishes no key that goes with the token.")
SIGNATURE_INVALID = Invalid("token_signature_invalid", "The token's signature is not valid.")


# No slots: the claims are kept once they are read.
@dataclass(frozen=True, kw_only=True, eq=False)
class Unverified:
    """What a token says of itself. Anybody may have written it."""

    token: str = field(repr=False)
    alg: str
    kid: str | None = field(repr=False)
    typ: str | None = field(repr=False)
    """In lower case and without `application/` (RFC 7515, 4.1.9)."""
    payload: bytes = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @cached_property
    def claims(self) -> Mapping[str, object] | None:
        """The payload's JSON object, or `None` when it is not one."""
        try:
            return strict.json_object(self.payload)
        except ValueError:
            return None

    @property
    def issuer(self) -> str | None:
        """Who the token says issued it: good for choosing the keys to check it with, and for nothing else."""
        issuer = None if self.claims is None else self.claims.get("iss")
        return issuer if isinstance(issuer, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the holder of a provider's key signed. Whether it is in force, and for us, is judged elsewhere."""

    alg: str
    kid: str | None
    typ: str | None
    """In lower case and without `application/`."""
    claims: Mapping[str, object] = field(repr=False)


def peek(token: str, *, algorithms: frozenset[str] = ASYMMETRIC, max_length: int = MAX_LENGTH) -> Unverified | Invalid:
    """The parts and the header of a signed token; no key is used and nothing is believed.

    `max_length` is in characters; what is longer is not looked at. The embedded keys and key addresses of a header
    (`jwk`, `jku`, `x5u`, `x5c`) are not read.
    """
    if len(token) > max_length:
        return TOO_LONG
    try:
        signing_input, header, payload, signature = _parts(token)
        facts = _header(header)
    except ValueError:
        return MALFORMED
    if isinstance(facts, Invalid):
        return facts
    if facts.alg not in algorithms:
        return ALGORITHM_REFUSED
    return Unverified(
        token=token,
        alg=facts.alg,
        kid=facts.kid,
        typ=facts.typ,
        payload=payload,
        signing_input=signing_input,
        signature=signature,
    )


def verify(token: str | Unverified, keys: KeySet, algorithms: frozenset[str]) -> Verified | Invalid:
    """What the token says, when one of the keys signed it with one of the algorithms."""
    unverified = peek(token, algorithms=algorithms) if isinstance(token, str) else token
    if isinstance(unverified, Invalid):
        return unverified
    claims = unverified.claims
    if claims is None:
        return CLAIMS_MALFORMED
    refusal = authenticate(unverified, keys, algorithms)
    if refusal is not None:
        return refusal
    return Verified(alg=unverified.alg, kid=unverified.kid, typ=unverified.typ, claims=claims)


def authenticate(unverified: Unverified, keys: KeySet, algorithms: frozenset[str]) -> Invalid | None:
    """Why the signature is not to be believed, or `None`; whatever the payload is."""
    if unverified.alg not in algorithms:
        return ALGORITHM_REFUSED
    candidates = keys.candidates(unverified.alg, unverified.kid)
    verifier = _VERIFIERS[unverified.alg]
    for key in candidates:
        if verifier.verify(unverified.signing_input, key.prepared, unverified.signature):
            return None
    # Where the token names no key, the one that signed it may be a key that we have not seen yet.
    return SIGNATURE_INVALID if candidates and unverified.kid is not None else KEY_UNKNOWN


# --- the compact serialisation ---


@dataclass(frozen=True, slots=True)
class _Header:
    alg: str
    kid: str | None
    typ: str | None


def _parts(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Signing input and header as they are, payload and signature decoded. Raises `ValueError`."""
    octets = token.encode("ascii")
    if octets.count(b".") != 2:
        raise ValueError("not three segments")
    signing_input, _, signature = octets.rpartition(b".")
    header, _, payload = signing_input.partition(b".")
    if not signature:
        raise ValueError("not signed")
    return signing_input, header, strict.base64url(payload), strict.base64url(signature)


# All tokens of one key have one header: it is read once. Invented ones push each other out.
@lru_cache(maxsize=256)
def _header(segment: bytes) -> _Header | Invalid:
    members = strict.json_object(strict.base64url(segment))
    # RFC 7515, 4.1.11: "If any of the listed extension Header Parameters are not understood and supported by the
    # recipient, then the JWS is invalid". We understand none; `b64` and `zip` would change what was signed.
    if not members.keys().isdisjoint(("crit", "b64", "zip")):
        return EXTENDED
    alg = members.get("alg")
    if not isinstance(alg, str) or alg not in _VERIFIERS:
        return ALGORITHM_REFUSED
    kid, typ = _text(members, "kid"), _text(members, "typ")
    if kid is not None and len(kid) > _MAX_KID:
        return MALFORMED
    return _Header(alg, kid, None if typ is None else typ.lower().removeprefix("application/"))


def _text(members: Mapping[str, object], name: str) -> str | None:
    if name not in members:
        return None
    value = members[name]
    if not isinstance(value, str):
        raise ValueError("a header parameter of the wrong type")  # noqa: TRY004  # as all that is wrong with a header
    return value
