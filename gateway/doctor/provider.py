"""One provider, from its sockets to its tokens: each check builds on those before it."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from gateway.doctor.asking import Asking
from gateway.doctor.connections import Fault, Place, Way, place_of
from gateway.doctor.demands import Wanted
from gateway.doctor.discovery import judge_looks, look_up
from gateway.doctor.findings import Examined, Finding, failure, skipped
from gateway.doctor.introspection import CREDENTIALS, Endpoint, ask_about_nothing
from gateway.doctor.jwks import KeyFacts
from gateway.doctor.keys import KEYS, fetch_keys
from gateway.doctor.own_jwt import judge_jwt
from gateway.doctor.own_token import examine_own_token, mint, not_tried
from gateway.doctor.reachability import UnusableFile, client_tls, reach
from gateway.doctor.shown import secrets_of
from gateway.doctor.timing import judge_answer_time, judge_clock
from gateway.fetch import open_fetch
from gateway.policy import Unavailable
from gateway.ports import Clock
from gateway.providers import Endpoints
from gateway.providers.authentication import Authenticator
from gateway.providers.metadata import Document, Metadata, needs_metadata


async def examine_provider(wanted: Wanted, clock: Clock) -> Examined:
    """All checks of one provider. They take a few times its timeout at most."""
    transport = wanted.provider.transport
    secrets = secrets_of(wanted.provider.introspection)
    try:
        tls = await asyncio.to_thread(client_tls, transport.ca_file, transport.certificate_file, transport.key_file)
    except UnusableFile as fault:
        advice = "Correct the files under transport."
        found = failure("files", f"transport.{fault}; the gateway would not start with it.", advice)
        return Examined(findings=(found,), has_keys=False, secrets=frozenset(secrets))
    way = Way(timeout=transport.connect_timeout, tls=tls, ca_file=transport.ca_file, proxy=transport.proxy)
    async with open_fetch(transport) as fetch:
        examination = _Examination(wanted, way, Asking(fetch, clock), secrets)
        await examination.run()
    return Examined(
        findings=tuple(examination.findings), has_keys=examination.keys is not None, secrets=frozenset(secrets)
    )


class _Examination:
    """The checks of one provider in their order, and what they learned for those that follow."""

    def __init__(self, wanted: Wanted, way: Way, ask: Asking, secrets: set[str]) -> None:
        self.findings: list[Finding] = []
        self.keys: KeyFacts | None = None
        self._wanted = wanted
        self._provider = wanted.provider
        self._way = way
        self._ask = ask
        self._secrets = secrets
        self._reached: dict[Place, bool] = {}

    async def run(self) -> None:
        metadata = await self._metadata()
        if metadata is None:
            self._skip_the_rest()
        else:
            await self._reach(self._urls(metadata.endpoints))
            await self._fetch_keys(metadata.endpoints.jwks)
            await self._introspect(metadata)
        if self._ask.heard:
            self.findings.append(judge_clock(self._ask.heard, self._wanted.leeway))

    async def _reach(self, urls: Iterable[str | None]) -> None:
        """Connect to the servers that were not tried yet, all at once."""
        new = dict.fromkeys(place_of(url) for url in urls if url is not None)
        trying = [
            reach(place, self._way, now=self._ask.now, section="transport", code_of=code_of)
            for place in new
            if place not in self._reached
        ]
        for reached in await asyncio.gather(*trying):
            self._reached[reached.place] = reached.connected
            self.findings.extend(reached.findings)

    def _urls(self, endpoints: Endpoints) -> list[str | None]:
        """What the gateway asks. The token endpoint is not among it: that it is out of reach is no fault."""
        urls = [endpoints.jwks] if self._wanted.uses_keys else []
        return [*urls, endpoints.introspection] if self._wanted.introspects else urls

    def _is_reached(self, url: str) -> bool:
        return self._reached.get(place_of(url), False)

    async def _metadata(self) -> Metadata | None:
        if not needs_metadata(self._provider):
            return Metadata(self._provider.endpoints)
        await self._reach(self._provider.discovery)
        if not any(self._is_reached(url) for url in self._provider.discovery):
            return None
        looks = await look_up(self._provider, self._ask)
        self.findings.extend(judge_looks(looks, self._wanted))
        return looks[-1].metadata

    def _skip_the_rest(self) -> None:
        seen, advice = "Where it is, nobody knows without the metadata.", "First mend what is said above."
        if self._wanted.uses_keys:
            self.findings.append(skipped(KEYS, seen, advice))
        if self._wanted.introspects:
            self.findings.append(skipped(CREDENTIALS, seen, advice))

    async def _fetch_keys(self, url: str | None) -> None:
        if url is None or not self._wanted.uses_keys:
            return
        if not self._is_reached(url):
            self.findings.append(_out_of_reach(KEYS))
            return
        self.keys, findings = await fetch_keys(url, self._wanted, self._ask)
        self.findings.extend(findings)

    async def _introspect(self, metadata: Metadata) -> None:
        url, credentials = metadata.endpoints.introspection, self._provider.introspection
        if url is None or credentials is None or not self._wanted.introspects:
            return
        if not self._is_reached(url):
            self.findings.append(_out_of_reach(CREDENTIALS))
            return
        try:
            authenticator = Authenticator(credentials)
        except ValueError as fault:
            self.findings.append(failure(CREDENTIALS, f"{fault}.", "Correct the options under introspection."))
            return
        endpoint = Endpoint(url, self._provider, authenticator, self._ask)
        await self._ask_about_tokens(endpoint, metadata, authenticator)

    async def _ask_about_tokens(self, endpoint: Endpoint, metadata: Metadata, authenticator: Authenticator) -> None:
        published = metadata.document or await self._published()
        accepted, findings = await ask_about_nothing(endpoint, self._provider, published, self.keys)
        self.findings.extend(findings)
        if not accepted:
            self.findings.append(not_tried())
            return
        minted = await mint(metadata.endpoints.token, self._wanted, authenticator, self._ask)
        self._secrets.update({minted.token} - {""})
        self.findings.extend(await examine_own_token(minted, endpoint, self._wanted, self.keys))
        if minted.token and self.keys is not None:
            self.findings.extend(judge_jwt(minted.token, self._wanted, self.keys))
        # The first one had to connect.
        self.findings.append(judge_answer_time(min(endpoint.seconds), self._provider.transport.timeout))

    async def _published(self) -> Document:
        """The metadata of a provider that works without: good for an advice, and for nothing else."""
        if self._provider.issuer is None:
            return {}
        with suppress(Unavailable):
            heard = await self._ask("GET", f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration")
            return heard.document or {} if heard.status == 200 else {}
        return {}


def _out_of_reach(check: str) -> Finding:
    return skipped(check, "Its server is out of reach.", "First mend the connection.")


def code_of(fault: Fault) -> str:
    """What the gateway calls it when a provider cannot be reached."""
    match fault:
        case Fault.DNS | Fault.REFUSED | Fault.NETWORK | Fault.PROXY:
            return "provider_unreachable"
        case Fault.TIMEOUT:
            return "provider_timeout"
        case _:
            return "provider_tls"
