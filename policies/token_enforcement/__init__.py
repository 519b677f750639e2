"""OpenID Connect OAuth 2.0 token enforcement: only a good token of a known provider reaches the upstream."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.policy import Policy
from gateway.providers import Order, Provider
from gateway.services import Services
from policies.token_enforcement.enforcer import Enforcer, Judge, Plan
from policies.token_enforcement.mule import Mule
from policies.token_enforcement.opening import open_verifier
from policies.token_enforcement.options import ClaimRule, Patience, Sources
from policies.token_enforcement.rules import Rules
from policies.token_enforcement.signature import ASYMMETRIC
from policies.token_enforcement.verifier import Verifier, Wish

MAX_LEEWAY = 60
INTROSPECTING = frozenset({Order.INTROSPECT_ONLY, Order.INTROSPECT_THEN_KEYS})

# RFC 6749, 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


@dataclass(frozen=True, kw_only=True)
class TokenEnforcement:
    """Require a bearer token that a provider vouches for, and that reaches as far as this route."""

    provider: str | None = None
    """The provider whose tokens count."""
    providers: tuple[str, ...] = ()
    """Several: a JWT goes to the one whose issuer it names, any other token to each in turn."""
    order: Order | None = None
    """introspect_then_keys, keys_first, introspect_only or keys_only; the provider's own where nothing is said."""
    scopes: tuple[str, ...] = ()
    """What the token must allow."""
    scopes_match: Literal["all", "any"] = "all"
    audience: tuple[str, ...] = ()
    """Names of this API: the token must be meant for one of them."""
    issuer: str | None = None
    """Who must have issued the token, asked of introspected tokens too. JWTs must always name the provider's issuer."""
    claims: tuple[ClaimRule, ...] = ()
    """What further claims must say."""
    contract: Literal["ignored", "required"] = "ignored"
    """Whether the token's client must be listed for this API."""
    sources: Sources = field(default_factory=Sources)
    """Where the token may stand in a request."""
    identity_headers: Mapping[str, str] = field(default_factory=dict)
    """For the upstream: a header's name, and the claim that it shows (dots lead into objects)."""
    identity_preset: Literal["x-agw"] | None = None
    """x-agw: each plain claim as X-AGW-<claim>, as the policy that this one replaces does."""
    forward_authorization: bool = False
    """Whether the upstream receives the caller's Authorization header. It could then use the token elsewhere."""
    cache: Patience = field(default_factory=Patience)
    """For how many seconds what is known of a token is believed."""
    freshness: Mapping[str, float] = field(default_factory=dict)
    """A smaller max_age, in seconds, for some methods. `DELETE: 0` asks the provider each time."""
    leeway: float = 5
    """Seconds by which clocks may differ, at most 60."""
    types: tuple[str, ...] | None = None
    """What the `typ` of a JWT may say; the provider's own where nothing is said."""
    algorithms: tuple[str, ...] = tuple(sorted(ASYMMETRIC))
    """What may have signed a JWT."""
    realm: str = "tokenward"
    """Of the challenge in a refusal."""
    compatibility: Literal["mule"] | None = None
    """mule: status codes and bodies of the policy that this one replaces, for callers who depend on them."""

    def __post_init__(self) -> None:
        if (self.provider is None) == (not self.providers):
            raise ValueError("write either provider, or providers with at least one name")
        if not 0 <= self.leeway <= MAX_LEEWAY:
            raise ValueError(
                f"leeway is {self.leeway} s; write 0 to {MAX_LEEWAY}: a token must not live on after it expired"
            )
        if any(age < 0 for age in self.freshness.values()):
            raise ValueError("freshness: write 0 s to ask the provider each time, or more")
        if not (self.realm.isascii() and self.realm.isprintable()):
            raise ValueError("realm holds what no header may hold; write visible ASCII and spaces")
        if not all(SCOPE.fullmatch(scope) for scope in self.scopes):
            raise ValueError("scopes: a scope is one word of visible ASCII, without quotes and backslashes")
        unknown = sorted(set(self.algorithms) - ASYMMETRIC)
        if unknown or not self.algorithms:
            raise ValueError(
                f"algorithms: {', '.join(unknown) or 'none'}; write some of {', '.join(sorted(ASYMMETRIC))}"
            )

    @property
    def provider_names(self) -> tuple[str, ...]:
        """The providers in their order."""
        return self.providers if self.provider is None else (self.provider,)

    def mistakes(self, providers: Mapping[str, Provider]) -> Iterator[tuple[str, str]]:
        """What is wrong with the options in view of the configured providers: the field, and what to write."""
        for name in self.provider_names:
            provider = providers.get(name)
            if provider is None:
                known = ", ".join(sorted(providers)) or "a provider under providers: first"
                yield ("provider" if self.provider else "providers"), f"there is no provider {name!r}; write {known}"
            elif provider.introspection is None and self._order(provider) in INTROSPECTING:
                yield "order", f"{name!r} has no introspection credentials; write them, or order: keys_only"
            elif provider.issuer is None and self.issuer is None and self._order(provider) not in INTROSPECTING:
                yield "issuer", f"{name!r} has no issuer, and keys do not say who issued a token; write who may"

    @asynccontextmanager
    async def open(self, services: Services) -> AsyncIterator[Policy]:
        """The policy ready to decide. What is known of a provider's tokens is shared by all routes that use it."""
        judges = tuple([await self._judge(services, services.providers[name]) for name in self.provider_names])
        plan = Plan(
            api=services.api,
            realm=self.realm,
            sources=self.sources,
            judges=judges,
            contract_required=self.contract == "required",
            identity=self.identity_headers,
            agw=self.identity_preset == "x-agw",
            forward_authorization=self.forward_authorization,
        )
        enforcer = Enforcer(plan, services.directory, services.metrics)
        yield Mule(enforcer) if self.compatibility == "mule" else enforcer

    async def _judge(self, services: Services, provider: Provider) -> Judge:
        verifier: Verifier = await services.share(
            ("token-enforcement", provider), lambda: open_verifier(provider, services)
        )
        order = self._order(provider)
        if order is not Order.INTROSPECT_ONLY or provider.signed_introspection:
            verifier.keep_keys()
        return Judge(
            verifier=verifier,
            rules=self._rules(provider),
            wish=Wish(order=order, patience=self.cache),
            wishes={method: Wish(order=order, patience=self._fresher(age)) for method, age in self.freshness.items()},
        )

    def _order(self, provider: Provider) -> Order:
        return self.order or provider.dialect.order

    def _fresher(self, max_age: float) -> Patience:
        """For a method that wants fresher facts, nothing is believed beyond them either."""
        return replace(self.cache, max_age=min(max_age, self.cache.max_age), stale_if_error=0.0)

    def _rules(self, provider: Provider) -> Rules:
        types = provider.dialect.jwt_types if self.types is None else frozenset(name.lower() for name in self.types)
        return Rules(
            realm=self.realm,
            provider_issuer=provider.issuer,
            issuer=self.issuer,
            audience=frozenset(self.audience),
            scopes=frozenset(self.scopes),
            any_scope=self.scopes_match == "any",
            claims=self.claims,
            leeway=self.leeway,
            types=types,
            algorithms=frozenset(self.algorithms),
        )
