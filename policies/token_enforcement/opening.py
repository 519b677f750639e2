"""Opens what verifies a provider's tokens, with its connections."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.providers import Provider
from gateway.providers.discovery import Discovery
from gateway.services import Services
from gateway.tasks import Tasks
from policies.token_enforcement.introspection import Introspection
from policies.token_enforcement.keys import Keys
from policies.token_enforcement.verifier import Verifier


@asynccontextmanager
async def open_verifier(provider: Provider, services: Services) -> AsyncIterator[Verifier]:
    """A verifier of that provider's tokens, with its connections; closed at the end of the block."""
    async with AsyncExitStack() as stack:
        fetch = await stack.enter_async_context(services.open_fetch(provider.transport))
        tasks = Tasks()
        stack.push_async_callback(tasks.close)
        discovery = Discovery(provider, fetch, services.clock, tasks)
        clock, metrics = services.clock, services.metrics
        keys = Keys(provider, fetch, discovery, clock, tasks, metrics)
        introspection = None
        if provider.introspection is not None:
            introspection = Introspection(provider, fetch, discovery, keys, clock, metrics)
        yield Verifier(provider, introspection, keys, discovery, tasks, clock, metrics)
