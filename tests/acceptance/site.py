"""A whole site on loopback: the real gateway, a recording upstream, an identity provider, and what must never break."""

import asyncio
import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from gateway.serve import Serving, serve
from gateway.settings import Settings, parse
from tests.acceptance.identity_provider import INTROSPECTION, KEYS, IdentityProvider, identity_provider
from tests.acceptance.outcomes import PASSES
from tests.certificates import Authority
from tests.fakes import NOON, FakeClock
from tests.faulty_server import FaultyServer, Verb, faulty_server, hang_up
from tests.policies.token_enforcement.signing import Signer, ec_signer, ed25519_signer, rsa_signer
from tests.servers import LANES, RawCaller, RecordingUpstream, Reply, recording_upstream, request

SIGNER = rsa_signer()
SIGNERS = (SIGNER, ec_signer(), ec_signer("ES384", "ec-384"), ed25519_signer(), rsa_signer("PS256", "ps-1"))
SECRET = "the-secret-of-the-gateway-itself"
KNOWN_GOOD = "the-token-that-is-good-in-any-case"
UNDECIDED = {502, 503, 504}
"""The only server errors that a caller's doing may come to."""


class State(StrEnum):
    """What a case finds when it begins."""

    COLD = "cold"
    """Nothing is in memory."""
    WARM = "warm"
    """The very same request was answered before."""
    OUTAGE = "outage"
    """The introspection endpoint does not answer. The keys are there."""


@dataclass
class Site:
    """Everything that runs, and what went over the wire."""

    serving: Serving
    idp: IdentityProvider
    keeper: IdentityProvider
    """A second provider, that nothing is done to."""
    upstream: RecordingUpstream
    collector: FaultyServer
    """Where nobody may ever go."""
    clock: FakeClock
    folder: Path
    replies: list[Reply] = field(default_factory=list)
    passed: int = 0
    """Requests that must have reached the upstream."""
    secrets: set[str] = field(default_factory=lambda: {SECRET, KNOWN_GOOD})

    # --- asking ---

    async def ask(
        self, *headers: str | bytes, method: str = "GET", target: str = "/orders", body: bytes = b"", **facts: Any
    ) -> Reply:
        """One request on a connection of its own, and its answer."""
        return await self.send(request(method, target, *headers, body=body, **facts), method=method)

    async def bearer(self, token: str | bytes, *headers: str, **facts: Any) -> Reply:
        """One request with that token."""
        octets = token.encode("latin-1") if isinstance(token, str) else token
        return await self.ask(b"Authorization: Bearer " + octets, *headers, **facts)

    async def send(self, octets: bytes, *, method: str = "GET") -> Reply:
        """These very octets, and the first answer to them."""
        caller = await self.connect()
        try:
            caller.send(octets)
            return self._kept(await caller.reply(timeout=5, method=method))
        finally:
            caller.close()

    async def connect(self) -> RawCaller:
        return RawCaller(*await asyncio.open_connection(*self.serving.addresses[0]))

    async def in_state(self, state: State, *headers: str | bytes, **facts: Any) -> Reply:
        """The answer to a request that finds this state."""
        if state is State.OUTAGE:
            self.idp.fails(INTROSPECTION)
        if state is State.WARM:
            await self.ask(*headers, **facts)
        return await self.ask(*headers, **facts)

    def _kept(self, reply: Reply) -> Reply:
        assert reply.status < 500 or reply.status in UNDECIDED, f"I-2: {reply.head!r} {reply.body!r}"
        self.replies.append(reply)
        self.passed += reply.status == PASSES.status
        return reply

    # --- tokens ---

    def opaque(self, name: str = "2YotnFZFEjr1zCsicMWpAA", **claims: object) -> str:
        """An opaque token that the provider stands for."""
        self.secrets.add(name)
        self.idp.says[name] = self.active(**claims)
        return name

    def jwt(self, signer: Signer = SIGNER, *, header: Mapping[str, object] | None = None, **claims: object) -> str:
        """A signed token that nobody introspects as active; `None` leaves a claim out."""
        said = {**self.active(**claims), "active": None, "token_type": None}
        return self.secret(
            signer.token({name: said[name] for name in said if said[name] is not None}, **(header or {}))
        )

    def vouched(self, token: str, **claims: object) -> str:
        """The token, for which the provider stands from now on."""
        self.idp.says[token] = self.active(**claims)
        return token

    def secret(self, token: str) -> str:
        """The token, which must never be seen in any evidence."""
        self.secrets.add(token)
        return token

    def active(self, **claims: object) -> dict[str, object]:
        """What the provider says of a good token."""
        now = int(self.clock.time())
        usual = {"active": True, "token_type": "Bearer", "iss": self.idp.issuer, "sub": "alice", "client_id": "mobile"}
        said = {**usual, "scope": "orders.read", "exp": now + 3600, **claims}
        return {name: value for name, value in said.items() if value is not None}

    # --- evidence ---

    @property
    def introspections(self) -> int:
        return len(self.idp.asked(INTROSPECTION))

    @property
    def key_fetches(self) -> int:
        return len(self.idp.asked(KEYS))

    async def metric(self, name: str, **labels: str) -> float:
        """The value of a series of /metrics, zero where there is none."""
        for line in (await self.serving.metrics_text()).splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == f"tokenward_{name}" and all(
                f'{label}="{expected}"' in series for label, expected in labels.items()
            ):
                return float(value)
        return 0.0

    async def reconfigure(self, routes: Mapping[str, Any], **provider: Any) -> None:
        """Put other settings in force, as a reload does."""
        await self.serving.change(settings_for(self, routes, provider))


