"""Ask the provider about a token (RFC 7662), and read what it says."""

import asyncio
from urllib.parse import urlencode

from gateway.breaker import Breaker
from gateway.policy import Headers, Unavailable
from gateway.ports import Clock, Fetch, Metrics, Reply
from gateway.providers import Provider
from gateway.providers.authentication import Authenticator
from gateway.providers.discovery import Discovery
from policies.token_enforcement.claims import Claims, from_introspection
from policies.token_enforcement.credential import Credential
from policies.token_enforcement.facts import Active, Fact, NotIntrospectable, Rejected
from policies.token_enforcement.keys import Keys
from policies.token_enforcement.signature import Invalid
from policies.token_enforcement.strict import json_object

SIGNED = "application/token-introspection+jwt"
FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)

REFUSES_US = "provider_refuses_us"
"""The code of the one failure that has no way round: the provider answered, and it is we who are wrong."""


class Introspection:
    """One provider's introspection endpoint. It is asked by few at once, and not at all while it keeps failing."""

    def __init__(
        self, provider: Provider, fetch: Fetch, discovery: Discovery, keys: Keys, clock: Clock, metrics: Metrics
    ) -> None:
        assert provider.introspection is not None  # noqa: S101 - the settings see to it
        self._provider = provider
        self._fetch = fetch
        self._discovery = discovery
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._authenticator = Authenticator(provider.introspection)
        self._places = asyncio.Semaphore(provider.limits.concurrency)
        limits = provider.limits
        self._breaker = Breaker(clock, failures=limits.failures, cool_down=limits.cool_down)
        self.failing_since: float | None = None
        """Seconds since the epoch; `None` while the last answer could be used."""
        self._open = metrics.gauge("circuit_open", "Whether a server is left alone for now.", target=provider.name)
        self._duration = metrics.histogram(
            "introspection_duration_seconds", "How long providers took to introspect a token.", provider=provider.name
        )

    @property
    def rests(self) -> bool:
        """Whether the provider is left alone now, because it kept failing."""
        return self._breaker.refuses

    async def ask(self, credential: Credential) -> Fact:
        """What the provider says of the credential. Raises `Unavailable` when it says nothing that can be used."""
        if not self._breaker.admit():
            self._count("resting")
            raise Unavailable(
                f"{self._provider.name} is left alone for a moment, because it kept failing",
                code="provider_resting",
                retry_after=self._breaker.retry_after,
            )
        try:
            fact = await self._within_time(credential)
        except Unavailable as failure:
            self._count(failure.code)
            self.failing_since = self.failing_since or self._clock.time()
            self._report(answered=failure.code == REFUSES_US)
            raise
        self.failing_since = None
        self._report(answered=True)
        return fact

    async def _within_time(self, credential: Credential) -> Fact:
        try:
            async with asyncio.timeout(self._provider.transport.timeout):
                endpoints = await self._discovery.endpoints()
                if endpoints.introspection is None:
                    raise Unavailable(
                        f"{self._provider.name} publishes no introspection endpoint", code="provider_metadata"
                    )
                async with self._places:
                    return await self._ask(endpoints.introspection, credential)
        except TimeoutError as error:
            raise Unavailable(f"{self._provider.name} did not answer in time", code="provider_timeout") from error

    async def _ask(self, url: str, credential: Credential) -> Fact:
        asked_at, began = self._clock.time(), self._clock.monotonic()
        proof = self._authenticator.prove(audience=url, now=asked_at)
        accept = SIGNED if self._provider.signed_introspection else "application/json"
        # RFC 7662, 2.1: `token` is REQUIRED. The hint keeps refresh tokens out where the provider heeds it.
        fields = (("token", credential.value), ("token_type_hint", "access_token"), *proof.fields)
        reply = await self._fetch(
            "POST", url, headers=(*FORM, ("Accept", accept), *proof.headers), body=urlencode(fields).encode()
        )
        self._duration.observe(self._clock.monotonic() - began)
        return await self._read(reply, asked_at)

    async def _read(self, reply: Reply, asked_at: float) -> Fact:
        if reply.status != 200:
            return self._refused(reply, asked_at)
        claims = await self._claims(reply)
        active = claims.get("active")
        if active is not True:
            # RFC 7662, 2.2: a boolean. What is neither true nor false is no yes.
            self._count("inactive" if active is False else "malformed")
            return Rejected("token_inactive", "The token is not active.", asked_at)
        token = from_introspection(claims, self._provider.dialect)
        if isinstance(token, Invalid):
            self._count("malformed")
            return Rejected(token.code, token.detail, asked_at)
        self._count("active")
        return Active(token, asked_at)

    def _refused(self, reply: Reply, asked_at: float) -> Fact:
        """What an answer other than 200 means: nothing about the token, but for one error code."""
        name = self._provider.name
        if reply.status == 400 and _error(reply) == "unsupported_token_type":
            self._count("unsupported")
            return NotIntrospectable(asked_at)
        if 400 <= reply.status < 500 and reply.status not in {408, 429}:
            raise Unavailable(f"{name} refuses our introspection request", code=REFUSES_US, retry_after=5)
        raise Unavailable(f"{name} answered the introspection request with an error", code="provider_error")

    async def _claims(self, reply: Reply) -> Claims:
        name = self._provider.name
        if self._provider.signed_introspection:
            return await self._signed(reply)
        if reply.media_type != "application/json":
            raise Unavailable(f"{name} did not answer the introspection request in JSON", code="provider_answer")
        try:
            return json_object(reply.body)
        except ValueError as error:
            raise Unavailable(
                f"{name} answered the introspection request with no JSON object", code="provider_answer"
            ) from error

    async def _signed(self, reply: Reply) -> Claims:
        """The claims inside a signed answer (RFC 9701, 5): its type, issuer and audience are checked like a token's."""
        unusable = Unavailable(
            f"{self._provider.name} gave no signed answer that can be trusted", code="provider_answer"
        )
        if reply.media_type != SIGNED:
            raise unusable
        verified = await self._keys.verify(reply.body.decode("ascii", "replace"), max_length=len(reply.body))
        if isinstance(verified, Invalid) or verified.typ != "token-introspection+jwt":
            raise unusable
        assert self._provider.introspection is not None  # noqa: S101 - seen to in __init__
        audience = verified.claims.get("aud")
        ours = self._provider.introspection.client_id
        answer = verified.claims.get("token_introspection")
        issuer = self._provider.issuer
        if issuer is None or verified.claims.get("iss") != issuer or (audience != ours and audience != [ours]):
            raise unusable
        if not isinstance(answer, dict):
            raise unusable
        return answer

    def _report(self, *, answered: bool) -> None:
        if answered:
            self._breaker.succeeded()
        else:
            self._breaker.failed()
        self._open.set(0 if self._breaker.state.value == 0 else 1)

    def _count(self, outcome: str) -> None:
        self._metrics.counter(
            "introspection_requests",
            "Introspections by what came of them.",
            provider=self._provider.name,
            outcome=outcome,
        ).inc()


def _error(reply: Reply) -> object:
    """The OAuth error code of an answer (RFC 6749, 5.2); `None` where there is none."""
    try:
        return json_object(reply.body).get("error")
    except ValueError:
        return None
