"""Issuing tokens: opaque strings, or JWTs that say the same (RFC 9068)."""

import secrets

from joserfc import jwt

from gateway.demo.identity_provider.keys import SigningKeys
from gateway.demo.identity_provider.memory import Memory
from gateway.demo.identity_provider.models import AccessToken, RefreshToken
from gateway.ports import Clock

ACCESS_TOKEN_LIFETIME = 600
"""Seconds."""
REFRESH_TOKEN_LIFETIME = 86_400
"""Seconds."""


class Tokens:
    """Makes tokens and puts them in memory, all of them: a JWT can be introspected and revoked, too."""

    def __init__(self, issuer: str, memory: Memory, keys: SigningKeys, clock: Clock) -> None:
        self._issuer = issuer
        self._memory = memory
        self._keys = keys
        self._clock = clock

    def issue_opaque(self, token: AccessToken) -> str:
        """A string that only an introspection explains."""
        return self._keep(secrets.token_urlsafe(32), token)

    def issue_jwt(self, token: AccessToken, algorithm: str) -> str:
        """A signed token that explains itself (RFC 9068)."""
        key = self._keys.signing(algorithm)
        header = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid}
        return self._keep(jwt.encode(header, token.claims(self._issuer), key), token)

    def describe(
        self,
        *,
        client_id: str,
        scope: str,
        subject: str | None,
        audience: tuple[str, ...],
        lifetime: int = ACCESS_TOKEN_LIFETIME,
        grant: str | None = None,
    ) -> AccessToken:
        """What a token that is issued now stands for."""
        now = int(self._clock.time())
        return AccessToken(
            token_id=secrets.token_urlsafe(16),
            client_id=client_id,
            subject=subject or client_id,
            scope=scope,
            audience=audience,
            issued_at=now,
            expires_at=now + lifetime,
            grant=grant,
        )

    def issue_refresh_token(
        self, *, client_id: str, subject: str, scope: str, resources: tuple[str, ...], grant: str
    ) -> str:
        """A string that buys access tokens, once."""
        token = RefreshToken(
            token=secrets.token_urlsafe(32),
            client_id=client_id,
            subject=subject,
            scope=scope,
            resources=resources,
            grant=grant,
            expires_at=int(self._clock.time()) + REFRESH_TOKEN_LIFETIME,
        )
        self._memory.refresh_tokens[token.token] = token
        return token.token

    def _keep(self, secret: str, token: AccessToken) -> str:
        self._memory.access_tokens[secret] = token
        return secret
