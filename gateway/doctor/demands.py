"""What the routes ask of the tokens of each provider: the options of their token enforcement."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.plugins import PolicyNotFound, find_policy, options_of
from gateway.providers import Order, Provider
from gateway.settings import Settings

USUAL_LEEWAY = 5.0
"""Seconds; for a provider that no route uses yet."""
USING_KEYS = frozenset({Order.INTROSPECT_THEN_KEYS, Order.KEYS_FIRST, Order.KEYS_ONLY})
INTROSPECTING = frozenset(Order) - {Order.KEYS_ONLY}
KEYS_BEFORE_ALL = frozenset({Order.KEYS_FIRST, Order.KEYS_ONLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one policy of one route asks for."""

    route: str
    api: str
    providers: tuple[str, ...]
    order: Order | None
    """`None`: as the provider's dialect says."""
    scopes: tuple[str, ...]
    audience: tuple[str, ...]
    types: frozenset[str] | None
    """In lower case; `None`: as the provider's dialect says."""
    leeway: float
    contract_required: bool

    def order_of(self, provider: Provider) -> Order:
        """How it verifies tokens of that provider."""
        return self.order or provider.dialect.order


@dataclass(frozen=True, slots=True)
class Wanted:
    """A provider, and all that is asked of its tokens."""

    provider: Provider
    demands: tuple[Demand, ...]

    @property
    def orders(self) -> frozenset[Order]:
        """Every order in use; the dialect's for a provider that no route uses yet."""
        used = frozenset(demand.order_of(self.provider) for demand in self.demands)
        return used or frozenset({self.provider.dialect.order})

    @property
    def introspects(self) -> bool:
        return self.provider.introspection is not None and bool(self.orders & INTROSPECTING)

    @property
    def uses_keys(self) -> bool:
        return bool(self.orders & USING_KEYS) or self.provider.signed_introspection

    @property
    def needs_keys(self) -> bool:
        """Whether tokens are refused for want of keys, rather than that a second way is missing."""
        return bool(self.orders & KEYS_BEFORE_ALL) or self.provider.signed_introspection

    @property
    def leeway(self) -> float:
        """The smallest one, in seconds."""
        return min((demand.leeway for demand in self.demands), default=USUAL_LEEWAY)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Every scope that a route asks for."""
        return tuple(sorted({scope for demand in self.demands for scope in demand.scopes}))

    @property
    def audience(self) -> tuple[str, ...]:
        """Every audience that a route asks for."""
        return tuple(sorted({name for demand in self.demands for name in demand.audience}))

    @property
    def jwt_types(self) -> frozenset[str]:
        """What every route accepts as the `typ` of a JWT."""
        types = [self.provider.dialect.jwt_types if each.types is None else each.types for each in self.demands]
        return frozenset.intersection(*types) if types else self.provider.dialect.jwt_types

    def routes(self, demands: Iterable[Demand] | None = None) -> str:
        """The routes of these demands, or of all of them, in words."""
        names = list(dict.fromkeys(demand.route for demand in (self.demands if demands is None else demands)))
        return f"the route {names[0]}" if len(names) == 1 else f"the routes {', '.join(names)}"


def wanted(name: str, settings: Settings, demands: Iterable[Demand]) -> Wanted:
    """The provider of that name, and what is asked of it."""
    return Wanted(settings.provider(name), tuple(demand for demand in demands if name in demand.providers))


def all_demands(settings: Settings) -> tuple[Demand, ...]:
    """Those of every policy that enforces tokens, in the order of the routes."""
    return tuple(_demands(settings))


def _demands(settings: Settings) -> Iterator[Demand]:
    try:
        enforcing = find_policy("token-enforcement")
    except PolicyNotFound:
        return
    for name, route in settings.routes.items():
        for entry in route.policies:
            if isinstance(entry.policy, enforcing):
                yield _demand(name, route.api or name, options_of(entry.policy))


def _demand(route: str, api: str, options: Mapping[str, Any]) -> Demand:
    return Demand(
        route=route,
        api=api,
        providers=(options["provider"],) if options["provider"] else tuple(options["providers"]),
        order=Order(options["order"]) if options["order"] else None,
        scopes=tuple(options["scopes"]),
        audience=tuple(options["audience"]),
        types=None if options["types"] is None else frozenset(name.lower() for name in options["types"]),
        leeway=float(options["leeway"]),
        contract_required=options["contract"] == "required",
    )
