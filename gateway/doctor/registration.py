"""Registration at one provider, tried out: a client is registered, read, changed, used and deleted again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.clients.registration.registrar import Registrar, open_registrar
from gateway.doctor.asking import Asking, told
from gateway.doctor.demands import Wanted
from gateway.doctor.discovery import look_up
from gateway.doctor.findings import Examined, Finding, failure, skipped, warning
from gateway.doctor.new_client import NewClient
from gateway.doctor.opening import REGISTRATION, examine_own_client, judge_refusal
from gateway.doctor.overhearing import Overhearing
from gateway.doctor.reachability import UnusableFile, client_tls
from gateway.doctor.shown import secrets_of
from gateway.doctor.throwaway import Throwaway, left_behind
from gateway.doctor.wishes import Wish, judge_wish, not_taken, wishes
from gateway.fetch import open_fetch
from gateway.policy import Unavailable
from gateway.ports import Clock, Fetch
from gateway.providers import Transport
from gateway.providers.metadata import Metadata
from gateway.providers.registration import Registration
from gateway.settings.providers import secret_of
from gateway.tasks import Tasks

FIRST = "First mend what is said of the provider."


async def examine_registration(
    wanted: Wanted, registration: Registration, clock: Clock, complain: Callable[[str], None]
) -> Examined:
    """All there is to say of it. `complain` is told of a client that is left behind when somebody interrupts this."""
    transport = replace(wanted.provider.transport, timeout=registration.timeout)
    try:
        await asyncio.to_thread(client_tls, transport.ca_file, transport.certificate_file, transport.key_file)
    except UnusableFile:
        return Examined(findings=(skipped(REGISTRATION, "Not tried: a file of the transport cannot be used.", FIRST),))
    secrets = _secrets_of(registration)
    async with open_fetch(transport) as fetch:
        examination = _Examination(wanted, registration, Asking(fetch, clock), clock, secrets)
        try:
            await examination.run()
        except BaseException:
            if examination.left is not None:
                complain(examination.left.seen)
            raise
    return Examined(findings=tuple(examination.findings), secrets=frozenset(secrets))


def _secrets_of(registration: Registration) -> set[str]:
    header, token = secret_of(registration.authorization), secret_of(registration.initial_access_token)
    return ({header, header.rpartition(" ")[2], token} - {""}) | secrets_of(registration.client)


class _Examination:
    """The steps in their order, and what they learned for those that follow."""

    def __init__(
        self, wanted: Wanted, registration: Registration, ask: Asking, clock: Clock, secrets: set[str]
    ) -> None:
        self.findings: list[Finding] = []
        self.left: Finding | None = None
        """What is said of a client that could not be deleted."""
        self._wanted = wanted
        self._provider = wanted.provider
        self._registration = registration
        self._ask = ask
        self._clock = clock
        self._secrets = secrets
        self._overhearing = Overhearing(ask)

    async def run(self) -> None:
        metadata = await self._metadata()
        endpoint = metadata.endpoints.registration
        if endpoint is None:
            self.findings.append(self._no_endpoint(metadata))
            return
        if not await self._is_authorized(metadata.endpoints.token):
            return
        self._look_at_groups()
        if self._registration.delete:
            await self._live(endpoint, metadata)
        else:
            self.findings.append(_would_stay())

    async def _metadata(self) -> Metadata:
        """What is configured, and where there is metadata, what that says."""
        looks = await look_up(self._provider, self._ask) if self._provider.discovery else []
        found = looks[-1].metadata if looks else None
        return found or Metadata(self._provider.endpoints)

    def _no_endpoint(self, metadata: Metadata) -> Finding:
        if self._provider.discovery and not metadata.document:
            return skipped(REGISTRATION, "Where it is, nobody knows without the metadata.", FIRST)
        seen = "The provider names no registration endpoint, and none is configured."
        advice = "Write endpoints.registration: its URL; or leave registration out, if it registers nobody."
        return failure(REGISTRATION, seen, advice)

    async def _is_authorized(self, url: str | None) -> bool:
        if self._registration.client is None:
            return True
        if url is None:
            seen = "No token endpoint is known, where our client gets its token for registration."
            self.findings.append(failure(REGISTRATION, seen, "Write endpoints.token: its URL."))
            return False
        token, finding = await examine_own_client(url, self._registration, self._ask)
        self._secrets.update({token} - {""})
        self.findings.append(finding)
        return bool(token)

    def _look_at_groups(self) -> None:
        registration = self._registration
        if (
            registration.group_url is None
            or registration.groups
            or "authorization_code" not in registration.grant_types
        ):
            return
        seen = "New clients are assigned to no group, and at this provider nobody signs in to such a client."
        advice = "Write registration.groups: the ids of the groups whose people may, or assign each client there."
        self.findings.append(warning("groups", seen, advice))

    async def _live(self, endpoint: str, metadata: Metadata) -> None:
        """Register a client, try it out, and delete it, whatever happens."""
        async with self._registrar() as (registrar, tasks):
            client = Throwaway(registrar, tasks)
            new = NewClient(registrar, client, self._wanted, metadata, self._ask, self._secrets)
            try:
                wish = await self._register(client, endpoint)
                if wish is not None:
                    await new.try_out(wish)
            finally:
                await client.end()
                self._note_fate(client, endpoint)
            self.findings.extend(new.findings)
            if client.fate is not None:
                self.findings.append(client.fate)
                self.findings.extend([] if client.is_left else await new.after_its_end())

    @asynccontextmanager
    async def _registrar(self) -> AsyncIterator[tuple[Registrar, Tasks]]:
        """The gateway's own, overheard."""

        @asynccontextmanager
        async def lend(_: Transport) -> AsyncIterator[Fetch]:
            yield self._overhearing

        tasks = Tasks()
        async with open_registrar(self._provider, self._registration, lend, self._clock) as registrar:
            try:
                yield registrar, tasks
            finally:
                await tasks.close()

    def _note_fate(self, client: Throwaway, endpoint: str) -> None:
        left_over = self._overhearing.left_over(endpoint)
        if client.registered is None and left_over:
            client.fate = left_behind(left_over, "its registration was not finished.")
        self.left = client.fate if client.is_left else None

    async def _register(self, client: Throwaway, endpoint: str) -> Wish | None:
        """The wish that the provider took, if it took one."""
        first = refused = None
        for wish in wishes(self._registration, self._wanted.scopes):
            try:
                refused = await client.register(wish.metadata)
            except Unavailable as failed:
                self.findings.append(self._unavailable(failed, endpoint))
                return None
            if refused is None:
                self.findings.extend(judge_wish(wish, first, self._registration))
                return wish
            first = first or refused
        assert first is not None  # noqa: S101 - there is a wish at least, and it was refused
        self.findings.append(not_taken(first))
        return None

    def _unavailable(self, failed: Unavailable, endpoint: str) -> Finding:
        exchange = self._overhearing.registering(endpoint)
        if exchange is None or failed.code.startswith("provider_"):
            return failure(REGISTRATION, f"The provider could not be asked: {told(failed)}", FIRST)
        if not exchange.succeeded:
            return judge_refusal(exchange.heard, endpoint, self._registration)
        if self._registration.groups and exchange is not self._overhearing.exchanges[-1]:
            advice = "Correct registration.groups, or give our authorization the permission to manage groups."
            return failure(REGISTRATION, f"A client was registered, and then: {told(failed)}", advice)
        return failure(REGISTRATION, told(failed), "Look there for what it registered; its answer is no client's.")


def _would_stay() -> Finding:
    seen = "Not tried: the configuration says delete: false, and a client that was registered to try it would stay."
    return skipped(REGISTRATION, seen, "Register one by hand, as in `tokenward clients register`.")
