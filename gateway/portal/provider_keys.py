"""The keys that the provider signs ID tokens with: fetched when they are wanted, and kept when the provider fails."""

import json
import math
from collections.abc import Awaitable, Callable

from gateway.flights import Flights
from gateway.policy import Unavailable
from gateway.portal.tokens import Jwk, KeyUnknown, Signed, verify
from gateway.ports import Clock, Fetch, Reply
from gateway.providers import KeyTimes
from gateway.tasks import Tasks

MOST_KEYS = 100


class ProviderKeys:
    """Checks signatures by what is published at a URL, which `where` tells."""

    def __init__(
        self, where: Callable[[], Awaitable[str]], fetch: Fetch, times: KeyTimes, clock: Clock, tasks: Tasks
    ) -> None:
        self._where = where
        self._fetch = fetch
        self._times = times
        self._clock = clock
        self._flights: Flights[None, None] = Flights(tasks)
        self._keys: tuple[Jwk, ...] = ()
        self._fetched_at = -math.inf
        self._tried_at = -math.inf
        self._sought_at = -math.inf

    async def verify(self, token: str, algorithms: frozenset[str]) -> Signed:
        """What the token says. Raises `Doubtful`, and `Unavailable` without keys to be trusted."""
        await self._freshen()
        try:
            return verify(token, self._keys, algorithms)
        except KeyUnknown:
            if not self._may_seek():
                raise
        # The provider may have begun to sign with a new key.
        await self._flights.join(None, self._refresh)
        return verify(token, self._keys, algorithms)

    async def _freshen(self) -> None:
        now = self._clock.monotonic()
        age = now - self._fetched_at
        is_trusted = age < self._times.max_age
        if age < self._times.refresh_after or (is_trusted and now - self._tried_at < self._times.cool_down):
            return
        self._tried_at = now
        try:
            await self._flights.join(None, self._refresh)
        except Unavailable:
            if not is_trusted:
                raise

    def _may_seek(self) -> bool:
        """Whether it is time to look again: a flood of invented key ids must not become one of fetches."""
        now = self._clock.monotonic()
        if now - self._sought_at < self._times.cool_down:
            return False
        self._sought_at = now
        return True

    async def _refresh(self) -> None:
        began = self._clock.monotonic()
        reply = await self._fetch("GET", await self._where(), headers=(("Accept", "application/json"),))
        self._keys, self._fetched_at = _published(reply), began


def _published(reply: Reply) -> tuple[Jwk, ...]:
    try:
        document = json.loads(reply.body) if reply.status == 200 else None
    except (ValueError, RecursionError):
        document = None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or len(members) > MOST_KEYS:
        raise Unavailable("The identity provider does not show its keys.", code="provider_keys")
    return tuple(member for member in members if isinstance(member, dict))
