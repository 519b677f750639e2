"""`tokenward doctor`: tries everything that a configuration needs, and says what to do about what does not work.

Credentials are sent to where the gateway would send them, and nowhere else; no finding shows one.
"""

import asyncio
import sys
from collections.abc import Awaitable, Coroutine, Iterator
from dataclasses import dataclass, replace
from typing import Any, TextIO

from gateway.doctor.demands import all_demands, wanted
from gateway.doctor.findings import Examined, Finding, Report, about, failure
from gateway.doctor.listening import examine_listening
from gateway.doctor.provider import examine_provider
from gateway.doctor.routes import judge_demand
from gateway.doctor.shown import hidden, secrets_of
from gateway.doctor.upstreams import Destination, destinations, examine_upstream, subject
from gateway.doctor.words import as_json, as_text
from gateway.ports import Clock
from gateway.providers.registration import Registration
from gateway.settings import Settings
from gateway.settings.portal import PortalSettings

__all__ = ["Extent", "Report", "as_json", "as_text", "examine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How far the doctor goes."""

    registers: bool = True
    """Whether it registers a client at each provider that registers clients. It is deleted again."""
    signs_in: bool = False
    """Whether somebody is asked to sign in, as at the portal."""
    port: int | None = None
    """Where their browser comes back to on this machine; `None`: wherever the provider lets it."""


async def examine(
    settings: Settings, clock: Clock, progress: TextIO | None = None, extent: Extent | None = None
) -> Report:
    """Every check of a configuration, side by side, so that who does not answer keeps nobody waiting.

    What is under way is told to `progress`, standard error unless another is given, where that is a terminal; and, in
    any case, what somebody has to do or to know who interrupts it.
    """
    examination = _Examination(settings, clock, progress or sys.stderr, extent or Extent())
    return await examination.report()


class _Examination:
    """The checks of one configuration, and what is told meanwhile."""

    def __init__(self, settings: Settings, clock: Clock, progress: TextIO, extent: Extent) -> None:
        self._settings = settings
        self._clock = clock
        self._progress = progress
        self._extent = extent
        self._demands = all_demands(settings)

    async def report(self) -> Report:
        """All of it, in the order of the configuration."""
        providers, others, listening = await self._examined()
        keyless = {name for name, each in zip(self._settings.providers, providers, strict=True) if not each.has_keys}
        findings = [finding for each in (*providers, *others) for finding in each.findings]
        findings += [*self._routes(keyless), *listening.findings]
        secrets = self._secrets().union(*(each.secrets for each in (*providers, *others, listening)))
        return Report(tuple(hidden(secrets, finding) for finding in findings))

    async def _examined(self) -> tuple[list[Examined], list[Examined], Examined]:
        """What was found of the providers, of all else that is asked, and of our own side."""
        # Not by `gather`: who interrupts it would not be waited for until everything is tidied up.
        async with asyncio.TaskGroup() as group:
            providers = [group.create_task(self._provider(name)) for name in self._settings.providers]
            managed = [group.create_task(each) for each in self._managed()]
            upstreams = [group.create_task(self._upstream(*each)) for each in destinations(self._settings).items()]
            listening = group.create_task(self._watch("listeners", self._listening()))
        others = [*managed, *upstreams]
        return [each.result() for each in providers], [each.result() for each in others], listening.result()

    async def _provider(self, name: str) -> Examined:
        examining = examine_provider(wanted(name, self._settings, self._demands), self._clock)
        return await self._watch(f"provider {name}", examining)

    def _managed(self) -> Iterator[Coroutine[Any, Any, Examined]]:
        """What applications and contracts need, as far as it is configured."""
        for name in self._settings.providers if self._extent.registers else ():
            registration = self._settings.registration(name)
            if registration is not None:
                yield self._watch(f"registration at {name}", self._registration(name, registration))
        if self._settings.portal is not None:
            yield from self._portal(self._settings.portal)
        if self._settings.store is not None:
            yield self._watch("store", self._store())
        if self._settings.management.notices.mail is not None:
            yield self._watch("notices by mail", self._mail())
        if self._settings.management.notices.webhook is not None:
            yield self._watch("notices by webhook", self._webhook())

    # Imported where they are used: a gateway without a store needs none of the libraries for it.

    async def _registration(self, name: str, registration: Registration) -> Examined:
        from gateway.doctor.registration import examine_registration

        asked = wanted(name, self._settings, self._demands)
        return await examine_registration(asked, registration, self._clock, self._say)

    def _portal(self, portal: PortalSettings) -> Iterator[Coroutine[Any, Any, Examined]]:
        from gateway.doctor.sign_in import examine_sign_in
        from gateway.doctor.signing_in import Visitor, examine_signing_in

        provider = self._settings.provider(portal.sign_in.provider)
        name = f"sign-in at {provider.name}"
        yield self._watch(name, examine_sign_in(portal, provider, self._clock))
        if self._extent.signs_in:
            visitor = Visitor(say=self._say, port=self._extent.port)
            yield self._watch(f"{name}, by a person", examine_signing_in(portal, provider, self._clock, visitor))

    async def _store(self) -> Examined:
        from gateway.doctor.store import examine_store

        assert self._settings.store is not None  # noqa: S101 - whoever asks has looked
        return await examine_store(self._settings.store, self._clock)

    async def _mail(self) -> Examined:
        from gateway.doctor.notices import examine_mail

        assert self._settings.management.notices.mail is not None  # noqa: S101 - whoever asks has looked
        return await examine_mail(self._settings.management.notices.mail, self._clock.time())

    async def _webhook(self) -> Examined:
        from gateway.doctor.notices import examine_webhook

        assert self._settings.management.notices.webhook is not None  # noqa: S101 - whoever asks has looked
        return await examine_webhook(self._settings.management.notices.webhook, self._clock.time())

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
            self._say(line)

    def _say(self, line: str) -> None:
        self._progress.write(f"{line}\n")
        self._progress.flush()


def _broken(error: Exception) -> Finding:
    seen = f"It broke off with {type(error).__name__}, which is a defect of the gateway."
    return failure("examination", seen, "Report it, with this configuration without its secrets.")
