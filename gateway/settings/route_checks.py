"""Cross checks of routes: none hides another, and every condition can come true."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import re2  # type: ignore[import-untyped]  # the wheel carries no types

from gateway.plugins import PolicyNotFound, find_policy
from gateway.settings.mistakes import Path, Wrong
from gateway.settings.routes import PolicyEntry, RouteSettings

Faulty = Callable[[Path], bool]

LONGEST = 64
"""Bytes of the bounds that RE2 gives for what an expression matches."""


def check_routes(routes: Mapping[str, RouteSettings], faulty: Faulty) -> Iterator[Wrong]:
    """What is wrong between routes, and between the parts of one. `faulty` says what was told of a value already."""
    for name, route in routes.items():
        if route.path != "/" and route.path.endswith("/") and not route.exact:
            text = f"must not end with a slash unless exact is true; write {route.path.rstrip('/')}"
            yield Wrong(("routes", name, "path"), text)
        yield from _prefix(name, route)
        yield from _certificate(name, route)
        for index, entry in enumerate(route.policies):
            yield from _reachable(("routes", name, "policies", index, "when"), entry, route)
    yield from _overlapping(routes, faulty)


def warn_routes(routes: Mapping[str, RouteSettings]) -> Iterator[Wrong]:
    """Routes that ask for tokens, but not of every request."""
    enforcing = _token_enforcement()
    for name, route in routes.items():
        entries = [entry for entry in route.policies if enforcing is not None and isinstance(entry.policy, enforcing)]
        if not entries:
            continue
        if all(entry.report_only for entry in entries):
            text = "every token-enforcement is report_only: requests reach the upstream without a token"
            yield Wrong(("routes", name, "policies"), f"{text}; write report_only: false once the reports are clean")
        elif not covered([entry for entry in entries if not entry.report_only], route):
            text = "every token-enforcement has a `when`: other methods and paths reach the upstream without a token"
            yield Wrong(("routes", name, "policies"), f"{text}; add one without `when`, or narrow methods and path")


def _token_enforcement() -> type | None:
    try:
        return find_policy("token-enforcement")
    except PolicyNotFound:
        return None


def covered(entries: list[PolicyEntry], route: RouteSettings) -> bool:
    """Whether every request of the route is judged by one of them."""
    methods: set[str] = set()
    for entry in entries:
        when = entry.when
        if when is None or not (when.methods or when.paths or when.regex is not None):
            return True
        if not when.paths and when.regex is None:
            methods.update(when.methods)
    return route.methods is not None and methods >= set(route.methods)


def _prefix(name: str, route: RouteSettings) -> Iterator[Wrong]:
    strip = route.strip_prefix
    if strip is not None and strip != "/" and not _below(route.path, strip):
        text = f"is not at the front of the route's path {route.path}; write whole segments of it"
        yield Wrong(("routes", name, "strip_prefix"), text)


def _below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def _certificate(name: str, route: RouteSettings) -> Iterator[Wrong]:
    if route.upstream.key_file is not None and route.upstream.certificate_file is None:
        text = "is missing; key_file is the key of a certificate, write its path"
        yield Wrong(("routes", name, "upstream", "certificate_file"), text)


def _reachable(where: Path, entry: PolicyEntry, route: RouteSettings) -> Iterator[Wrong]:
    when = entry.when
    if when is None:
        return
    below = f"matches nothing under the route's path {route.path}; write whole paths, as the caller sends them"
    for index, path in enumerate(when.paths):
        if not _meets(_segments(path), _segments(route.path), exact=route.exact):
            yield Wrong((*where, "paths", index), below)
    if when.regex is not None and not _regex_meets(when.regex, route):
        yield Wrong((*where, "regex"), below)
    for index, method in enumerate(when.methods):
        if route.methods is not None and method not in route.methods:
            text = f"the route does not have {method}; write one of {', '.join(route.methods)}"
            yield Wrong((*where, "methods", index), text)


def _segments(path: str) -> list[str]:
    return [] if path == "/" else path[1:].split("/")


def _meets(condition: list[str], route: list[str], *, exact: bool) -> bool:
    """Whether one path can fit both templates."""
    rest = condition[-1:] == ["**"]
    condition = condition[:-1] if rest else condition
    if len(condition) < len(route) and not rest:
        return False
    if len(condition) > len(route) and exact:
        return False
    # strict is off on purpose: beyond the shorter one, anything goes.
    return all(_alike(one, other) for one, other in zip(condition, route, strict=False))


def _alike(one: str, other: str) -> bool:
    return one == other or one.startswith("{") or other.startswith("{")


def _regex_meets(expression: str, route: RouteSettings) -> bool:
    """Whether an expression can match under a route, as far as the bounds tell that RE2 gives. In doubt it can."""
    pattern = re2.compile(f"^(?:{expression})$")
    literal = route.path.partition("{")[0]
    if literal == route.path:
        if re2.fullmatch(expression, route.path):
            return True
        if route.exact:
            return False
        literal = literal.rstrip("/") + "/"
    try:
        lowest, highest = pattern.possiblematchrange(LONGEST)
    except re2.error:
        return True
    front = literal.encode()
    return bool(highest >= front and lowest < front[:-1] + b"0")  # 0 is the next after the slash


def _overlapping(routes: Mapping[str, RouteSettings], faulty: Faulty) -> Iterator[Wrong]:
    """Pairs of routes of which nobody could say which one is meant."""
    shapes: dict[tuple[object, ...], list[str]] = {}
    for name, route in routes.items():
        parts = ("hosts", "path", "methods", "exact")
        if not any(faulty(("routes", name, part)) for part in parts):
            shape = tuple("{}" if each.startswith("{") else each for each in _segments(route.path))
            for host in route.hosts or ("",):
                shapes.setdefault((host, shape, route.exact), []).append(name)
    told: set[tuple[str, str]] = set()
    for names in shapes.values():
        for first, second in combinations(names, 2):
            if first != second and (first, second) not in told and _common(routes[first], routes[second]):
                told.add((first, second))
                text = f"the route {first} has the same host, path and a common method; change one of them"
                yield Wrong(("routes", second, "path"), text)


def _common(first: RouteSettings, second: RouteSettings) -> bool:
    return first.methods is None or second.methods is None or bool(set(first.methods) & set(second.methods))
