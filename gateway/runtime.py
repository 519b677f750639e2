"""Settings → what is open because of them. The only place that composes; a reload makes a new one and swaps."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.caller import Limits, Timeouts
from gateway.chain import Chain, Step
from gateway.clients import Contract, Directory, Register
from gateway.conditions import Condition, condition
from gateway.fetch import open_fetch
from gateway.headers import Forwarding, HeaderNames, Style
from gateway.paths import normalise_pattern
from gateway.policy import Policy
from gateway.ports import Clock, Metrics
from gateway.probe import ProbeOptions
from gateway.providers import Provider
from gateway.proxy import Proxy
from gateway.router import Route, Router
from gateway.services import Opens, Services
from gateway.settings import Settings
from gateway.settings.catalogue import tiers
from gateway.settings.routes import PolicyEntry, ProbeSettings, RouteSettings, When
from gateway.sharing import Lease, Shared
from gateway.tasks import Tasks
from gateway.upstreams import Upstream, UpstreamOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What outlives a configuration."""

    clock: Clock
    metrics: Metrics
    shared: Shared
    register: Register | None = None
    """The contracts of the store; `None` where there is no store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything that one configuration needs to answer requests. It never changes; a reload replaces it."""

    settings: Settings
    router: Router[Upstream]
    proxy: Proxy
    limits: Limits
    timeouts: Timeouts

    @property
    def problem_base(self) -> str:
        """How the `type` of a problem document begins."""
        return self.settings.problems.base

    def target_health(self) -> dict[tuple[str, str], bool]:
        """Whether requests go to a target, by route and URL."""
        return {(route.name, url): up for route in self.router.routes for url, up in route.upstream.health()}

    @property
    def express(self) -> bool:
        """Whether plain requests take the express lane."""
        return self.settings.express


@asynccontextmanager
async def open_runtime(settings: Settings, world: World) -> AsyncIterator[Runtime]:
    """A runtime, open while the block runs. Raises what a policy or a certificate raises that can't be opened."""
    async with AsyncExitStack() as stack:
        opening = _Opening(settings, world, stack)
        routes = [await opening.route(name, route) for name, route in settings.routes.items()]
        yield Runtime(
            settings=settings,
            router=Router(routes),
            proxy=_proxy(settings, world, routes),
            limits=Limits(**dict(settings.limits)),
            timeouts=Timeouts(**dict(settings.timeouts)),
        )


def _proxy(settings: Settings, world: World, routes: list[Route[Upstream]]) -> Proxy:
    # What the policies of one route set for its upstream, no caller may send on any route.
    names = [header for route in routes for header in route.chain.identity_headers]
    return Proxy(
        clock=world.clock,
        scrub=HeaderNames.of(names),
        forwarding=Forwarding(trusted=settings.trusted_proxies, style=Style(settings.forwarded)),
        body_limit=settings.limits.body,
        message_limit=settings.limits.message,
    )


class _Opening:
    """The parts of a runtime on their way; the stack closes them, the last one opened first."""

    def __init__(self, settings: Settings, world: World, stack: AsyncExitStack) -> None:
        self._world = world
        self._stack = stack
        self._lease = Lease(world.shared)
        self._tasks = Tasks()
        stack.push_async_callback(self._lease.end)
        stack.push_async_callback(self._tasks.close)
        self._providers: dict[str, Provider] = {name: settings.provider(name) for name in settings.providers}
        configured = [
            Contract(provider=client.provider, client_id=client.client_id, api=api, tier=client.tier)
            for client in settings.clients
            for api in client.apis
        ]
        self._directory = Directory(configured, world.register)
        self._tiers = tiers(settings.tiers)

    async def route(self, name: str, route: RouteSettings) -> Route[Upstream]:
        """A route with its policies and its upstream open."""
        api = route.api or name
        steps = [await self._step(name, api, entry) for entry in route.policies]
        upstream = Upstream(_upstream_options(route), self._world.clock, share=self._lease)
        return Route(
            name=name,
            api=api,
            hosts=route.hosts,
            path=normalise_pattern(route.path),
            exact=route.exact,
            methods=None if route.methods is None else frozenset(route.methods),
            chain=Chain(tuple(steps)),
            upstream=await self._stack.enter_async_context(upstream),
            strip_prefix=route.strip_prefix or "",
            add_prefix=route.add_prefix or "",
            preflight=route.preflight,
            body_limit=route.body,
        )

    async def _step(self, name: str, api: str, entry: PolicyEntry) -> Step:
        return Step(
            name=entry.name,
            policy=await self._policy(name, api, entry.policy),
            when=None if entry.when is None else _condition(entry.when),
            report_only=entry.report_only,
        )

    async def _policy(self, route: str, api: str, configured: Policy | Opens) -> Policy:
        if not isinstance(configured, Opens):
            return configured
        services = Services(
            route=route,
            api=api,
            clock=self._world.clock,
            metrics=self._world.metrics,
            tasks=self._tasks,
            open_fetch=open_fetch,
            share=self._lease,
            providers=self._providers,
            directory=self._directory,
            tiers=self._tiers,
        )
        return await self._stack.enter_async_context(configured.open(services))


def _condition(when: When) -> Condition:
    return condition(when.methods, when.paths, when.regex)


def _upstream_options(route: RouteSettings) -> UpstreamOptions:
    settings = route.upstream
    probe = None if settings.probe is None else _probe_options(settings.probe, _host_of(route))
    return UpstreamOptions(**{**dict(settings), "probe": probe})


def _probe_options(settings: ProbeSettings, host: str) -> ProbeOptions:
    statuses = tuple(_range(each) for each in settings.statuses)
    return ProbeOptions(**{**dict(settings), "statuses": statuses, "host": host})


def _range(statuses: str) -> tuple[int, int]:
    first, _, last = statuses.partition("-")
    return int(first), int(last or first)


def _host_of(route: RouteSettings) -> str:
    """What a target is called where requests call it what their callers do: the first name that is one."""
    if route.upstream.host == "upstream":
        return ""
    return next((host for host in route.hosts if not host.startswith("*")), "")
