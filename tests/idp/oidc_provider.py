"""The npm package `oidc-provider`: a certified OpenID Connect provider, with opaque and signed access tokens."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.idp.certificates import Certificates, make_certificates
from tests.idp.clients import Client, describe, describe_web, make_introspecting
from tests.idp.processes import Running, run
from tests.idp.proofs import SigningKey
from tests.idp.provider import Tokens
from tests.idp.sign_in import sign_in
from tests.idp.wire import Answer, ask

SOURCE = Path(__file__).parent / "oidc-provider"
INSTALLED = Path(__file__).parents[2] / ".servers" / "oidc-provider" / "node_modules"
AUDIENCE = "https://api.example.com/orders"


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider:
    """A running provider. `introspector` may introspect any token; `client` is one that calls APIs."""

    issuer: str
    tls_origin: str
    """The same provider over TLS, where it asks for a client certificate."""
    certificates: Certificates
    introspecting: Mapping[str, Client]
    """Clients that may introspect, by their way to authenticate."""
    client: Client
    web: Client
    server: Running = field(repr=False)

    name = "oidc-provider"

    @property
    def introspector(self) -> Client:
        return self.introspecting["client_secret_basic"]

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def introspection_endpoint(self) -> str:
        return f"{self.issuer}/token/introspection"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/token"

    @property
    def revocation_endpoint(self) -> str:
        return f"{self.issuer}/token/revocation"

    @property
    def registration_endpoint(self) -> str:
        return f"{self.issuer}/reg"

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
        key: SigningKey | None = None,
        client: Client | None = None,
    ) -> str:
        """An access token by client credentials; opaque, unless `jwt`. With `key` it is bound to it (DPoP).

        A signed token always has an audience. `lifetime` in seconds.
        """
        wishes = {
            "test_format": "jwt" if jwt else "opaque",
            "test_algorithm": algorithm,
            "test_lifetime": str(lifetime),
        }
        resource = audience or (AUDIENCE if jwt else None)
        form = {"grant_type": "client_credentials", "scope": scope, **wishes}
        answer = self.post(
            self.token_endpoint,
            {**form, **({"resource": resource} if resource else {})},
            headers={"DPoP": key.proof("POST", self.token_endpoint)} if key else {},
            client=client or self.client,
        )
        return str(answer.json()["access_token"])

    def mint_signed(self) -> str:
        """An access token that is a JWT."""
        return self.mint(jwt=True)

    def sign_in(self, login: str = "alice", *, scope: str = "openid offline_access read", audience: str = "") -> Tokens:
        """The opaque tokens that a user's sign-in to the web client yields."""
        return sign_in(self.issuer, self.web, login=login, scope=scope, audience=audience)

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
        caller = client or self.introspector
        return self.post(self.introspection_endpoint, form, client=caller, headers={"Accept": accept})

    def revoke(self, token: str, *, client: Client | None = None) -> Answer:
        """Revoke a token of `client`; signed tokens cannot be revoked here."""
        return self.post(self.revocation_endpoint, {"token": token}, client=client or self.client)

    def register(self, metadata: Mapping[str, Any]) -> Answer:
        """Register a client (RFC 7591); nobody is asked for a permission."""
        return ask("POST", self.registration_endpoint, document=dict(metadata))

    def rotate_keys(self, *, keep_old: bool = True) -> None:
        """Sign with new keys from now on; the old ones stay published, or not."""
        ask("POST", f"{self.issuer}/test/rotate-keys{'?keep=old' if keep_old else ''}")

    def post(
        self, url: str, form: Mapping[str, str], *, client: Client, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a form as `client`, over TLS when it authenticates with a certificate."""
        tls = self.certificates.as_client(client.certificate) if client.certificate else None
        return ask(
            "POST",
            url.replace(self.issuer, self.tls_origin) if tls else url,
            headers={**client.headers(), **(headers or {})},
            form={**form, **client.form(self.issuer)},
            tls=tls,
        )


def missing() -> str | None:
    """Why oidc-provider cannot be started, in words; `None` when it can."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    if not (INSTALLED / "oidc-provider").is_dir():
        return "the npm package oidc-provider is not installed: tests/run does it"
    return None


@contextmanager
def start(folder: Path, *, initial_access_token: str | None = None) -> Iterator[OidcProvider]:
    """A provider that keeps everything it writes in `folder` and ends with the block.

    An initial access token closes registration to everybody who does not have it.
    """
    certificates = make_certificates(folder, client_name="gateway-tls")
    introspecting = make_introspecting(certificates)
    client, web = Client(client_id="orders-app"), Client(client_id="web")
    clients = [describe_web(web), *map(describe, [client, *introspecting.values()])]
    _lay_out(folder, certificates, clients, initial_access_token)
    with run(["node", "server.mjs", "settings.json"], folder=folder) as server:
        where = server.wait_for(lambda: _where_it_listens(server))
        yield OidcProvider(
            issuer=where["origin"],
            tls_origin=where["tlsOrigin"],
            certificates=certificates,
            introspecting=introspecting,
            client=client,
            web=web,
            server=server,
        )


def _lay_out(
    folder: Path, certificates: Certificates, clients: list[dict[str, Any]], initial_access_token: str | None
) -> None:
    # Node looks for packages beside the script, so the script goes where a link to them is.
    for script in SOURCE.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(INSTALLED)
    server = certificates.server
    tls = {"ca": certificates.authority, "certificate": server.certificate, "key": server.key}
    settings: dict[str, object] = {"clients": clients, "tls": {name: str(path) for name, path in tls.items()}}
    if initial_access_token is not None:
        settings["initialAccessToken"] = initial_access_token
    (folder / "settings.json").write_text(json.dumps(settings))


def _where_it_listens(server: Running) -> dict[str, str] | None:
    for line in server.log.read_text().splitlines():
        if line.startswith("{"):
            where: dict[str, str] = json.loads(line)
            return where
    return None
