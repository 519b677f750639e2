"""The development identity provider as one of the real ones: it serves from a thread, and is asked over its socket."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from gateway.demo.identity_provider import GATEWAY, DemoProvider, run_identity_provider
from tests.demo.asking import VERIFIER, challenge
from tests.idp.clients import CALLBACK, Client
from tests.idp.provider import Tokens
from tests.idp.wire import Answer, ask

T = TypeVar("T")
SCOPES = ("openid", "read", "write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A running provider. `client` calls APIs, users sign in to `web`, `introspector` may introspect any token."""

    inside: DemoProvider
    loop: asyncio.AbstractEventLoop = field(repr=False)
    client: Client = field(default_factory=lambda: Client(client_id="orders-app"))
    web: Client = field(default_factory=lambda: Client(client_id="web"))
    introspector: Client = field(default_factory=lambda: Client(client_id=GATEWAY[0], client_secret=GATEWAY[1]))

    name = "demo"

    @property
    def issuer(self) -> str:
        return self.inside.issuer

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def introspection_endpoint(self) -> str:
        return f"{self.issuer}/introspect"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/token"

    @property
    def jwks_uri(self) -> str:
        return f"{self.issuer}/jwks"

    def mint(
        self,
        *,
        scope: str = "read",
        audience: str | None = None,
        jwt: bool = False,
        lifetime: int = 600,
        algorithm: str = "RS256",
        client: Client | None = None,
    ) -> str:
        """An access token of a client. Opaque, unless `jwt`; `lifetime` in seconds."""
        return self._do(
            lambda: self.inside.issue(
                (client or self.client).client_id,
                scope,
                jwt=jwt,
                audience=audience,
                lifetime=lifetime,
                algorithm=algorithm,
            )
        )

    def mint_signed(self) -> str:
        """An access token that is a JWT."""
        return self.mint(jwt=True)

    def sign_in(self, login: str = "alice") -> Tokens:
        """The tokens of a user, by authorization code with PKCE."""
        request = {
            "client_id": self.web.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid read",
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
        }
        page = f"{self.issuer}/authorize?{urlencode(request)}"
        back = ask("POST", page, form={"name": login, "decision": "allow"}).headers["Location"]
        code = parse_qs(urlsplit(back).query)["code"][0]
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        answer = ask("POST", self.token_endpoint, headers=self.web.headers(), form=grant).json()
        return Tokens(answer["access_token"], answer["refresh_token"], answer["id_token"])

    def introspect(
        self,
        token: str,
        *,
        hint: str | None = "access_token",
        client: Client | None = None,
        accept: str = "application/json",
    ) -> Answer:
        """The raw answer about a token."""
        form = {"token": token, **({"token_type_hint": hint} if hint else {})}
        headers = {**(client or self.introspector).headers(), "Accept": accept}
        return ask("POST", self.introspection_endpoint, headers=headers, form=form)

    def revoke(self, token: str, *, client: Client | None = None) -> Answer:
        """Revoke a token of `client`."""
        headers = (client or self.client).headers()
        return ask("POST", f"{self.issuer}/revoke", headers=headers, form={"token": token})

    def register(self, metadata: Mapping[str, Any]) -> Answer:
        """Register a client (RFC 7591); nobody is asked for a permission."""
        return ask("POST", f"{self.issuer}/register", document=dict(metadata))

    def rotate_keys(self, *, keep_old: bool = True) -> None:
        """Sign with new keys from now on; the old ones stay published, or not."""
        self._do(lambda: self.inside.rotate_keys(keep_old=keep_old))

    def add_client(self, client: Client, **metadata: object) -> None:
        """A client that did not register."""
        self._do(lambda: self.inside.add_client(client.client_id, client.client_secret, **metadata))

    def _do(self, act: Callable[[], T]) -> T:
        """Act where the provider does: nothing in it is made for two threads."""

        async def acted() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(acted(), self.loop).result(timeout=10)


@contextmanager
def start() -> Iterator[Demo]:
    """A provider that ends with the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="development identity provider")
    thread.start()

    def do(act: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(act, loop).result(timeout=10)

    running = run_identity_provider(scopes=SCOPES, default_audience=None)
    try:
        provider = Demo(inside=do(running.__aenter__()), loop=loop)
        provider.add_client(provider.client, scope="read write")
        provider.add_client(
            provider.web,
            grant_types=["authorization_code", "refresh_token"],
            redirect_uris=[CALLBACK],
            scope="openid read",
        )
        yield provider
        do(running.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
