"""`tokenward doctor`: tries everything that a configuration needs, and says what to do about what does not work.

Credentials are sent to where the gateway would send them, and nowhere else; no finding shows one.
"""

import asyncio
import sys
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import TextIO

from gateway.doctor.demands import all_demands, wanted
from gateway.doctor.findings import Examined, Finding, Report, about, failure
from gateway.doctor.listening import examine_listening
from gateway.doctor.provider import examine_provider
from gateway.doctor.routes import judge_demand
from gateway.doctor.shown import hidden, secrets_of
from gateway.doctor.upstreams import Destination, destinations, examine_upstream, subject
from gateway.doctor.words import as_json, as_text
from gateway.ports import Clock
from gateway.settings import Settings

__all__ = ["Report", "as_json", "as_text", "examine"]


async def examine(settings: Settings, clock: Clock, progress: TextIO | None = None) -> Report:
    """Every check of a configuration, side by side, so that who does not answer keeps nobody waiting.

    What is under way is told to `progress`, standard error unless another is given, where that is a terminal.
    """
    examination = _Examination(settings, clock, progress or sys.stderr)
    return await examination.report()


class _Examination:
    """The checks of one configuration, and what is told meanwhile."""

    def __init__(self, settings: Settings, clock: Clock, progress: TextIO) -> None:
        self._settings = settings
        self._clock = clock
        self._progress = progress
        self._demands = all_demands(settings)

    async def report(self) -> Report:
        """All of it, in the order of the configuration."""
        providers, upstreams, listening = await asyncio.gather(
            asyncio.gather(*(self._provider(name) for name in self._settings.providers)),
            asyncio.gather(*(self._upstream(*each) for each in destinations(self._settings).items())),
            self._watch("listeners", self._listening()),
        )
        keyless = {name for name, each in zip(self._settings.providers, providers, strict=True) if not each.has_keys}
        examined = [*providers, *upstreams, listening]
        findings = [finding for each in (*providers, *upstreams) for finding in each.findings]
        findings += [*self._routes(keyless), *listening.findings]
        secrets = self._secrets().union(*(each.secrets for each in examined))
        return Report(tuple(hidden(secrets, finding) for finding in findings))

    async def _provider(self, name: str) -> Examined:
        examining = examine_provider(wanted(name, self._settings, self._demands), self._clock)
        return await self._watch(f"provider {name}", examining)

    async def _upstream(self, destination: Destination, routes: list[str]) -> Examined:
        return await self._watch(subject(routes), examine_upstream(destination, self._clock.time()))

    async def _listening(self) -> Examined:
        findings = await asyncio.to_thread(examine_listening, self._settings, self._clock.time())
        return Examined(findings=tuple(findings))

    def _routes(self, keyless: set[str]) -> Iterator[Finding]:
        for demand in self._demands:
            yield from about(f"route {demand.route}", judge_demand(demand, self._settings, keyless))

    def _secrets(self) -> frozenset[str]:
        credentials = [self._settings.provider(name).introspection for name in self._settings.providers]
        return frozenset(secret for each in credentials for secret in secrets_of(each))

    async def _watch(self, name: str, examining: Awaitable[Examined]) -> Examined:
        """What was found, as of that subject; one that breaks off takes no other along."""
        self._tell(f"checking {name} …")
        try:
            examined = await examining
        except Exception as error:  # noqa: BLE001 - a report with a hole says more than none, and its text may be secret
            examined = Examined(findings=(_broken(error),))
        return replace(examined, findings=about(name, examined.findings))

    def _tell(self, line: str) -> None:
        if self._progress.isatty():
            self._progress.write(f"{line}\n")
            self._progress.flush()


def _broken(error: Exception) -> Finding:
    seen = f"It broke off with {type(error).__name__}, which is a defect of the gateway."
    return failure("examination", seen, "Report it, with this configuration without its secrets.")
