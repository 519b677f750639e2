"""Routes that work today, and refuse or fail on the day that matters. No I/O."""

from collections.abc import Collection, Iterator

from gateway.doctor.demands import Demand
from gateway.doctor.findings import Finding, warning
from gateway.providers import Order
from gateway.settings import Settings


def judge_demand(demand: Demand, settings: Settings, keyless: Collection[str]) -> Iterator[Finding]:
    """What there is to say of one enforcement of tokens; `keyless` are the providers whose keys cannot be had."""
    for name in demand.providers:
        if demand.order_of(settings.provider(name)) is Order.INTROSPECT_THEN_KEYS and name in keyless:
            yield warning(
                "fallback",
                f"Its order is introspect_then_keys, and the keys of {name} cannot be had: while {name} fails, every "
                "token that is not in memory gets 503.",
                f"Mend the keys of {name}, or write order: introspect_only and mean it.",
            )
    if demand.contract_required and not _has_client(demand, settings):
        yield warning(
            "contract",
            f"It requires a contract, and no client is listed for the API {demand.api}: every token gets 403.",
            f"Write under clients: - {{provider: {demand.providers[0]}, client_id: …, apis: [{demand.api}]}}",
        )


def _has_client(demand: Demand, settings: Settings) -> bool:
    # The store may know some.
    return settings.store is not None or any(
        demand.api in client.apis and client.provider in demand.providers for client in settings.clients
    )