def settings_for(site: Site, routes: Mapping[str, Any], provider: Mapping[str, Any]) -> Settings:
    """The settings of a site: its providers, these routes, and one that is always good."""
    return _settings(site.idp, site.keeper, site.upstream, site.folder, routes, provider, {}, {})


def _settings(
    idp: IdentityProvider,
    keeper: IdentityProvider,
    upstream: RecordingUpstream,
    folder: Path,
    routes: Mapping[str, Any],
    provider: Mapping[str, Any],
    more: Mapping[str, Any],
    top: Mapping[str, Any],
) -> Settings:
    good = {"path": "/known-good", "policies": [{"token-enforcement": {"provider": "keeper"}}]}
    written = {
        "listen": "127.0.0.1:0",
        "admin": {"listen": "127.0.0.1:0"},
        "access_log": {"to": str(folder / "access.log")},
        "log_level": "debug",
        "drain": {"delay": 0, "timeout": 1},
        "reload": {"watch": False},
        "express": LANES.express,
        "providers": {"idp": {**_provider(idp, folder), **provider}, "keeper": _provider(keeper, folder), **more},
        "clients": [{"provider": "idp", "client_id": "mobile", "apis": ["orders"], "tier": "gold"}],
        "routes": {name: {"upstream": upstream.url, **route} for name, route in {**routes, "good": good}.items()},
        **top,
    }
    return parse(json.dumps(written))


def _provider(idp: IdentityProvider, folder: Path) -> dict[str, Any]:
    return {
        # A bundle of one is read in no time; the system's takes longer than all the rest of a case.
        "transport": {"ca_file": str(folder / "authority.pem")},
        "issuer": idp.issuer,
        "endpoints": {"introspection": idp.url(INTROSPECTION), "jwks": idp.url(KEYS)},
        "introspection": {"client_id": "gateway", "client_secret": SECRET},
        "dialect": {"jwt_types": ["at+jwt"]},
    }


Broken: TypeAlias = Callable[[IdentityProvider], Mapping[str, Verb]]


def enforced(**options: Any) -> dict[str, Any]:
    """A route below /orders with token enforcement, and these options."""
    return {"path": "/orders", "api": "orders", "policies": [{"token-enforcement": {"provider": "idp", **options}}]}


@asynccontextmanager
async def open_site(
    folder: Path,
    logs: pytest.LogCaptureFixture,
    routes: Mapping[str, Any] | None = None,
    provider: Mapping[str, Any] | None = None,
    broken: Broken | Mapping[str, Verb] | None = None,
    more: Mapping[str, Any] | None = None,
    **top: Any,
) -> AsyncIterator[Site]:
    """A site that runs until the end of the block; then the invariants are checked.

    `broken` is what its provider answers from the first moment on, by path; `more` are further providers.
    """
    shutil.copy(Authority(folder).file, folder / "authority.pem")
    tasks, descriptors = len(asyncio.all_tasks()), _descriptors()
    with logs.at_level(logging.DEBUG):
        async with (
            identity_provider(*SIGNERS) as idp,
            identity_provider(rsa_signer(kid="keeper-1")) as keeper,
            recording_upstream() as upstream,
            faulty_server(hang_up()) as collector,
        ):
            for path, verb in (broken(idp) if callable(broken) else broken or {}).items():
                idp.fails(path, verb)
            keeper.says[KNOWN_GOOD] = {"active": True, "token_type": "Bearer", "exp": int(NOON) + 10**9}
            settings = _settings(
                idp, keeper, upstream, folder, routes or {"orders": enforced()}, provider or {}, more or {}, top
            )
            clock = FakeClock()
            async with serve(settings, clock=clock) as serving:
                site = Site(serving, idp, keeper, upstream, collector, clock, folder)
                yield site
                await _check_running(site)
        _check_secrecy(site, logs)
    await _check_nothing_left(tasks, descriptors)


async def _check_running(site: Site) -> None:
    good = await site.ask(f"Authorization: Bearer {KNOWN_GOOD}", target="/known-good")
    assert good.status == 200, f"I-8: {good.head!r}"
    assert len(site.upstream.requests) == site.passed, "I-1, I-4: the upstream saw what was not allowed once"
    assert site.collector.connections == 0
    (site.folder / "metrics.txt").write_text(await site.serving.metrics_text())


def _check_secrecy(site: Site, logs: pytest.LogCaptureFixture) -> None:
    assert not [record for record in logs.records if record.exc_info and record.exc_info[0]], "I-2: a traceback"
    evidence = {
        "the log": logs.text,
        "the access log": (site.folder / "access.log").read_text(),
        "the metrics": (site.folder / "metrics.txt").read_text(),
        "an answer": "".join(f"{reply.head!r}{reply.body!r}" for reply in site.replies),
    }
    for place, text in evidence.items():
        for secret in site.secrets:
            assert not [part for part in _parts(secret) if part in text], f"I-5: a credential in {place}"


def _parts(secret: str) -> Iterator[str]:
    """The end of a secret, its middle, and the whole: what begins a token is its header, which is no secret."""
    yield secret
    if len(secret) >= 24:
        middle = len(secret) // 2
        yield secret[-12:]
        yield secret[middle : middle + 12]


async def _check_nothing_left(tasks: int, descriptors: int) -> None:
    for _ in range(200):  # What was closed ends within a few turns of the loop.
        if len(asyncio.all_tasks()) <= tasks and _descriptors() <= descriptors:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"I-7: left over are {asyncio.all_tasks()} and {_descriptors() - descriptors} descriptors")


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
