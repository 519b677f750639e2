"""Credential → fact about its token: from memory first, then by asking the provider or by its keys."""

import asyncio
import logging
from asyncio import Task
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from gateway.flights import Flights
from gateway.policy import Unavailable
from gateway.ports import Clock, Metrics
from gateway.providers import Order, Provider
from gateway.providers.discovery import Condition, Discovery
from gateway.providers.status import ProviderState, ProviderStatus
from gateway.tasks import Tasks
from policies.token_enforcement.claims import Claims, from_introspection, from_keys
from policies.token_enforcement.credential import Credential
from policies.token_enforcement.facts import Active, Digests, Fact, NotIntrospectable, Rejected
from policies.token_enforcement.introspection import REFUSES_US, Introspection
from policies.token_enforcement.keys import Keys
from policies.token_enforcement.options import Patience
from policies.token_enforcement.shelf import Shelf
from policies.token_enforcement.signature import Invalid

log = logging.getLogger(__name__)

INTROSPECT_ONLY, KEYS_FIRST, KEYS_ONLY = Order.INTROSPECT_ONLY, Order.KEYS_FIRST, Order.KEYS_ONLY
# Looked up once: through the enumeration each of them takes longer than finding a token in memory.

AHEAD = 0.8
"""The share of its greatest age after which a fact in use is fetched anew, so that no caller waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How one route wants the tokens of one request verified."""

    order: Order
    patience: Patience


class Known(NamedTuple):
    """A fact, and where it came from: `hit`, `miss`, `stale` or `negative`. A tuple: one is made for each request."""

    fact: Active | Rejected
    cache: str


