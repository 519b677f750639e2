"""What the policies of routes leave undone, while the rest of the configuration counts on it."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from gateway.plugins import PolicyNotFound, find_policy
from gateway.settings.catalogue import ApiSettings, provider_of
from gateway.settings.mistakes import Wrong
from gateway.settings.route_checks import covered
from gateway.settings.routes import PolicyEntry, RouteSettings

Placed: TypeAlias = tuple[int, PolicyEntry]
"""An entry, and the position that it has in its route."""


def warn_contracts(
    routes: Mapping[str, RouteSettings], apis: Mapping[str, ApiSettings], registering: Collection[str]
) -> Iterator[Wrong]:
    """Routes of APIs that people get contracts for, and that ask for none. `registering` are names of providers."""
    for name, route in routes.items():
        api = route.api or name
        provider = provider_of(api, apis, routes)
        # Nobody asks in the portal for an API that is not listed: that is how to say that it needs no contract.
        if provider not in registering or not apis.get(api, ApiSettings()).listed:
            continue
        enforcing = [
            (at, each) for at, each in _of("token-enforcement", route) if provider in each.policy.provider_names
        ]
        if covered([each for _, each in enforcing if each.policy.contract == "required"], route):
            continue
        for at, entry in enforcing:
            if entry.policy.contract != "required":
                text = f"asks for no contract: revoking one for {api} stops nobody here"
                hint = f"write contract: required, or apis.{api}.listed: false where nobody needs a contract"
                yield Wrong(("routes", name, "policies", at, entry.name), f"{text}; {hint}")


def warn_limits(routes: Mapping[str, RouteSettings], workers: int) -> Iterator[Wrong]:
    """Rate limits that cannot know whom they limit, or that count a part of the requests alone."""
    for name, route in routes.items():
        first = min((at for at, _ in _of("token-enforcement", route)), default=0)
        limiting = _of("rate-limit", route)
        for at, entry in limiting:
            path = ("routes", name, "policies", at, entry.name)
            # One in front with a tier limits addresses, which is meant where another one limits clients.
            if at < first and not (entry.policy.tier and limiting[-1][0] > first):
                text = "stands before token-enforcement, where no client is known yet: no contract's tier holds"
                yield Wrong(path, f"{text}; put it behind")
            if workers > 1 and entry.policy.redis is None:
                text = f"each worker counts by itself: a client may get its limit {workers} times"
                yield Wrong(path, f"{text}; write redis, or workers: 1")


def _of(policy: str, route: RouteSettings) -> list[Placed]:
    """The entries of a policy that is installed, but for those that only report."""
    try:
        kind = find_policy(policy)
    except PolicyNotFound:
        return []
    return [
        (at, entry)
        for at, entry in enumerate(route.policies)
        if isinstance(entry.policy, kind) and not entry.report_only
    ]
