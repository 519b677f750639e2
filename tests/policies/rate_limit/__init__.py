"""What the tests of the rate limit share: a request of a client, and an opened policy."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from gateway.clients.catalogue import Limit, Tier
from gateway.policy import Policy, Principal, Request
from gateway.ports import Fetch
from gateway.providers import Transport
from gateway.services import Services
from gateway.tasks import Tasks
from policies.rate_limit import RateLimit
from tests import fakes
from tests.fakes import NOON, FakeClock, FakeMetrics, FakeSharing

TIERS = {
    "bronze": Tier(name="bronze", limits=(Limit(requests=2, seconds=10),)),
    "gold": Tier(name="gold", limits=(Limit(requests=5, seconds=60), Limit(requests=3, seconds=10))),
    "quiet": Tier(name="quiet", limits=(Limit(requests=1, seconds=10, visible=False),)),
    "free": Tier(name="free"),
}


def principal(client_id: str | None = "mobile", tier: str | None = "bronze", provider: str = "okta") -> Principal:
    """A client that a policy before this one established."""
    return Principal(provider=provider, client_id=client_id, subject=None, scopes=frozenset(), claims={}, tier=tier)


def request(who: Principal | None, *, at: float = 0.0, api: str = "orders", address: str = "192.0.2.1") -> Request:
    """A request so many seconds after noon."""
    return fakes.request(received_at=NOON + at, api=api, principal=who, caller_ip=address)


async def opened(
    options: RateLimit,
    sharing: FakeSharing,
    *,
    api: str = "orders",
    clock: FakeClock | None = None,
    tiers: Mapping[str, Tier] = TIERS,
) -> Policy:
    """The policy ready to decide, until what is shared is closed."""
    services = Services(
        route="orders",
        api=api,
        clock=clock or FakeClock(),
        metrics=FakeMetrics(),
        tasks=Tasks(),
        open_fetch=_asks_nobody,
        share=sharing,
        tiers=tiers,
    )
    async with options.open(services) as policy:
        return policy  # nothing of it is closed with the block: the counters are shared


def _asks_nobody(_: Transport) -> AbstractAsyncContextManager[Fetch]:
    raise AssertionError("a rate limit asks no server")