class Verifier:
    """The facts about one provider's tokens. One object for all routes that use the provider."""

    def __init__(
        self,
        provider: Provider,
        introspection: Introspection | None,
        keys: Keys,
        discovery: Discovery,
        tasks: Tasks,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.provider = provider
        self.discovery = discovery
        self._tasks = tasks
        self._keeping: Task[None] | None = None
        self._introspection = introspection
        self._keys = keys
        self._clock = clock
        self._digests = Digests()
        self._purges = 0
        limits = provider.limits
        self._told = Shelf(verified=limits.verified_tokens, rejected=limits.rejected_tokens)
        self._verified = Shelf(verified=limits.verified_tokens, rejected=limits.rejected_tokens)
        self._flights: Flights[tuple[Shelf, bytes], Fact] = Flights(tasks)
        self._lookups = {
            result: metrics.counter(
                "token_cache_lookups", "Look-ups of tokens in memory.", provider=provider.name, result=result
            )
            for result in ("hit", "negative", "stale", "miss")
        }
        self._fallbacks = metrics.counter(
            "token_fallbacks", "Tokens verified by keys because the provider could not answer.", provider=provider.name
        )
        self._entries = metrics.gauge("token_cache_entries", "Tokens in memory.", provider=provider.name)
        self._waiters = metrics.gauge(
            "singleflight_waiters", "Requests that wait for an answer about a token.", provider=provider.name
        )

    def key(self, credential: Credential) -> bytes:
        """The credential's name in this verifier's memory."""
        return self._digests.of(credential.octets)

    def recall(self, credential: Credential, key: bytes, wish: Wish, now: float) -> Known | None:
        """What is known and may be believed at `now`, seconds since the epoch; `None` if somebody must be asked."""
        if self._is_for_keys(credential, wish.order):
            known = self._signed_of(key, wish, now)
        else:
            known = self._told_of(credential, key, wish, now)
            if known is None and self._introspection is not None and self._introspection.rests:
                known = self._without_answer(key, wish, now) or self._instead(credential, key, wish, now)
        if known is not None:
            self._lookups[known.cache].inc()
        return known

    async def verify(self, credential: Credential, key: bytes, wish: Wish) -> Known:
        """The fact, by asking. Raises `Unavailable` when nobody can say."""
        self._lookups["miss"].inc()
        fact = await self._ask(credential, key, wish)
        self._entries.set(len(self._told) + len(self._verified))
        return fact if isinstance(fact, Known) else Known(fact, "miss")

    def status(self) -> ProviderStatus:
        """How the provider is doing, as far as this verifier noticed."""
        name, state = self.provider.name, self.discovery.state
        if state.condition is Condition.FAILING:
            return ProviderStatus(
                name=name, state=ProviderState.FAILING, since=state.since, detail=f"no metadata: {state.code}"
            )
        if state.condition is Condition.NEVER:
            return ProviderStatus(name=name, state=ProviderState.STARTING, since=state.since)
        if self._introspection is not None and self._introspection.failing_since is not None:
            since = self._introspection.failing_since
            return ProviderStatus(name=name, state=ProviderState.FAILING, since=since, detail="introspection fails")
        if self._keys.failing_since is not None:
            since = self._keys.failing_since
            return ProviderStatus(name=name, state=ProviderState.FAILING, since=since, detail="no new signing keys")
        return ProviderStatus(name=name, state=ProviderState.READY, since=state.since)

    def supposed(self, claims: Claims, now: float) -> Active | Rejected:
        """The fact if the provider had answered these claims with `active: true`; nothing is asked or kept."""
        token = from_introspection(claims, self.provider.dialect)
        return Rejected(token.code, token.detail, now) if isinstance(token, Invalid) else Active(token, now)

    async def purge(self, client_id: str | None = None) -> int:
        """Drop the tokens of a client, or all; how many there were. An answer that is under way is not kept either.

        None of them counts any more from the call on. Setting a million of them free takes a while, in small steps.
        """
        self._purges += 1
        shelves = (self._told, self._verified)
        steps = [shelf.forget_all() if client_id is None else shelf.forget(client_id) for shelf in shelves]
        # To its end, even if nobody waits for it.
        return await asyncio.shield(self._tasks.start(_all_of(steps)))

    def _told_of(self, credential: Credential, key: bytes, wish: Wish, now: float) -> Known | None:
        """What the provider said, or the keys where it said that this is not for it to say."""
        fact = self._told.get(key)
        if fact is None or not wish.patience.believes(fact, now):
            return None
        if isinstance(fact, Active):
            self._refresh_ahead(credential, key, fact, wish.patience, now)
            return Known(fact, "hit")
        if isinstance(fact, Rejected):
            return Known(fact, "negative")
        return None if wish.order is INTROSPECT_ONLY else self._signed_of(key, wish, now)

    def _signed_of(self, key: bytes, wish: Wish, now: float) -> Known | None:
        """What the keys said."""
        fact = self._verified.get(key)
        if fact is None or isinstance(fact, NotIntrospectable) or not wish.patience.believes(fact, now):
            return None
        return Known(fact, "hit" if isinstance(fact, Active) else "negative")

    def _refresh_ahead(self, credential: Credential, key: bytes, fact: Active, patience: Patience, now: float) -> None:
        if now - fact.asked_at < AHEAD * patience.age(fact) or self._introspection is None or self._introspection.rests:
            return
        self._flights.lead((self._told, key), lambda: self._introspect(credential, key))

    def _without_answer(self, key: bytes, wish: Wish, now: float) -> Known | None:
        """What the provider said, as far as it may still be believed while it cannot answer."""
        told = self._told.get(key)
        if isinstance(told, Rejected):
            # Seen inactive, it stays denied for as long as nobody can say otherwise: no way round through the keys.
            return Known(told, "negative")
        if isinstance(told, Active) and wish.patience.believes(told, now, longer=wish.patience.stale_if_error):
            return Known(told, "stale")
        return None

    def _instead(self, credential: Credential, key: bytes, wish: Wish, now: float) -> Known | None:
        """What the keys said before, where they may stand in for the provider."""
        if not _keys_may_stand_in(credential, wish.order):
            return None
        known = self._signed_of(key, wish, now)
        return None if known is None or self._contradicts(known.fact, key) else known

    def _contradicts(self, fact: Active | Rejected, key: bytes) -> bool:
        """Whether keys refuse what the provider stood for: it signs with others, so that these can't speak for it."""
        return isinstance(fact, Rejected) and isinstance(self._told.get(key), Active)

    def _introspects(self, credential: Credential) -> bool:
        """Whether the provider can be asked about such a credential."""
        if self._introspection is None:
            return False
        return self.provider.dialect.introspects_jwts or not credential.looks_like_jwt

    def _is_for_keys(self, credential: Credential, order: Order) -> bool:
        """Whether the keys judge the credential: what the provider told another route of it then counts for nothing."""
        if order is INTROSPECT_ONLY:
            return False
        if order is KEYS_ONLY:
            return True
        if order is KEYS_FIRST and credential.looks_like_jwt and not self._keys.are_missing:
            return True
        return not self._introspects(credential)

    async def _ask(self, credential: Credential, key: bytes, wish: Wish) -> Active | Rejected | Known:
        if self._is_for_keys(credential, wish.order):
            try:
                return await self._check(credential, key)
            except Unavailable as failure:
                if wish.order is not KEYS_FIRST or not self._introspects(credential):
                    raise
                log.info("the keys of %s are not to be had: %s", self.provider.name, failure)
        if not self._introspects(credential):
            return _not_introspected(self._clock.time())
        try:
            fact = await self._answer(credential, key, wish)
        except Unavailable as failure:
            return await self._way_round(credential, key, wish, failure)
        if not isinstance(fact, NotIntrospectable):
            return fact
        if wish.order is INTROSPECT_ONLY:
            return _not_introspected(self._clock.time())
        return await self._check(credential, key)

    async def _way_round(
        self, credential: Credential, key: bytes, wish: Wish, failure: Unavailable
    ) -> Active | Rejected | Known:
        """What can be said although the provider did not answer; the failure where it is nothing."""
        now = self._clock.time()
        known = self._without_answer(key, wish, now)
        if known is not None:
            return known
        # A provider that refuses us has answered: its keys must not stand for what it would not say.
        if failure.code == REFUSES_US or not _keys_may_stand_in(credential, wish.order):
            raise failure
        known = self._instead(credential, key, wish, now)
        if known is not None:
            return known
        try:
            fact = await self._check(credential, key)
        except Unavailable:
            raise failure from None
        if self._contradicts(fact, key):
            raise failure
        self._fallbacks.inc()
        return fact

    async def _answer(self, credential: Credential, key: bytes, wish: Wish) -> Fact:
        """The provider's answer, asked once for all who wait. Who wants it fresh does not join an older question."""
        if wish.patience.max_age <= 0:
            return await self._introspect(credential, key)
        self._waiters.set(self._flights.waiting + 1)
        try:
            return await self._flights.join((self._told, key), lambda: self._introspect(credential, key))
        finally:
            self._waiters.set(self._flights.waiting)

    async def _introspect(self, credential: Credential, key: bytes) -> Fact:
        assert self._introspection is not None  # noqa: S101 - seen to by the callers
        purges = self._purges
        fact = await self._introspection.ask(credential)
        if isinstance(fact, Rejected) or purges == self._purges:
            self._told.put(key, fact)
        return fact

    async def _check(self, credential: Credential, key: bytes) -> Active | Rejected:
        """The fact by the provider's keys."""
        asked_at = self._clock.time()
        verified = await self._keys.verify(credential.value)
        token = verified if isinstance(verified, Invalid) else from_keys(verified, self.provider.dialect)
        fact = Rejected(token.code, token.detail, asked_at) if isinstance(token, Invalid) else Active(token, asked_at)
        if not isinstance(verified, Invalid) or verified.code != "token_key_unknown":
            # A key that nobody knows may be published the next moment; nothing else about a signature ever changes.
            self._verified.put(key, fact)
        return fact

    def keep_keys(self) -> None:
        """Have the keys fetched from now on, so that they are there when the provider is not."""
        if self._keeping is None:
            self._keeping = self._tasks.start(self._keys.keep_fresh())


async def _all_of(steps: Sequence[Iterator[int]]) -> int:
    """The sum of what the steps give; others have their turn between two of them."""
    total = 0
    for number in chain.from_iterable(steps):
        total += number
        await asyncio.sleep(0)
    return total


def _not_introspected(now: float) -> Rejected:
    return Rejected("token_not_introspectable", "The provider does not introspect this token.", now)


def _keys_may_stand_in(credential: Credential, order: Order) -> bool:
    """Whether keys can say anything of the credential, and the route lets them when the provider does not answer."""
    return credential.looks_like_jwt and order is not INTROSPECT_ONLY
