"""The whole gateway over its sockets: in front of an upstream that records, and behind it an identity provider."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.clock import SystemClock
from gateway.serve import Serving, serve
from gateway.settings import parse
from tests.idp.provider import IdentityProvider
from tests.servers import RawCaller, RecordingUpstream, Reply, recording_upstream, request

Section: TypeAlias = Mapping[str, Any]
"""A provider, or the options of a policy, as the YAML has them."""

IDENTITY = {"X-Client-Id": "client_id", "X-Subject": "sub", "X-Scope": "scope"}


class Verdict(NamedTuple):
    """What the gateway answered: its status and the code of its refusal, empty where the upstream answered."""

    status: int
    code: str = ""


ACCEPTED = Verdict(200)
INACTIVE = Verdict(401, "token_inactive")


class Watch(SystemClock):
    """The machine's clock, which a test can set forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def move(self, seconds: float) -> None:
        """Let that much time pass for the gateway; for the provider none passes."""
        self._ahead += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A gateway that listens, and what it stands in front of."""

    serving: Serving
    upstream: RecordingUpstream
    clock: Watch
    tokens: set[str] = field(default_factory=set, repr=False)
    """What callers sent: no log may hold it."""
    accepted: list[Reply] = field(default_factory=list, repr=False)

    async def ask(self, token: str, path: str = "/orders", *lines: str, method: str = "GET") -> Reply:
        """One request with that bearer token, and with further header lines."""
        self.tokens.add(token)
        return await self.send(request(method, path, f"Authorization: Bearer {token}", *lines))

    async def verdict(self, token: str, path: str = "/orders", *, method: str = "GET") -> Verdict:
        """What comes of a request with that bearer token."""
        return verdict_of(await self.ask(token, path, method=method))

    async def send(self, data: bytes) -> Reply:
        """One request as it is."""
        reply = await _exchange(self.serving.addresses[0], data)
        if reply.status == 200:
            self.accepted.append(reply)
        assert reply.status != 401 or [line[:14] for line in reply.header("WWW-Authenticate")] == ['Bearer realm="']
        assert len(reply.header("Retry-After")) == (1 if reply.status == 503 else 0)
        return reply

    async def operate(self, target: str, document: object = None) -> Any:
        """What the admin port answers to an operator who changes something."""
        body = b"" if document is None else json.dumps(document).encode()
        intent = ("X-Requested-With: tokenward", "Connection: close")
        reply = await _exchange(
            self.serving.admin_addresses[0], request("POST", target, *intent, host="127.0.0.1", body=body)
        )
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    async def look(self, target: str) -> Reply:
        """A page of the admin port."""
        asking = request("GET", target, "Connection: close", host="127.0.0.1")
        return await _exchange(self.serving.admin_addresses[0], asking)

    async def counted(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels, as the admin port shows them."""
        families = text_string_to_metric_families((await self.look("/metrics")).body.decode())
        samples = [sample for family in families for sample in family.samples]
        wanted = {f"tokenward_{name}", f"tokenward_{name}_total"}
        return sum(one.value for one in samples if one.name in wanted and labels.items() <= one.labels.items())

    async def introspections(self) -> float:
        """How often a provider was asked about a token, answered or not."""
        return await self.counted("introspection_requests")


Protect: TypeAlias = Callable[..., Awaitable[Guard]]
"""See `protecting`."""


def section(provider: IdentityProvider, **changes: Any) -> Section:
    """A provider as the YAML has it: found by its issuer, and asked as its introspecting client."""
    ours = {"client_id": provider.introspector.client_id, "client_secret": provider.introspector.client_secret}
    return {"issuer": provider.issuer, "introspection": ours, **changes}


def verdict_of(reply: Reply) -> Verdict:
    """The status, and the code of a problem document."""
    return Verdict(reply.status, "" if reply.status == 200 else json.loads(reply.body)["code"])


@asynccontextmanager
async def protecting(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Protect]:
    """Gives a function that runs a gateway until the end of the block.

    It takes a provider, or sections by name, and the options of the policy on the one route /orders; or `routes`, the
    options by path. Without `provider` or `providers` in the options the first provider counts.
    """
    caplog.set_level(logging.DEBUG)
    guards: list[Guard] = []
    async with AsyncExitStack() as stack:

        async def protect(
            providers: IdentityProvider | Mapping[str, Section],
            /,
            *,
            routes: Mapping[str, Section] | None = None,
            **options: Any,
        ) -> Guard:
            sections = providers if isinstance(providers, Mapping) else {providers.name: section(providers)}
            upstream = await stack.enter_async_context(recording_upstream())
            text = _settings(sections, routes or {"/orders": options}, upstream.url)
            clock = Watch()
            serving = await stack.enter_async_context(serve(parse(text, environment={}), clock=clock))
            guards.append(Guard(serving=serving, upstream=upstream, clock=clock))
            return guards[-1]

        yield protect
    for guard in guards:
        _check(guard, caplog)


def _check(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    """What holds whatever was tried: nothing that was refused went upstream, and no token into a log."""
    assert len(guard.upstream.requests) == len(guard.accepted)
    said = [record.getMessage() + (record.exc_text or "") for record in caplog.get_records("call")]
    assert not [line for line in said if any(token in line for token in guard.tokens)]


def _settings(providers: Mapping[str, Section], routes: Mapping[str, Section], upstream: str) -> str:
    first = next(iter(providers))
    document = {
        "listen": "127.0.0.1:0",
        "admin": {"listen": "127.0.0.1:0"},
        "access_log": {"to": "off"},
        "drain": {"delay": 0, "timeout": 1},
        "reload": {"watch": False},
        "providers": providers,
        "routes": {
            path.strip("/"): {"path": path, "upstream": upstream, "policies": [{"token-enforcement": options}]}
            for path, options in ((path, _with_defaults(options, first)) for path, options in routes.items())
        },
    }
    # JSON is YAML; a dollar in a secret is none that stands for a variable.
    return json.dumps(document).replace("$", "$$")


def _with_defaults(options: Section, provider: str) -> Section:
    whose = {} if options.keys() & {"provider", "providers"} else {"provider": provider}
    return {"identity_headers": IDENTITY, **whose, **options}


async def _exchange(address: tuple[str, int], data: bytes) -> Reply:
    caller = RawCaller(*await asyncio.open_connection(*address))
    caller.send(data)
    try:
        return await caller.reply(timeout=15)
    finally:
        caller.close()
