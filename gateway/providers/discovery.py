"""A provider's endpoints: as configured, and completed from its metadata, which is fetched once and kept fresh."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, repeat

from gateway.flights import Flights
from gateway.policy import Headers, Unavailable
from gateway.ports import Clock, Fetch
from gateway.providers import Endpoints, Provider
from gateway.providers.metadata import Document, Metadata, needs_metadata, read_metadata
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

ACCEPT: Headers = (("Accept", "application/json"),)
REFRESH_AFTER = 3600.0
"""Seconds. The last good metadata is kept for as long as there is none that is newer."""
PAUSES = (1.0, 2.0, 4.0, 5.0)
"""Seconds between the tries in the background while nothing is known; the last one stays."""
RETRY_AFTER = 1
"""Seconds from one try that failed to the next, however many ask."""
SILENT = frozenset({"provider_unreachable", "provider_timeout", "provider_tls"})
"""Codes of a server that gave no answer, and would give none at its next URL."""


class Condition(StrEnum):
    """How it stands with the metadata of a provider."""

    NEVER = "never"
    """It was not asked for yet."""
    GOOD = "good"
    """The last try brought it, or none is needed."""
    FAILING = "failing"
    """The last try did not bring it. What an earlier one brought is still in use."""


@dataclass(frozen=True, slots=True)
class State:
    """For the readiness page: how it stands, since when (seconds since the epoch), and the code of the reason."""

    condition: Condition
    since: float
    code: str = ""


class Discovery:
    """The endpoints of one provider.

    Where its metadata is needed, a task of `tasks` asks for it from now on until it is there, so that a provider that
    was away is found again within seconds of its return. After that it is refreshed in the background, by the hour.
    """

    def __init__(
        self, provider: Provider, fetch: Fetch, clock: Clock, tasks: Tasks, *, pauses: tuple[float, ...] = PAUSES
    ) -> None:
        self._provider = provider
        self._fetch = fetch
        self._clock = clock
        self._flights: Flights[str, Metadata] = Flights(tasks)
        self._found = None if needs_metadata(provider) else Metadata(provider.endpoints)
        self._fixed = self._found is not None
        self._reason = ""
        self._tried_at = 0.0
        self.state = State(Condition.GOOD if self._fixed else Condition.NEVER, clock.time())
        if not self._fixed:
            tasks.start(self._ask_until_known(pauses))

    @property
    def known(self) -> bool:
        """Whether `endpoints` answers at once, whatever the provider does."""
        return self._found is not None

    @property
    def metadata(self) -> Document:
        """The last good document as it was published; empty while there is none, or none is needed."""
        return {} if self._found is None else self._found.document

    async def endpoints(self) -> Endpoints:
        """Where the provider answers. What is known is answered at once.

        Raises `Unavailable` (code `provider_metadata`) when the metadata was never had and cannot be had now.
        """
        if self._found is None:
            return (await self._join()).endpoints
        if not self._fixed and self._clock.monotonic() - self._tried_at >= REFRESH_AFTER:
            self._flights.lead(self._provider.name, self._look)
        return self._found.endpoints

    async def _join(self) -> Metadata:
        return await self._flights.join(self._provider.name, self._look)

    async def _ask_until_known(self, pauses: tuple[float, ...]) -> None:
        for pause in chain(pauses, repeat(pauses[-1])):
            with suppress(Unavailable):
                await self._join()
                return
            await asyncio.sleep(pause)

    async def _look(self) -> Metadata:
        now = self._clock.monotonic()
        if self._reason and now - self._tried_at < RETRY_AFTER:
            raise self._unavailable()
        self._tried_at = now
        try:
            self._found = await self._ask_in_time()
        except Unavailable as failure:
            self._failed(failure)
            raise self._unavailable() from failure
        self._succeeded()
        return self._found

    async def _ask_in_time(self) -> Metadata:
        try:
            async with asyncio.timeout(self._provider.transport.timeout):
                return await self._ask_all()
        except TimeoutError:
            raise Unavailable("it did not arrive in time.", code="provider_timeout") from None

    async def _ask_all(self) -> Metadata:
        failures: list[Unavailable] = []
        silent: set[str] = set()
        for url in self._provider.discovery:
            authority = url.partition("//")[2].partition("/")[0]
            if authority in silent:
                continue
            try:
                return read_metadata(await self._fetch("GET", url, headers=ACCEPT), self._provider)
            except Unavailable as failure:
                failures.append(failure)
                if failure.code in SILENT:
                    silent.add(authority)
        raise _most_telling(failures)

    def _succeeded(self) -> None:
        self._reason = ""
        if self.state.condition is not Condition.GOOD:
            log.info("provider %s: its metadata is known", self._provider.name)
            self.state = State(Condition.GOOD, self._clock.time())

    def _failed(self, failure: Unavailable) -> None:
        self._reason = failure.detail
        name, state = self._provider.name, self.state
        if state.code != failure.code:
            log.warning("provider %s: its metadata cannot be had: %s (%s)", name, failure.detail, failure.code)
        since = state.since if state.condition is Condition.FAILING else self._clock.time()
        self.state = State(Condition.FAILING, since, failure.code)

    def _unavailable(self) -> Unavailable:
        detail = f"The metadata of {self._provider.name} cannot be had: {self._reason}"
        return Unavailable(detail, code="provider_metadata", retry_after=RETRY_AFTER)


def _most_telling(failures: list[Unavailable]) -> Unavailable:
    """A server that has nothing at one of the well-known places says little: its other answers come first."""
    return next((failure for failure in failures if failure.code != "metadata_status"), failures[-1])
