"""What opens registration to us: a header, an initial access token, or an access token of our own client."""

import asyncio
import re
from urllib.parse import urlencode

from pydantic import SecretStr

from gateway.clients.registration.endpoints import Endpoints
from gateway.clients.registration.replies import json_object, refused_us, retry_after
from gateway.policy import Headers, Unavailable
from gateway.ports import Clock, Fetch, Reply
from gateway.providers import ClientCredentials
from gateway.providers.authentication import Authenticator
from gateway.providers.registration import Registration

FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"))
USUAL_LIFETIME = 60.0
"""Seconds that a token of ours is used where its answer does not say."""
LONGEST_LIFETIME = 3600.0
MARGIN = 10.0
"""Seconds before its end from which on a token is used no more: it has to arrive in time."""

# RFC 6750, 2.1: b64token; some providers use what it does not know.
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


class Opening:
    """The Authorization header for registration. Raises ValueError when our client's credentials do not suffice."""

    def __init__(self, registration: Registration, endpoints: Endpoints, fetch: Fetch, clock: Clock) -> None:
        self._header = _header(registration)
        client = registration.client
        self._own = None if client is None else _OwnToken(client, registration.scopes, endpoints, fetch, clock)

    @property
    def is_open_to_anybody(self) -> bool:
        """Whether there is nothing to show."""
        return self._own is None and not self._header

    async def headers(self) -> Headers:
        """What a request carries now. Raises `Unavailable` when our own token cannot be had."""
        if self._own is None:
            return self._header
        return (("Authorization", f"Bearer {await self._own.token()}"),)

    def renew(self, headers: Headers) -> bool:
        """The provider refused these headers. Whether other ones can be had: then ask again, once."""
        return self._own is not None and self._own.forget(headers)


def _header(registration: Registration) -> Headers:
    if registration.authorization is not None:
        return (("Authorization", registration.authorization.get_secret_value()),)
    if registration.initial_access_token is not None:
        return (("Authorization", f"Bearer {registration.initial_access_token.get_secret_value()}"),)
    return ()


class _OwnToken:
    """The access token of our own client (RFC 6749, 4.4), kept for as long as it is good."""

    def __init__(
        self, client: ClientCredentials, scopes: tuple[str, ...], endpoints: Endpoints, fetch: Fetch, clock: Clock
    ) -> None:
        self._authenticator = Authenticator(client)
        self._scopes = scopes
        self._endpoints = endpoints
        self._fetch = fetch
        self._clock = clock
        self._token: SecretStr | None = None
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        async with self._asking:
            if self._token is None or self._clock.monotonic() >= self._good_until:
                asked_at = self._clock.monotonic()
                self._token, lifetime = _read(await self._ask())
                self._good_until = asked_at + lifetime
            return self._token.get_secret_value()

    def forget(self, headers: Headers) -> bool:
        # Somebody else may have asked anew meanwhile: then the newer token is worth a try.
        if self._token is not None and headers == (("Authorization", f"Bearer {self._token.get_secret_value()}"),):
            self._token = None
        return True

    async def _ask(self) -> Reply:
        url = await self._endpoints.token()
        proof = self._authenticator.prove(audience=url, now=self._clock.time())
        scope = (("scope", " ".join(self._scopes)),) if self._scopes else ()
        form = (("grant_type", "client_credentials"), *scope, *proof.fields)
        return await self._fetch("POST", url, headers=(*FORM, *proof.headers), body=urlencode(form).encode())


def _read(reply: Reply) -> tuple[SecretStr, float]:
    """The token, and for how many seconds it is used (RFC 6749, 5.1)."""
    if reply.status in (400, 401, 403):
        raise refused_us()
    document = json_object(reply.body) or {}
    token = document.get("access_token")
    if reply.status != 200 or not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise Unavailable(
            "The identity provider gave us no token for registration.",
            code="registration_failed",
            retry_after=retry_after(reply),
        )
    lifetime = document.get("expires_in")
    seconds = lifetime if isinstance(lifetime, int | float) and lifetime >= 0 else USUAL_LIFETIME
    return SecretStr(token), max(min(seconds, LONGEST_LIFETIME) - MARGIN, 0.0)
