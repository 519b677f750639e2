"""An identity provider behind a fake network, and routes whose token enforcement asks it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from gateway.clients import Directory
from gateway.policy import Decision, Policy, Unavailable
from gateway.ports import Reply
from gateway.providers import ClientCredentials, Endpoints, Provider
from gateway.services import Services
from gateway.tasks import Tasks
from policies.token_enforcement import TokenEnforcement
from policies.token_enforcement.verifier import Verifier
from tests.fakes import NOON, Asked, FakeClock, FakeFetch, FakeMetrics, FakeSharing, decided, json_reply, reply, request
from tests.policies.token_enforcement.signing import Signer, document, rsa_signer

ISSUER = "https://idp.example.com"
INTROSPECTION = f"{ISSUER}/introspect"
JWKS = f"{ISSUER}/keys"
SECRET = "the-secret-of-the-gateway"
PROVIDER = Provider(
    name="idp",
    issuer=ISSUER,
    endpoints=Endpoints(introspection=INTROSPECTION, jwks=JWKS),
    introspection=ClientCredentials(client_id="gateway", client_secret=SecretStr(SECRET)),
)
SIGNER = rsa_signer()
OPAQUE = "2YotnFZFEjr1zCsicMWpAA"
DOWN = Unavailable("idp.example.com cannot be reached.", code="provider_unreachable")


def active(**claims: object) -> dict[str, object]:
    """What a provider says of a good token."""
    return {
        "active": True,
        "token_type": "Bearer",
        "sub": "alice",
        "client_id": "mobile",
        "scope": "orders.read",
        "exp": int(NOON) + 3600,
        **claims,
    }


def jwt(signer: Signer = SIGNER, *, header: Mapping[str, object] | None = None, **claims: object) -> str:
    """A signed token with the claims of a good one, but for those given; `None` leaves a claim out."""
    usual = {"iss": ISSUER, "sub": "alice", "client_id": "mobile", "scope": "orders.read", "exp": int(NOON) + 3600}
    said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return signer.token(said, **(header or {}))


def forged(token: str) -> str:
    """The token with a signature that is not the provider's."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[:10]}{'A' if signature[10] != 'A' else 'B'}{signature[11:]}"


class FakeProvider:
    """Says of each token what `says` holds, and `active: false` of all others."""

    def __init__(self, *signers: Signer) -> None:
        self.says: dict[str, Mapping[str, object]] = {}
        self.fetch = FakeFetch()
        self.recovers()
        self.publishes(*(signers or (SIGNER,)))

    def publishes(self, *signers: Signer) -> None:
        """From now on these are its keys."""
        self.fetch.answers[JWKS] = reply(document(*(signer.jwk for signer in signers)))

    def answers(self, outcome: Reply | Unavailable) -> None:
        """From now on every introspection is answered so."""
        self.fetch.answers[INTROSPECTION] = outcome

    def recovers(self) -> None:
        """From now on it answers as it should."""
        self.fetch.answers[INTROSPECTION] = self._introspect

    def hides_keys(self) -> None:
        """From now on its keys are not to be had."""
        self.fetch.answers[JWKS] = DOWN

    @property
    def introspections(self) -> int:
        return self.fetch.times(INTROSPECTION)

    @property
    def key_fetches(self) -> int:
        return self.fetch.times(JWKS)

    def _introspect(self, asked: Asked) -> Reply:
        return json_reply(self.says.get(asked.form["token"], {"active": False}))


class Stage:
    """Routes of one gateway, its clock, and the provider that they all use."""

    def __init__(self, provider: Provider, idp: FakeProvider, directory: Directory, clock: FakeClock) -> None:
        self.provider = provider
        self.idp = idp
        self.clock = clock
        self.metrics = FakeMetrics()
        self.sharing = FakeSharing()
        self._directory = directory
        self._tasks = Tasks()
        self._stack = AsyncExitStack()

    async def route(self, **options: Any) -> Policy:
        """One more route with that enforcement, ready to decide."""
        enforcement = TokenEnforcement(**{"provider": self.provider.name, **options})
        return await self._stack.enter_async_context(enforcement.open(self.services))

    @property
    def services(self) -> Services:
        return Services(
            route="orders",
            api="orders",
            clock=self.clock,
            metrics=self.metrics,
            tasks=self._tasks,
            open_fetch=self.idp.fetch.open,
            share=self.sharing,
            providers={self.provider.name: self.provider},
            directory=self._directory,
        )

    @property
    def verifier(self) -> Verifier:
        """The one that all routes of the provider share."""
        (verifier,) = self.sharing.opened.values()
        assert isinstance(verifier, Verifier)
        return verifier

    async def decide(self, route: Policy, token: str | None, **facts: Any) -> Decision:
        """What the route decides about a request with that token that is received now."""
        return await decided(route, request(token, received_at=self.clock.time(), **facts))

    async def close(self) -> None:
        await self._stack.aclose()
        await self.sharing.close()
        await self._tasks.close()


@asynccontextmanager
async def staged(
    idp: FakeProvider | None = None,
    *,
    provider: Provider = PROVIDER,
    directory: Directory | None = None,
    clock: FakeClock | None = None,
    **changes: Any,
) -> AsyncIterator[Stage]:
    """A stage, closed at the end of the block; `changes` are of the provider."""
    stage = Stage(replace(provider, **changes), idp or FakeProvider(), directory or Directory(), clock or FakeClock())
    try:
        yield stage
    finally:
        await stage.close()
