"""A route with token enforcement inside this process, and tokens that it knows: for what no load from outside shows."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from multidict import CIMultiDict
from pydantic import SecretStr

from gateway.build import this_build
from gateway.clients import Contract, Directory
from gateway.clock import SystemClock
from gateway.policy import Allow, Decision, Deny, Headers, Policy, Request
from gateway.ports import Fetch, Reply
from gateway.providers import ClientCredentials, Endpoints, Limits, Order, Provider, Transport
from gateway.services import Services
from gateway.sharing import Lease, Shared
from gateway.tasks import Tasks
from gateway.telemetry import Telemetry
from policies.token_enforcement import TokenEnforcement
from policies.token_enforcement.options import Patience
from policies.token_enforcement.verifier import Verifier

ISSUER = "https://idp.example.com/oauth2/default"
AUDIENCE = "https://api.example.com/orders"
API = "orders"
CLIENTS = 100
LIFE = 86_400
ASKS = "PUT"
"""A method for which the provider is asked each time, without a task: it fills the memory quickly."""
TURN = 100
OPTIONS: dict[str, Any] = {
    "order": Order.INTROSPECT_ONLY,
    "scopes": ("orders.read",),
    "audience": (AUDIENCE,),
    "contract": "required",
    "identity_headers": {"X-Client": "client_id", "X-User": "sub", "X-Scope": "scope"},
    "cache": Patience(max_age=LIFE),
    "freshness": {ASKS: 0.0},
}
"""What routes ask for: that of benchmarks/configurations/tokenward.yaml."""


def token(number: int) -> str:
    """The opaque token of that number."""
    return sha256(b"%d" % number).hexdigest()[:40]


def client_of(number: int) -> str:
    """The client that it was issued to."""
    return f"client-{number % CLIENTS}"


def claims(name: str, number: int, now: float) -> dict[str, object]:
    """What the provider says of it: 340 bytes of JSON."""
    return {
        "active": True,
        "iss": ISSUER,
        "aud": [AUDIENCE],
        "sub": f"{name[:8]}-d9cb-469f-a165-{name[8:20]}",
        "client_id": client_of(number),
        "scope": "orders.read orders.write",
        "token_type": "Bearer",
        "exp": int(now) + LIFE,
        "iat": int(now),
        "jti": f"{name[20:28]}-7425-40de-944b-{name[28:40]}",
        "username": f"{name[:6]}@example.com",
    }


@dataclass(slots=True)
class Inside:
    """A route, and requests for it."""

    policy: Policy
    fetch: "Introspections"
    services: Services
    shared: Shared
    clock: SystemClock = field(default_factory=SystemClock)

    def request(self, name: str, method: str = "GET") -> Request:
        """With that token, received now."""
        return Request(
            method=method,
            host="api.example.com",
            path="/orders/7",
            query="",
            headers=CIMultiDict({"Host": "api.example.com", "Accept": "*/*", "Authorization": f"Bearer {name}"}),
            caller_ip="192.0.2.1",
            received_at=self.clock.time(),
            api=API,
        )

    async def learn(self, numbers: Iterable[int]) -> None:
        """Have the provider asked about these tokens, and kept in mind what it says."""
        for number in numbers:
            self.fetch.number = number
            outcome = self.policy.decide(self.request(token(number), ASKS))
            assert not isinstance(outcome, Allow | Deny)
            assert isinstance(await outcome, Allow)
            if number % TURN == 0:
                # The loop lets go of timers that have ended.
                await asyncio.sleep(0)

    @asynccontextmanager
    async def another(self, **options: Any) -> AsyncIterator["Inside"]:
        """A route beside it, which shares what is known of the provider's tokens."""
        async with TokenEnforcement(provider="idp", **OPTIONS | options).open(self.services) as policy:
            yield Inside(policy, self.fetch, self.services, self.shared)

    async def purge(self, client_id: str | None = None) -> int:
        """Forget that client's tokens, or all; how many there were."""
        return sum([await each.purge(client_id) for each in self.shared if isinstance(each, Verifier)])

    def remembered(self, request: Request) -> Allow:
        """The decision from memory."""
        outcome: Decision | Awaitable[Decision] = self.policy.decide(request)
        assert isinstance(outcome, Allow)
        return outcome


@dataclass(slots=True)
class Introspections:
    """A `Fetch` that answers at once, each token by its number."""

    clock: SystemClock = field(default_factory=SystemClock)
    number: int = 0

    async def __call__(self, method: str, url: str, *, headers: Headers = (), body: bytes = b"") -> Reply:
        name = parse_qs(body.decode())["token"][0]
        document = json.dumps(claims(name, self.number, self.clock.time())).encode()
        return Reply(200, CIMultiDict({"Content-Type": "application/json"}), document)

    @asynccontextmanager
    async def open(self, transport: Transport) -> AsyncIterator[Fetch]:
        """This one, however the server is reached."""
        yield self


@asynccontextmanager
async def inside(room: int = 1_000_000, **options: Any) -> AsyncIterator[Inside]:
    """A route of a provider with room for so many tokens."""
    provider = Provider(
        name="idp",
        issuer=ISSUER,
        endpoints=Endpoints(introspection=f"{ISSUER}/introspect", jwks=f"{ISSUER}/keys"),
        introspection=ClientCredentials(client_id="gateway", client_secret=SecretStr("secret")),
        limits=Limits(verified_tokens=room),
    )
    directory = Directory(
        Contract(provider="idp", client_id=client_of(number), api=API, tier="gold") for number in range(CLIENTS)
    )
    async with AsyncExitStack() as stack:
        fetch, shared, tasks = Introspections(), Shared(), Tasks()
        stack.push_async_callback(tasks.close)
        lease = Lease(shared)
        stack.push_async_callback(lease.end)
        services = Services(
            route="orders",
            api=API,
            clock=fetch.clock,
            metrics=Telemetry(this_build()),
            tasks=tasks,
            open_fetch=fetch.open,
            share=lease,
            providers={"idp": provider},
            directory=directory,
        )
        enforcement = TokenEnforcement(provider="idp", **OPTIONS | options)
        yield Inside(await stack.enter_async_context(enforcement.open(services)), fetch, services, shared)
