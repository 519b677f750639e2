"""What tests of the doctor share: configurations, a provider that says what it is told to, one finding of a report."""

import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from gateway.clock import SystemClock
from gateway.doctor import Report, examine
from gateway.doctor.findings import Finding
from gateway.ports import Clock
from gateway.settings import Settings, parse
from tests.faulty_server import Conversation, FaultyServer, Verb, answer, by_path, document, faulty_server

CLIENT, SECRET = "gateway", "n0body-knows-this"
MINTED = "a-token-that-was-minted-just-now"
SIGNER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JWK: dict[str, Any] = {
    **RSAAlgorithm.to_jwk(SIGNER.public_key(), as_dict=True),
    "kid": "one",
    "use": "sig",
    "alg": "RS256",
}
ACTIVE: dict[str, Any] = {
    "active": True,
    "token_type": "Bearer",
    "client_id": CLIENT,
    "scope": "read",
    "exp": 4_000_000_000,
}


def sign(claims: Mapping[str, object], **header: str) -> str:
    """A JWT that the published key verifies."""
    return jwt.encode(dict(claims), SIGNER, "RS256", {"kid": "one", **header})


def settings(
    provider: Mapping[str, Any] | None,
    route: Mapping[str, Any] | None = None,
    *,
    upstream: object = "http://127.0.0.1:9",
    **whole: Any,
) -> Settings:
    """A configuration with the provider `idp` and the route `orders`; `route` holds options of its enforcement.

    Nobody listens at the usual upstream.
    """
    enforcing = [{"token-enforcement": {"provider": "idp", **(route or {})}}] if provider else []
    orders = {"path": "/orders", "upstream": upstream, "policies": enforcing}
    configuration = {
        "listen": "127.0.0.1:0",
        "admin": {"listen": "127.0.0.1:0"},
        "providers": {"idp": provider} if provider else {},
        "routes": {"orders": orders},
        **whole,
    }
    return parse(json.dumps(configuration), environment={})


def described(issuer: str, **more: Any) -> dict[str, Any]:
    """The options of a provider with our usual client."""
    return {"issuer": issuer, "introspection": {"client_id": CLIENT, "client_secret": SECRET}, **more}


async def examined(configuration: Settings, clock: Clock | None = None) -> Report:
    """The report; nothing is told on the way."""
    return await examine(configuration, clock or SystemClock(), io.StringIO())


def all_of(report: Report, subject: str, check: str) -> list[Finding]:
    """The findings of that check."""
    return [each for each in report.findings if (each.subject, each.check) == (subject, check)]


def found(report: Report, check: str, subject: str = "provider idp") -> tuple[str, str, str]:
    """Result, what was seen, and what to do, of the only finding of that check."""
    (finding,) = all_of(report, subject, check)
    return finding.result.value, finding.seen, finding.advice


@dataclass(kw_only=True)
class Saying:
    """What a provider says. `metadata` is added to the usual one, `None` takes a member out."""

    metadata: dict[str, Any] = field(default_factory=dict)
    keys: Verb = field(default_factory=lambda: document({"keys": [JWK]}))
    about_minted: Verb = field(default_factory=lambda: document(ACTIVE))
    about_others: Verb = field(default_factory=lambda: document({"active": False}))
    token: Verb = field(default_factory=lambda: document({"access_token": MINTED, "token_type": "Bearer"}))
    minted: str = MINTED

    def verb(self, url: str) -> Verb:
        """All of it by paths, where the provider is at that URL."""
        usual = {
            "issuer": url,
            "jwks_uri": f"{url}/jwks",
            "introspection_endpoint": f"{url}/introspect",
            "token_endpoint": f"{url}/token",
        }
        said = {name: value for name, value in {**usual, **self.metadata}.items() if value is not None}
        verbs = {
            "/.well-known/openid-configuration": document(said),
            "/jwks": self.keys,
            "/introspect": self._introspects,
            "/token": self.token,
        }
        return by_path(verbs, answer(status=404))

    async def _introspects(self, conversation: Conversation) -> None:
        own = conversation.received.form.get("token") == self.minted
        await (self.about_minted if own else self.about_others)(conversation)


@asynccontextmanager
async def provider(**saying: Any) -> AsyncIterator[FaultyServer]:
    """A provider that says all of this, on loopback."""
    async with faulty_server(answer(status=404)) as server:
        server.script = [Saying(**saying).verb(server.url)]
        yield server


async def report_on(
    options: Mapping[str, Any] | None = None,
    route: Mapping[str, Any] | None = None,
    *,
    clock: Clock | None = None,
    say: Callable[[str], Mapping[str, Any]] | None = None,
    **saying: Any,
) -> Report:
    """The report about a provider that says this, with these options beside the usual ones; all else is well.

    `say` makes more of what is said from the provider's URL.
    """
    async with provider() as server:
        server.script = [Saying(**saying, **(say(server.url) if say else {})).verb(server.url)]
        return await examined(settings(described(server.url, **(options or {})), route, upstream=server.url), clock)
