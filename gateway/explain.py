"""Why a request would be allowed or refused: the route it takes, and each check of each policy. Forwards nothing."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from multidict import CIMultiDict

from gateway.chain import Chain, Explained
from gateway.clients import Register
from gateway.clients.store import Unusable
from gateway.paths import BadRequest, canonical_host, normalise
from gateway.policy import Finding, Request, Unavailable
from gateway.ports import Clock, Counter, Gauge, Histogram
from gateway.router import MethodNotAllowed, NotFound, Route
from gateway.runtime import Runtime, World, open_runtime
from gateway.settings import Settings
from gateway.sharing import Shared
from gateway.upstreams import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The request to explain."""

    method: str
    target: str
    """Path and query, as on the request line."""
    host: str = "localhost"
    headers: Sequence[tuple[str, str]] = ()
    claims: Mapping[str, object] | None = None
    """What to suppose the provider said about the token, in place of asking it."""
    caller_ip: str = "127.0.0.1"
    at: float | None = None
    """Seconds since the epoch; `None` is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would become of it."""

    outcome: str
    """`allow`, `deny`, `unavailable`, `no_route` or `bad_request`."""
    summary: str
    route: str = ""
    upstream: str = ""
    policies: tuple[Explained, ...] = ()


async def explain(settings: Settings, question: Question, clock: Clock) -> Explanation:
    """The explanation under these settings, in force or not. Providers are asked, unless claims are given."""
    try:
        target = normalise(question.target, question.host)
        host = canonical_host(question.host)
    except BadRequest as fault:
        return Explanation(outcome="bad_request", summary=f"{fault.status} {fault.code}: {fault.detail}")
    world = World(clock=clock, metrics=Unmeasured(), shared=Shared(), register=await _contracts(settings, clock))
    async with open_runtime(settings, world) as runtime:
        found = runtime.router.find(host, question.method, target.path)
        match found:
            case NotFound():
                return Explanation(outcome="no_route", summary="404 no_route: nothing is served at this host and path")
            case MethodNotAllowed(allowed):
                methods = ", ".join(sorted(allowed))
                return Explanation(outcome="no_route", summary=f"405 method_not_allowed: the route takes {methods}")
            case Route():
                request = _request(question, host, target.path, target.query, found.api, clock)
                return await _explained(runtime, found, request, question.claims)


async def _contracts(settings: Settings, clock: Clock) -> Register | None:
    """What the store says; an unread register where it cannot be asked, which nobody passes."""
    if settings.store is None:
        return None
    from gateway.clients.store.opening import open_store

    register = Register()
    with suppress(Unavailable, Unusable):
        # What only looks at a store does not make one.
        async with open_store(replace(settings.store, migrate=False), clock) as store:
            found = await store.in_force()
            register.replace(found.contracts, found.blocked)
    return register


def _request(question: Question, host: str, path: str, query: str, api: str, clock: Clock) -> Request:
    return Request(
        method=question.method,
        host=host,
        path=path,
        query=query,
        headers=CIMultiDict(question.headers),
        caller_ip=question.caller_ip,
        received_at=clock.time() if question.at is None else question.at,
        api=api,
    )


async def _explained(
    runtime: Runtime, route: Route[Upstream], request: Request, claims: Mapping[str, object] | None
) -> Explanation:
    targets = " ".join(runtime.settings.routes[route.name].upstream.targets)
    upstream = f"{targets} {route.upstream_path(request.path)}"
    assert isinstance(route.chain, Chain)  # noqa: S101 - the runtime makes no other
    try:
        policies = tuple(await route.chain.explain(request, claims))
    except Unavailable as failure:
        summary = f"503 {failure.code}: {failure.detail}"
        return Explanation(outcome="unavailable", summary=summary, route=route.name, upstream=upstream)
    refusal = _first_refusal(policies)
    return Explanation(
        outcome="allow" if refusal is None else "deny",
        summary="the request is forwarded" if refusal is None else refusal.detail,
        route=route.name,
        upstream=upstream,
        policies=policies,
    )


def _first_refusal(policies: Sequence[Explained]) -> Finding | None:
    """What ends the request; a policy that only reports ends nothing."""
    enforced = (explained for explained in policies if not explained.step.report_only)
    return next((finding for each in enforced for finding in each.findings if finding.passed is False), None)


class _Nothing:
    """A series that nobody reads."""

    def inc(self, amount: float = 1, /) -> None: ...

    def set(self, value: float, /) -> None: ...

    def observe(self, value: float, /) -> None: ...


class Unmeasured:
    """`Metrics` for a command that ends before anybody could scrape it."""

    def counter(self, name: str, description: str, /, **labels: str) -> Counter:
        return _Nothing()

    def gauge(self, name: str, description: str, /, **labels: str) -> Gauge:
        return _Nothing()

    def histogram(self, name: str, description: str, /, **labels: str) -> Histogram:
        return _Nothing()
