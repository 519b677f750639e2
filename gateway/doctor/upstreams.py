"""Upstreams: whether their targets take connections. Nothing is sent: a request might do something."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.doctor.connections import Fault, Way, place_of
from gateway.doctor.findings import Examined, Finding, Result, failure, skipped
from gateway.doctor.reachability import Reached, UnusableFile, client_tls, reach
from gateway.settings import Settings
from gateway.settings.routes import RouteSettings, UpstreamSettings


@dataclass(frozen=True, slots=True)
class Destination:
    """An upstream, and the name that its certificates must be for where that is the caller's Host."""

    upstream: UpstreamSettings
    server_name: str | None


def destinations(settings: Settings) -> dict[Destination, list[str]]:
    """Each upstream once, with the routes that lead there."""
    found: dict[Destination, list[str]] = {}
    for name, route in settings.routes.items():
        found.setdefault(Destination(route.upstream, _server_name(route)), []).append(name)
    return found


def _server_name(route: RouteSettings) -> str | None:
    names = [host for host in route.hosts if not host.startswith("*")]
    return names[0] if route.upstream.host == "caller" and names else None


def subject(routes: list[str]) -> str:
    """What it is called in the report."""
    return f"upstream of route {routes[0]}" if len(routes) == 1 else f"upstream of routes {', '.join(routes)}"


async def examine_upstream(destination: Destination, now: float) -> Examined:
    """Connect to all targets at once; `now` in seconds since the epoch."""
    upstream = destination.upstream
    try:
        tls = await asyncio.to_thread(client_tls, upstream.ca_file, upstream.certificate_file, upstream.key_file)
    except UnusableFile as fault:
        advice = "Correct the files under upstream."
        found = failure("files", f"upstream.{fault}; the gateway would not start with it.", advice)
        return Examined(findings=(found,))
    way = Way(timeout=upstream.connect_timeout, tls=tls, ca_file=upstream.ca_file, server_name=destination.server_name)
    nameless = upstream.host == "caller" and destination.server_name is None
    places = list(dict.fromkeys(place_of(target) for target in upstream.targets))
    tried = [place._replace(tls=place.tls and not nameless) for place in places]
    reached = [reach(place, way, now=now, section="upstream", code_of=code_of) for place in tried]
    findings = list(_weighed(await asyncio.gather(*reached)))
    unknown = [_unknown_name(str(place)) for place in places if place.tls and nameless]
    return Examined(findings=(*findings, *unknown))


def _weighed(reached: list[Reached]) -> Iterator[Finding]:
    """As long as one target is there, those that are not are only missing."""
    some = any(each.connected for each in reached)
    for each in reached:
        for finding in each.findings:
            yield replace(finding, result=Result.WARNING) if some and not each.connected else finding


def _unknown_name(place: str) -> Finding:
    """Which name TLS will ask for, only the callers know."""
    return skipped(
        "certificate",
        f"Which name the certificate of {place} must have depends on the caller's Host.",
        "Write hosts on the route, or host: upstream.",
    )


def code_of(fault: Fault) -> str:
    """What callers are told."""
    return "upstream_unreachable"
