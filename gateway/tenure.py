"""A runtime in force, and how many requests it still serves: it is closed after the last one."""

import asyncio
import math
from dataclasses import dataclass
from typing import Protocol

from gateway.caller import Limits, Timeouts
from gateway.express_fields import Names
from gateway.express_headers import Decisions, start_of
from gateway.proxy import Proxy
from gateway.router import MethodNotAllowed, NotFound, Route, Router
from gateway.upstreams import Upstream

MOST_FOUND = 4096
"""Places that are remembered: host, method and path."""
LONGEST_PATH = 256
"""In characters, of a path that is remembered."""


@dataclass(frozen=True, slots=True)
class Place:
    """The route that takes a method and a path of a host, and what follows from these."""

    route: Route[Upstream]
    path: str
    """What the upstream receives."""
    start: bytes
    """How the request to it begins, where there is no query."""
    most: float
    """Bytes of a body that the express lane takes; below zero where it takes no request at all."""


class Runtime(Protocol):
    """What serving needs of what is open because of the settings."""

    @property
    def router(self) -> Router[Upstream]: ...
    @property
    def proxy(self) -> Proxy: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def timeouts(self) -> Timeouts: ...
    @property
    def problem_base(self) -> str:
        """How the `type` of a problem document begins."""

    @property
    def express(self) -> bool:
        """Whether plain requests take the express lane."""


class Tenure:
    """A runtime, from the moment when it is put in force to the end of its last request."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.in_flight = 0
        self.names = Names(runtime.proxy.scrub)
        """What the express lane knows of headers, which depends on the policies."""
        self.decisions = Decisions()
        self._retired: asyncio.Event | None = None
        self._found: dict[tuple[str, str, str], Place | NotFound | MethodNotAllowed] = {}

    def find(self, host: str, method: str, path: str) -> Place | NotFound | MethodNotAllowed:
        """The route for a request. `host` and `path` are in their one spelling. Those of late are remembered."""
        key = (host, method, path)
        found = self._found.get(key)
        if found is None:
            found = self._look(host, method, path)
            if len(self._found) >= MOST_FOUND:
                self._found.clear()
            if len(path) <= LONGEST_PATH:
                self._found[key] = found
        return found

    def _look(self, host: str, method: str, path: str) -> Place | NotFound | MethodNotAllowed:
        found = self.runtime.router.find(host, method, path)
        if not isinstance(found, Route):
            return found
        limit = self.runtime.proxy.body_limit if found.body_limit is None else found.body_limit
        most = -1 if found.chain.reads_form else math.inf if limit is None else limit
        upstream_path = found.upstream_path(path)
        return Place(found, upstream_path, start_of(method, upstream_path), most)

    def enter(self) -> None:
        """A request begins."""
        self.in_flight += 1

    def leave(self) -> None:
        """One has ended."""
        self.in_flight -= 1
        if self._retired is not None and not self.in_flight:
            self._retired.set()

    async def end(self) -> Runtime:
        """The runtime, once its last request has ended. None must begin any more."""
        if self.in_flight:
            self._retired = asyncio.Event()
            await self._retired.wait()
        return self.runtime
