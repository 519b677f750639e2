"""Which route a request belongs to: (host, method, path) → Route, at a cost that the number of routes does not raise.

Of the routes whose host and path match, the most specific one decides, and the order of the file never does:

1. an exact host beats `*.example.com`, a longer wildcard beats a shorter one, and either beats a route for any host;
2. then paths are compared segment by segment from the left: literal text beats `{name}`, and a longer pattern beats a
   shorter one;
3. at one and the same path, `exact: true` beats a prefix.

Only then is the method looked at. A method that the most specific path does not take is answered 405, even where a
less specific route would take it: otherwise the choice of a method could choose a weaker policy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from gateway.policy import Policy

U = TypeVar("U")

NEVER = frozenset({"TRACE", "CONNECT"})
"""Methods that no route takes: one echoes credentials, the other asks for a tunnel."""
USUAL = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What `Allow` names for a route that takes any method."""


class Chain(Policy, Protocol):
    """The policies of a route, as one."""

    @property
    def reads_form(self) -> bool:
        """Whether `request.form` must be there when it decides."""

    @property
    def identity_headers(self) -> frozenset[str]:
        """The names of headers that the policies set for the upstream; a trailing `*` names a prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[U]):
    """What is matched, its policies and its upstream. Paths and hosts are in their one spelling (gateway/paths.py)."""

    name: str
    api: str
    path: str
    """A prefix by whole segments, so `/orders` also takes `/orders/` and `/orders/7`; `{name}` takes one segment."""
    chain: Chain
    upstream: U
    hosts: tuple[str, ...] = ()
    """Empty: any host. `*.example.com` takes every host below example.com, at any depth, but not itself."""
    exact: bool = False
    """This path alone; a trailing slash is part of it."""
    methods: frozenset[str] | None = None
    """As they are written on the wire, case included. `None`: any but TRACE and CONNECT. GET does not include HEAD."""
    strip_prefix: str = ""
    add_prefix: str = ""
    preflight: bool = False
    """Whether a true CORS preflight passes without asking the policies."""
    body_limit: int | None = None
    """In bytes, in place of the limit for all routes."""

    def accepts(self, method: str) -> bool:
        """Whether the route takes this method."""
        return method not in NEVER and (self.methods is None or method in self.methods)

    def upstream_path(self, path: str) -> str:
        """The path that the upstream receives for one that this route matched: prefixes change by whole segments."""
        stripped = self.strip_prefix.rstrip("/")
        if stripped and (path == stripped or path.startswith(stripped + "/")):
            path = path[len(stripped) :]
        return (self.add_prefix.rstrip("/") + path) or "/"


@dataclass(frozen=True, slots=True)
class NotFound:
    """No route is for this host and path."""


@dataclass(frozen=True, slots=True)
class MethodNotAllowed:
    """A route is for this host and path, but not for this method."""

    allowed: frozenset[str]


@dataclass(slots=True)
class _Node(Generic[U]):
    """The routes that share the segments on the way here."""

    literals: dict[str, "_Node[U]"] = field(default_factory=dict)
    name: "_Node[U] | None" = None
    exact: list[Route[U]] = field(default_factory=list)
    prefix: list[Route[U]] = field(default_factory=list)

    def child(self, segment: str) -> "_Node[U]":
        if _is_name(segment):
            self.name = self.name or _Node()
            return self.name
        return self.literals.setdefault(segment, _Node())

    def find(self, segments: list[str], depth: int) -> list[Route[U]]:
        """The routes of the most specific pattern. Each node is visited once at most, whatever the path says."""
        if depth == len(segments):
            return self.exact or self.prefix
        segment = segments[depth]
        if (child := self.literals.get(segment)) and (found := child.find(segments, depth + 1)):
            return found
        if segment and self.name and (found := self.name.find(segments, depth + 1)):
            return found
        return self.prefix


class Router(Generic[U]):
    """A tree of path segments for each host pattern."""

    def __init__(self, routes: Iterable[Route[U]]) -> None:
        """Raises ValueError for a prefix that ends in a slash: it would mean either more or less than it says."""
        self.routes = tuple(sorted(routes, key=lambda route: (route.methods is None, route.name)))
        self._trees: dict[str, _Node[U]] = {}
        for route in self.routes:
            for host in route.hosts or ("*",):
                self._add(host, route)

    def find(self, host: str, method: str, path: str) -> Route[U] | NotFound | MethodNotAllowed:
        """The route for a request. `host` and `path` are in their one spelling."""
        segments = path.split("/")[1:]
        for tree in self._trees_for(host):
            if found := tree.find(segments, 0):
                return _choose(found, method)
        return NotFound()

    def _trees_for(self, host: str) -> Iterator[_Node[U]]:
        if tree := self._trees.get(host):
            yield tree
        parent = host
        while "." in parent:
            parent = parent.partition(".")[2]
            if tree := self._trees.get(f"*.{parent}"):
                yield tree
        if tree := self._trees.get("*"):
            yield tree

    def _add(self, host: str, route: Route[U]) -> None:
        node = self._trees.setdefault(host, _Node())
        for segment in _segments(route):
            node = node.child(segment)
        (node.exact if route.exact else node.prefix).append(route)


def _choose(found: list[Route[U]], method: str) -> Route[U] | MethodNotAllowed:
    for route in found:
        if route.accepts(method):
            return route
    return MethodNotAllowed(frozenset().union(*(route.methods or USUAL for route in found)) - NEVER)


def _segments(route: Route[U]) -> list[str]:
    if route.path == "/" and not route.exact:
        return []
    if route.path.endswith("/") and not route.exact:
        raise ValueError(f"route {route.name}: a prefix is written without the trailing slash")
    return route.path.split("/")[1:]


def _is_name(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")
