"""A client that was just registered: whether it can be managed, gets a token, and what that token looks like to us."""

from dataclasses import replace

from gateway.clients.client import Metadata as About
from gateway.clients.client import Registered
from gateway.clients.mistakes import Refusal
from gateway.clients.registration.registrar import Registrar
from gateway.clients.registration.replies import differences
from gateway.doctor.asking import Asking, Heard, told
from gateway.doctor.claims import judge_claims
from gateway.doctor.demands import Wanted
from gateway.doctor.findings import Finding, Result, failure, ok, skipped, warning
from gateway.doctor.introspection import Endpoint, claims_of
from gateway.doctor.jwks import KeyFacts
from gateway.doctor.keys import fetch_keys
from gateway.doctor.own_token import Minted, ask_for_a_token, mint
from gateway.doctor.shown import foreign, listed, secrets_of
from gateway.doctor.signed import NotBelieved
from gateway.doctor.throwaway import Throwaway
from gateway.doctor.wishes import RENAMED, Wish
from gateway.policy import Unavailable
from gateway.providers import ClientAuthentication, ClientCredentials
from gateway.providers.authentication import METHODS, Authenticator
from gateway.providers.metadata import Metadata

MANAGEMENT = "management"
TOKEN = "its token"
AFTERWARDS = "afterwards"
TELLING = frozenset({"token_type", "client_id", "scope", "aud"})
"""Claims that another client's token shows better than one of ours."""


