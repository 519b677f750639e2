"""Rate limits: each client is held to the limits of its contract's tier."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from gateway.policy import Policy
from gateway.providers import Provider
from gateway.services import Services
from policies.rate_limit.counters import Counts, MemoryCounts, Strategy
from policies.rate_limit.fields import STYLES, Style
from policies.rate_limit.limiter import Limiter
from policies.rate_limit.windows import windows_of

SCHEMES = ("redis://", "rediss://", "redis+unix://")


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """Hold each client to the limits of its contract's tier. Stands after the policy that knows the client."""

    tier: str | None = None
    """The tier of requests without one: of clients whose contract names none, and of callers without a token, who
    are told apart by address. Null: these have no limit."""
    window: Strategy = "fixed"
    """fixed: a window begins with its first request. sliding: no more than the limit in any window, nearly."""
    headers: Style = "ratelimit"
    """ratelimit (RateLimit and RateLimit-Policy), x-ratelimit (X-RateLimit-…, the reset in milliseconds), both, off."""
    redis: SecretStr | None = None
    """Where all gateways count together, as in redis://redis.internal:6379/0. Null: each process counts for itself."""
    redis_timeout: float = 0.05
    """Seconds that counting may take of a request, before this process counts by itself."""

    def __post_init__(self) -> None:
        if self.redis is not None and not self.redis.get_secret_value().startswith(SCHEMES):
            raise ValueError("redis: write redis://host:port/0, rediss:// for TLS, or redis+unix:///path")
        if self.redis_timeout <= 0:
            raise ValueError(f"redis_timeout is {self.redis_timeout} s; write more than 0")

    def mistakes(self, providers: Mapping[str, Provider]) -> Iterator[tuple[str, str]]:
        """What is wrong with the options in view of what is installed: the field, and what to write."""
        if self.redis is not None and not _has_redis():
            yield "redis", "needs a library; install tokenward[redis]"

    @asynccontextmanager
    async def open(self, services: Services) -> AsyncIterator[Policy]:
        """The policy ready to decide. Routes of one API count together, also across a reload."""
        counts: Counts = await services.share(
            (
                "rate-limit",
                self.window,
                self.redis_timeout,
                None if self.redis is None else self.redis.get_secret_value(),
            ),
            lambda: self._open_counts(services),
        )
        if self.tier is not None and self.tier not in services.tiers:
            raise ValueError(f"rate-limit: no tier is called {self.tier}; write it under tiers")
        yield Limiter(
            api=services.api,
            tiers={name: windows_of(name, tier.limits) for name, tier in services.tiers.items()},
            without=self.tier,
            counts=counts,
            fields=STYLES[self.headers],
        )

    @asynccontextmanager
    async def _open_counts(self, services: Services) -> AsyncIterator[Counts]:
        if self.redis is None:
            yield MemoryCounts(self.window, services.clock)
            return
        from policies.rate_limit.redis_counters import open_redis

        async with open_redis(self.redis.get_secret_value(), self.window, services.clock, self.redis_timeout) as counts:
            yield counts


def _has_redis() -> bool:
    from importlib.util import find_spec

    return find_spec("redis") is not None
