"""Signed introspection answers (RFC 9701): whether the gateway would believe one. No I/O."""

import jwt

from gateway.doctor.asking import Heard
from gateway.doctor.jwks import KeyFacts, verifying
from gateway.doctor.shown import foreign, listed
from gateway.providers import Provider

SIGNED = "application/token-introspection+jwt"
UNSIGNED = "Write introspection.signed: false, and answers in plain JSON are believed."


class NotBelieved(Exception):
    """The answer would not be believed. The text says why, `advice` what to do."""

    def __init__(self, seen: str, advice: str) -> None:
        super().__init__(seen)
        self.advice = advice


def claims_of_signed(heard: Heard, provider: Provider, keys: KeyFacts | None) -> dict[str, object]:
    """The claims inside. Raises `NotBelieved`."""
    if heard.reply.media_type != SIGNED:
        kind = foreign(heard.reply.media_type) or "no media type"
        raise NotBelieved(f"The answer is {kind}, not {SIGNED}.", UNSIGNED)
    envelope = _verified(heard.reply.body.decode("ascii", "replace"), keys)
    _expect_our_names(envelope, provider)
    claims = envelope.get("token_introspection")
    if not isinstance(claims, dict):
        raise NotBelieved("The signed answer holds no token_introspection.", UNSIGNED)
    return claims


def _verified(answer: str, keys: KeyFacts | None) -> dict[str, object]:
    try:
        header = jwt.get_unverified_header(answer)
        envelope: dict[str, object] = jwt.decode(answer, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise NotBelieved("The answer is no JWT.", UNSIGNED) from None
    if str(header.get("typ", "")).lower().removeprefix("application/") != "token-introspection+jwt":
        raise NotBelieved("The `typ` of the answer is not token-introspection+jwt.", UNSIGNED)
    if verifying(answer, header, keys) is None:
        raise NotBelieved(
            f"No published key verifies the answer ({foreign(header.get('alg'))}).",
            f"Let the provider sign answers with a key that it publishes. {UNSIGNED}",
        )
    return envelope


def _expect_our_names(envelope: dict[str, object], provider: Provider) -> None:
    ours = provider.introspection.client_id if provider.introspection else ""
    audience = envelope.get("aud")
    if audience not in (ours, [ours]):
        # RFC 9701, 5: aud "MUST identify the resource server receiving the token introspection response".
        said = listed(audience if isinstance(audience, list) else [audience])
        raise NotBelieved(f"The signed answer is for {said}, not for our client {foreign(ours)}.", UNSIGNED)
    if envelope.get("iss") != provider.issuer:
        seen = f"The signed answer is issued by {foreign(envelope.get('iss'))}."
        raise NotBelieved(seen, "Write that issuer, if it is the provider that you mean.")