class NewClient:
    """Tries out a client of the throw-away kind. What it learns of secrets goes into `secrets`."""

    def __init__(
        self,
        registrar: Registrar,
        client: Throwaway,
        wanted: Wanted,
        metadata: Metadata,
        ask: Asking,
        secrets: set[str],
    ) -> None:
        self.findings: list[Finding] = []
        self._registrar = registrar
        self._client = client
        self._wanted = wanted
        self._endpoints = metadata.endpoints
        self._ask = ask
        self._secrets = secrets
        self._keys: KeyFacts | None = None
        self._minted = Minted()
        self._method = ClientAuthentication.CLIENT_SECRET_BASIC

    async def try_out(self, wish: Wish) -> None:
        """All that it is good for."""
        if wish.metadata.token_endpoint_auth_method in METHODS:
            self._method = ClientAuthentication(wish.metadata.token_endpoint_auth_method)
        self._hide()
        self._compare(wish.metadata)
        await self._manage(wish.metadata)
        self._hide()
        await self._use(wish.metadata)

    async def after_its_end(self) -> list[Finding]:
        """Whether anything of it lives on, once it was deleted."""
        credentials = self._credentials()
        if credentials is None or not self._minted.token or self._endpoints.token is None:
            return []
        try:
            again = await ask_for_a_token(self._endpoints.token, "", Authenticator(credentials), self._ask)
            claims = await self._claims()
        except (Unavailable, NotBelieved):
            return []
        if again.status == 200 and "access_token" in (again.document or {}):
            advice = (
                "Look at the provider: its clients are not gone when it says so. Tokenward blocks those it deletes."
            )
            return [warning(AFTERWARDS, "The client was deleted, and still gets tokens.", advice)]
        return [_of_the_dead(claims)] if claims is not None else []

    def _hide(self) -> None:
        registered = self._registered()
        token = registered.registration_access_token
        self._secrets.update({token.get_secret_value()} if token else set())
        self._secrets.update(secrets_of(self._credentials()))

    def _registered(self) -> Registered:
        assert self._client.registered is not None  # noqa: S101 - it is tried out because it is there
        return self._client.registered

    def _credentials(self) -> ClientCredentials | None:
        """What it proves itself with; `None` where it has no secret."""
        registered = self._registered()
        if registered.credentials.client_secret is None:
            return None
        return ClientCredentials(
            authentication=self._method,
            client_id=registered.credentials.client_id,
            client_secret=registered.credentials.client_secret,
        )

    def _compare(self, wish: About) -> None:
        names = differences(wish, self._registered())
        if names:
            advice = "Look at what the provider allows new clients; developers get another client than they ask for."
            self.findings.append(
                warning("record", f"It was registered otherwise than asked for: {listed(names)}.", advice)
            )

    async def _manage(self, wish: About) -> None:
        can = self._registrar.capabilities_of(self._registered())
        if can.why:
            advice = "Changes and deletions have to be made there, by hand; deleting a client here blocks it here."
            self.findings.append(warning(MANAGEMENT, can.why, advice))
        try:
            done = [await self._read()] if can.read else []
            done += [await self._update(wish)] if can.update else []
        except (Unavailable, Refusal) as error:
            why = told(error) if isinstance(error, Unavailable) else error.detail
            advice = "Look at the provider's log: developers cannot change their applications."
            self.findings.append(failure(MANAGEMENT, f"It cannot be managed: {why}", advice))
            return
        if done:
            self.findings.append(ok(MANAGEMENT, f"It can be {' and '.join(done)} there."))

    async def _read(self) -> str:
        found = await self._registrar.read(self._registered())
        if found is None:
            raise Unavailable("the provider does not know the client that it registered a moment ago.", code="gone")
        self._client.registered = found
        return "read"

    async def _update(self, wish: About) -> str:
        before = self._registered().credentials.client_secret
        self._client.registered = await self._registrar.update(self._registered(), replace(wish, client_name=RENAMED))
        if self._registered().credentials.client_secret == before:
            return "changed"
        return "changed (with a new secret each time)"

    async def _use(self, wish: About) -> None:
        credentials, url = self._credentials(), self._endpoints.token
        if credentials is None or "client_credentials" not in wish.grant_types:
            seen = "Clients that get tokens by themselves are not registered here, so that none was had."
            advice = "Sign in with an application, and ask `tokenward explain` about its token."
            self.findings.append(skipped(TOKEN, seen, advice))
            return
        as_client = replace(self._wanted, provider=replace(self._wanted.provider, introspection=credentials))
        self._minted = await mint(url, as_client, Authenticator(credentials), self._ask)
        if not self._minted.token:
            seen = f"The new client gets no token: {self._minted.why_not}"
            advice = (
                "Let the provider allow client_credentials, and the scopes, to clients that are registered; or take "
                "client_credentials out of registration.grant_types."
            )
            self.findings.append(failure(TOKEN, seen, advice))
            return
        self._secrets.add(self._minted.token)
        await self._look_at_token(as_client)

    async def _look_at_token(self, as_client: Wanted) -> None:
        try:
            claims = await self._claims()
        except Unavailable as failed:
            self.findings.append(skipped(TOKEN, f"It was not introspected: {told(failed)}", "First mend that."))
            return
        except NotBelieved as fault:
            self.findings.append(skipped(TOKEN, f"It was not introspected: {fault}", fault.advice))
            return
        if claims is None:
            self.findings.append(ok(TOKEN, "The new client gets one, and nothing is configured to introspect it."))
        elif claims.get("active") is not True:
            self.findings.append(self._inactive())
        else:
            self.findings.append(_active(claims, as_client))
            judged = judge_claims(claims, as_client)
            self.findings.extend(each for each in judged if each.check in TELLING and each.result is not Result.OK)

    async def _claims(self) -> dict[str, object] | None:
        """What our own client is told of its token; `None` where we do not ask. Raises `Unavailable`, `NotBelieved`."""
        provider, url = self._wanted.provider, self._endpoints.introspection
        if url is None or provider.introspection is None or not self._wanted.introspects:
            return None
        try:
            endpoint = Endpoint(url, provider, Authenticator(provider.introspection), self._ask)
        except ValueError as fault:
            raise Unavailable(f"{fault}.", code="provider_refuses_us") from None
        heard = await endpoint.introspect(self._minted.token)
        if heard.status != 200:
            raise Unavailable(f"the provider answered {heard.outcome}.", code=_code(heard))
        return claims_of(heard, provider, await self._published_keys())

    async def _published_keys(self) -> KeyFacts | None:
        """For signed answers alone."""
        if self._keys is None and self._wanted.provider.signed_introspection and self._endpoints.jwks is not None:
            self._keys, _ = await fetch_keys(self._endpoints.jwks, self._wanted, self._ask)
        return self._keys

    def _inactive(self) -> Finding:
        introspection = self._wanted.provider.introspection
        client = foreign(introspection.client_id if introspection else "")
        seen = "The new client's token introspects as inactive: no application that is registered here could call."
        return failure(TOKEN, seen, f"At the provider, let our client {client} introspect the tokens of other clients.")


def _code(heard: Heard) -> str:
    return "provider_refuses_us" if heard.status in (401, 403) else "provider_answer"


def _active(claims: dict[str, object], wanted: Wanted) -> Finding:
    dialect = wanted.provider.dialect
    named = next((name for name in dialect.client_id if claims.get(name) is not None), "no claim")
    scope = next((str(claims[name]) for name in dialect.scope if claims.get(name) is not None), "")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [] if audience is None else [audience]
    seen = f"It introspects as active; {named} names the client, scope is {listed(scope.split())}, aud is"
    return ok(TOKEN, f"{seen} {listed(audiences)}.")


def _of_the_dead(claims: dict[str, object]) -> Finding:
    if claims.get("active") is not True:
        return ok(AFTERWARDS, "With the client, the provider ended its token.")
    seen = "The token of the deleted client introspects as active: deleting a client there does not end its tokens."
    return ok(AFTERWARDS, f"{seen} Tokenward blocks the clients that it deletes, so that they do not count here.")
