"""All that the development identity provider remembers: nothing of it is stored.

What is not in here is not valid: a token that expired, was revoked or belonged to a deleted client is simply gone.
"""

import math
from typing import Protocol, TypeVar

from cachetools import TLRUCache

from gateway.demo.identity_provider.models import AccessToken, AuthorizationCode, Client, RefreshToken
from gateway.ports import Clock


class Expires(Protocol):
    """Whatever is valid until a second since the epoch, and no longer at that second."""

    @property
    def expires_at(self) -> int: ...


E = TypeVar("E", bound=Expires)


class Memory:
    """Clients, and what was issued to them. Secrets are the keys: its `repr` shows none."""

    def __init__(self, clock: Clock) -> None:
        self.clients: dict[str, Client] = {}
        self.codes = _until_expiry(AuthorizationCode, clock)
        self.access_tokens = _until_expiry(AccessToken, clock)
        self.refresh_tokens = _until_expiry(RefreshToken, clock)
        self._spent: TLRUCache[str, tuple[str, int], float] = TLRUCache(
            math.inf, ttu=lambda _, spent, __: spent[1], timer=clock.time
        )
        self._assertions: TLRUCache[tuple[str, str], float, float] = TLRUCache(
            math.inf, ttu=lambda _, expires_at, __: expires_at, timer=clock.time
        )

    def spend_code(self, code: AuthorizationCode, *, until: int) -> None:
        """It was exchanged; should it come again before then, someone copied it."""
        self.codes.pop(code.code, None)
        self._spent[code.code] = (code.grant, until)

    def spend_refresh_token(self, token: RefreshToken) -> None:
        """It was replaced by another; should it come again, someone copied it."""
        self.refresh_tokens.pop(token.token, None)
        self._spent[token.token] = (token.grant, token.expires_at)

    def end_grant_if_spent(self, secret: str) -> None:
        """End the whole login where a code or a refresh token is used a second time.

        RFC 6749, 4.1.2: "If an authorization code is used more than once, the authorization server MUST deny the
        request and SHOULD revoke (when possible) all tokens previously issued based on that authorization code."
        RFC 9700, 4.14.2 says the same of a refresh token that was rotated.
        """
        spent = self._spent.get(secret)
        if spent is not None:
            self.end_grant(spent[0])

    def end_grant(self, grant: str) -> None:
        """Forget every token that comes from one login."""
        _forget(self.access_tokens, [key for key, token in self.access_tokens.items() if token.grant == grant])
        _forget(self.refresh_tokens, [key for key, token in self.refresh_tokens.items() if token.grant == grant])

    def revoke(self, token: str) -> None:
        """Forget a token; with a refresh token go the access tokens of its login (RFC 7009, 2.1)."""
        self.access_tokens.pop(token, None)
        refresh_token = self.refresh_tokens.get(token)
        if refresh_token is not None:
            self.end_grant(refresh_token.grant)

    def delete_client(self, client_id: str) -> None:
        """Forget a client and all that was issued to it."""
        self.clients.pop(client_id, None)
        _forget(self.codes, [key for key, code in self.codes.items() if code.client_id == client_id])
        _forget(self.access_tokens, [key for key, token in self.access_tokens.items() if token.client_id == client_id])
        _forget(
            self.refresh_tokens, [key for key, token in self.refresh_tokens.items() if token.client_id == client_id]
        )

    def is_new_assertion(self, client_id: str, assertion_id: str, expires_at: float) -> bool:
        """Whether this client's assertion is seen for the first time; the second time it is not."""
        if (client_id, assertion_id) in self._assertions:
            return False
        self._assertions[client_id, assertion_id] = expires_at
        return True


def _until_expiry(_: type[E], clock: Clock) -> TLRUCache[str, E, float]:
    return TLRUCache(math.inf, ttu=lambda _, issued, __: issued.expires_at, timer=clock.time)


def _forget(store: TLRUCache[str, E, float], keys: list[str]) -> None:
    for key in keys:
        store.pop(key, None)
