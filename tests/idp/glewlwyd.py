"""Debian's `glewlwyd`: a provider in C whose signed access tokens can be introspected and revoked."""

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.idp.clients import Client
from tests.idp.processes import Running, free_port, run
from tests.idp.proofs import SigningKey
from tests.idp.provider import Tokens
from tests.idp.wire import Answer, ask

SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
PAGES = Path("/usr/share/glewlwyd/webapp")
PAGES_SETTINGS = Path("/usr/share/glewlwyd/templates/config.json")
MODULES = Path("/usr/lib/glewlwyd")
COMMAND = ("glewlwyd", "--config-file=glewlwyd.conf")
USER, PASSWORD = "alice", "a password of alice"
SCOPES = ("read", "write", "introspect")
MEDIA_TYPES = {".html": "text/html", ".js": "text/javascript", ".json": "application/json", ".css": "text/css"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glewlwyd:
    """A running provider. `client` calls APIs; `introspector` may introspect any token."""

    origin: str
    client: Client
    introspector: Client
    server: Running = field(repr=False)

    name = "glewlwyd"

    @property
    def issuer(self) -> str:
        return f"{self.origin}/api/oidc"

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
    def revocation_endpoint(self) -> str:
        return f"{self.issuer}/revoke"

    @property
    def registration_endpoint(self) -> str:
        return f"{self.issuer}/register"

    @property
    def jwks_uri(self) -> str:
        return f"{self.issuer}/jwks"

    def mint(self, *, scope: str = "read", key: SigningKey | None = None, client: Client | None = None) -> str:
        """An access token by client credentials: always signed, and its audience is its scope.

        With `key` it is bound to it (DPoP).
        """
        form = {"grant_type": "client_credentials", "scope": scope}
        proof = {"DPoP": key.proof("POST", self.token_endpoint)} if key else {}
        answer = self.post(self.token_endpoint, form, client=client or self.client, headers=proof)
        return str(answer.json()["access_token"])

    def mint_signed(self) -> str:
        """An access token that is a JWT."""
        return self.mint()

    def sign_in(self) -> Tokens:
        """What the token endpoint gives for the password of the user."""
        form = {"grant_type": "password", "username": USER, "password": PASSWORD, "scope": "read"}
        answer = self.post(self.token_endpoint, form, client=self.client).json()
        return Tokens(answer["access_token"], answer["refresh_token"])

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

    def introspection_authorization(self) -> str:
        """The value of an `Authorization` header that may introspect any token for ten minutes, without a secret."""
        return f"Bearer {self.mint(scope='introspect', client=self.introspector)}"

    def revoke(self, token: str, *, client: Client | None = None) -> Answer:
        """Revoke a token of `client`."""
        return self.post(self.revocation_endpoint, {"token": token}, client=client or self.client)

    def register(self, metadata: Mapping[str, Any]) -> Answer:
        """Register a client (RFC 7591); nobody is asked for a permission."""
        return ask("POST", self.registration_endpoint, document=dict(metadata))

    def post(
        self, url: str, form: Mapping[str, str], *, client: Client, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a form as `client`."""
        return ask("POST", url, headers={**client.headers(), **(headers or {})}, form=form)


def add_client(provider: Glewlwyd, client: Client, scopes: list[str]) -> None:
    """A client that did not register, with a secret of its own choice."""
    cookie = _sign_in_as_administrator(provider.origin, provider.server)
    _create(provider.origin, cookie, "client/?source=database", _client(client, scopes))


def add_web_client(provider: Glewlwyd, client: Client, redirect_uri: str, scopes: list[str]) -> None:
    """A client whose users sign in by the provider's own pages, which need scripts."""
    cookie = _sign_in_as_administrator(provider.origin, provider.server)
    how = {"redirect_uri": [redirect_uri], "authorization_type": ["code"]}
    _create(provider.origin, cookie, "client/?source=database", {**_client(client, scopes), **how})


def add_user(provider: Glewlwyd, name: str, scopes: list[str]) -> None:
    """Somebody with the password of all."""
    cookie = _sign_in_as_administrator(provider.origin, provider.server)
    _create(provider.origin, cookie, "user/", _user(name, scopes))


def missing() -> str | None:
    """Why glewlwyd cannot be started, in words; `None` when it can."""
    if shutil.which("glewlwyd") is None or not SCHEMA.is_file():
        return "the Debian package glewlwyd is not installed: tests/run does it"
    return None


@contextmanager
def start(folder: Path) -> Iterator[Glewlwyd]:
    """A provider that keeps everything it writes in `folder` and ends with the block."""
    origin = f"http://127.0.0.1:{free_port()}"
    with sqlite3.connect(folder / "glewlwyd.db") as database:
        database.executescript(SCHEMA.read_text())
    database.close()
    _lay_out_pages(folder / "webapp")
    (folder / "glewlwyd.conf").write_text(_configuration(origin, folder))
    with run(COMMAND, folder=folder) as server:
        provider = Glewlwyd(
            origin=origin,
            client=Client(client_id="orders-app"),
            introspector=Client(client_id="gateway"),
            server=server,
        )
        _set_up(provider, _sign_in_as_administrator(origin, server))
        yield provider


@contextmanager
def start_again(provider: Glewlwyd) -> Iterator[None]:
    """The provider whose process is gone, at its old address and with all that it knew; for the time of the block."""
    with run(COMMAND, folder=provider.server.log.parent) as server:
        _sign_in_as_administrator(provider.origin, server)
        yield


def _lay_out_pages(folder: Path) -> None:
    # Debian's link to their settings leads to a folder; and what lies behind a link is not served.
    shutil.copytree(PAGES, folder, ignore=shutil.ignore_patterns(PAGES_SETTINGS.name))
    shutil.copy(PAGES_SETTINGS, folder)


def _configuration(origin: str, folder: Path) -> str:
    settings: dict[str, object] = {
        "external_url": origin,
        "port": int(origin.rpartition(":")[2]),
        "bind_address": "127.0.0.1",
        "api_prefix": "api",
        "login_url": "login.html",
        "static_files_path": f"{folder}/webapp/",
        "log_mode": "console",
        "log_level": "WARNING",
        "cookie_domain": "127.0.0.1",
        "session_key": "session",
        "session_expiration": 3600,
        "admin_scope": "g_admin",
        "profile_scope": "g_profile",
        "hash_algorithm": "SHA512",
    }
    for kind in ("user", "user_middleware", "client", "plugin"):
        settings[f"{kind}_module_path"] = f"{MODULES}/{kind}"
    settings["user_auth_scheme_module_path"] = f"{MODULES}/scheme"
    types = [f'{{ extension = "{end}"; mime_type = "{name}"; compress = 0; }}' for end, name in MEDIA_TYPES.items()]
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    lines.append(f"static_files_mime_types = ( {', '.join(types)} );")
    return "\n".join([*lines, f'database = {{ type = "sqlite3"; path = "{folder}/glewlwyd.db"; }};', ""])


def _sign_in_as_administrator(origin: str, server: Running) -> str:
    """The session cookie of the administrator whom the schema comes with."""

    def sign_in() -> Answer | None:
        try:
            return ask("POST", f"{origin}/api/auth/", document={"username": "admin", "password": "password"})
        except ConnectionError:
            return None

    return str(server.wait_for(sign_in).headers["Set-Cookie"]).partition(";")[0]


def _set_up(provider: Glewlwyd, cookie: str) -> None:
    create = partial(_create, provider.origin, cookie)
    for scope in SCOPES:
        create("scope/", _scope(scope))
    create("mod/plugin/", _plugin(provider.issuer))
    create("client/?source=database", _client(provider.client, ["read", "write"]))
    create("client/?source=database", _client(provider.introspector, ["introspect"]))
    create("user/", _user(USER, ["read", "write"]))


def _create(origin: str, cookie: str, path: str, document: Mapping[str, Any]) -> None:
    answer = ask("POST", f"{origin}/api/{path}", headers={"Cookie": cookie}, document=document)
    assert answer.status == 200, f"{path}: {answer.status} {answer.body.decode()[:500]}"


def _user(name: str, scopes: list[str]) -> dict[str, Any]:
    return {"username": name, "password": PASSWORD, "name": name, "scope": scopes, "enabled": True}


def _scope(name: str) -> dict[str, Any]:
    described = {"name": name, "display_name": name, "description": name}
    return {**described, "password_required": True, "password_max_age": 0, "scheme": {}}


def _client(client: Client, scopes: list[str]) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "name": client.client_id,
        "token_endpoint_auth_method": [client.authentication],
        "confidential": True,
        "enabled": True,
        "redirect_uri": [],
        "authorization_type": ["client_credentials", "password", "refresh_token"],
        "scope": scopes,
    }


def _plugin(issuer: str) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    allowed = ["auth-type-client", "auth-type-code", "auth-type-password", "auth-type-refresh"]
    parameters = {
        "iss": issuer,
        "jwt-type": "rsa",
        "jwt-key-size": "256",
        "key": private.decode(),
        "cert": key.public_key().public_bytes(pem, public).decode(),
        "access-token-duration": 600,
        "refresh-token-duration": 86400,
        "code-duration": 60,
        "allow-non-oidc": True,
        "pkce-allowed": True,
        "oauth-dpop-allowed": True,
        "oauth-dpop-iat-duration": 60,
        "jwks-show": True,
        "introspection-revocation-allowed": True,
        "introspection-revocation-allow-target-client": True,
        "introspection-revocation-auth-scope": ["introspect"],
        "register-client-allowed": True,
        "register-client-auth-scope": [],
        "register-client-credentials-scope": ["read"],
        "register-client-management-allowed": True,
        **{f"{name}-enabled": True for name in allowed},
    }
    return {"module": "oidc", "name": "oidc", "display_name": "oidc", "enabled": True, "parameters": parameters}
