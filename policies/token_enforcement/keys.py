"""A provider's signing keys: fetched by one owner, refreshed ahead of time, kept when the provider fails."""

import asyncio
import logging
import math
from contextlib import suppress

from gateway.flights import Flights
from gateway.policy import Unavailable
from gateway.ports import Clock, Fetch, Metrics
from gateway.providers import Provider
from gateway.providers.discovery import Discovery
from gateway.tasks import Tasks
from policies.token_enforcement.jwks import BadKeySet, KeySet, parse_key_set
from policies.token_enforcement.signature import ASYMMETRIC, MAX_LENGTH, Invalid, Verified, peek, verify

log = logging.getLogger(__name__)


class Keys:
    """Checks signatures by the keys that one provider publishes."""

    def __init__(
        self, provider: Provider, fetch: Fetch, discovery: Discovery, clock: Clock, tasks: Tasks, metrics: Metrics
    ) -> None:
        self._provider = provider
        self._fetch = fetch
        self._discovery = discovery
        self._clock = clock
        self._flights: Flights[None, KeySet] = Flights(tasks)
        self._set: KeySet | None = None
        self._fetched_at = -math.inf
        self._sought_at = -math.inf
        self.failing_since: float | None = None
        """Seconds since the epoch; `None` while the last fetch was good."""
        self._fetches = {
            result: metrics.counter("jwks_fetches", "Fetches of signing keys.", provider=provider.name, result=result)
            for result in ("success", "failure")
        }
        self._unknown = metrics.counter(
            "jwks_unknown_key_ids", "Tokens that name a key nobody knows.", provider=provider.name
        )
        self._success_time = metrics.gauge(
            "jwks_last_success_timestamp_seconds", "When signing keys were last fetched.", provider=provider.name
        )

    async def keep_fresh(self) -> None:
        """Fetch the keys now and ahead of time, for ever: they must be there when the provider is not."""
        times = self._provider.keys
        while True:
            with suppress(Unavailable):
                await self._flights.join(None, self._refresh)
            await asyncio.sleep(times.refresh_after if self.failing_since is None else times.cool_down)

    async def verify(self, token: str, *, max_length: int = MAX_LENGTH) -> Verified | Invalid:
        """The claims of the token if a key of the provider signed it. Raises `Unavailable` without usable keys.

        `max_length` is in characters: a signed answer may be longer than a bearer token.
        """
        unverified = peek(token, max_length=max_length)
        if isinstance(unverified, Invalid):
            return unverified
        keys = await self._current()
        verified = verify(unverified, keys, ASYMMETRIC)
        if not _misses_key(verified):
            return verified
        self._unknown.inc()
        if None in self._flights:
            keys = await self._flights.join(None, self._refresh)
            verified = verify(unverified, keys, ASYMMETRIC)
        # The fetch that was under way may have begun before the provider showed the key.
        return verify(unverified, await self._newer_than(keys), ASYMMETRIC) if _misses_key(verified) else verified

    @property
    def are_missing(self) -> bool:
        """Whether there are no keys to be trusted, and the last try brought none."""
        return self.failing_since is not None and self._trusted is None

    @property
    def _trusted(self) -> KeySet | None:
        is_young = self._clock.monotonic() - self._fetched_at < self._provider.keys.max_age
        return self._set if is_young else None

    async def _current(self) -> KeySet:
        """The keys that are trusted now; whoever finds none waits for them."""
        return self._trusted or await self._flights.join(None, self._refresh)

    async def _newer_than(self, keys: KeySet) -> KeySet:
        """The keys after one more fetch, if one is due: a flood of invented key ids must not become one of fetches."""
        if self._set is not None and self._set is not keys:
            return self._set
        now = self._clock.monotonic()
        if now - self._sought_at >= self._provider.keys.cool_down:
            self._sought_at = now
            return await self._flights.join(None, self._refresh)
        if self.failing_since is not None:
            # The key may be there: that we could not look is not the caller's fault.
            raise Unavailable(f"{self._provider.name} does not show its keys", code="provider_keys")
        return keys

    async def _refresh(self) -> KeySet:
        began = self._clock.monotonic()
        try:
            keys = await self._fetch_keys()
        except Unavailable:
            self.failing_since = self.failing_since or self._clock.time()
            self._fetches["failure"].inc()
            raise
        self._set, self._fetched_at, self.failing_since = keys, began, None
        self._fetches["success"].inc()
        self._success_time.set(self._clock.time())
        return keys

    async def _fetch_keys(self) -> KeySet:
        name = self._provider.name
        endpoints = await self._discovery.endpoints()
        if endpoints.jwks is None:
            raise Unavailable(f"{name} publishes no keys", code="provider_metadata")
        reply = await self._fetch("GET", endpoints.jwks, headers=(("Accept", "application/json"),))
        if reply.status != 200:
            raise Unavailable(f"{name} does not show its keys", code="provider_keys")
        try:
            return parse_key_set(reply.body)
        except BadKeySet as error:
            log.warning("the keys of %s can't be used: %s", name, error)
            raise Unavailable(f"{name} shows keys that can't be used", code="provider_keys") from error


def _misses_key(verified: Verified | Invalid) -> bool:
    return isinstance(verified, Invalid) and verified.code == "token_key_unknown"
