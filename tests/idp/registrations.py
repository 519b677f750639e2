"""The life of a registered client (RFC 7591, RFC 7592) at a running provider."""

from dataclasses import dataclass
from typing import Any

from tests.idp.clients import Client
from tests.idp.provider import IdentityProvider
from tests.idp.wire import Answer, ask

METADATA = {
    "client_name": "demo",
    "grant_types": ["client_credentials"],
    "redirect_uris": ["https://app.example.com/callback"],
    "response_types": [],
    "scope": "read",
    "software_id": "unheard-of",
    "token_endpoint_auth_method": "client_secret_basic",
}


@dataclass(frozen=True, slots=True)
class Registration:
    """What the provider answered when the client was registered."""

    record: dict[str, Any]

    @property
    def client(self) -> Client:
        return Client(client_id=self.record["client_id"], client_secret=self.record["client_secret"])

    def read(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._manage("GET").json()
        return answer

    def update(self) -> dict[str, Any]:
        document = {**METADATA, "client_id": self.record["client_id"], "client_name": "renamed"}
        answer: dict[str, Any] = self._manage("PUT", document).json()
        return answer

    def delete(self) -> Answer:
        return self._manage("DELETE")

    def _manage(self, method: str, document: object = None) -> Answer:
        permission = {"Authorization": f"Bearer {self.record['registration_access_token']}"}
        return ask(method, self.record["registration_client_uri"], headers=permission, document=document)


def register(provider: IdentityProvider) -> Registration:
    return Registration(provider.register(METADATA).json())


def status_of_a_registration(provider: IdentityProvider) -> object:
    return provider.register(METADATA).status


def fate_of_unknown_metadata(provider: IdentityProvider) -> object:
    return "kept" if "software_id" in register(provider).record else "dropped"


def what_a_read_repeats(provider: IdentityProvider) -> object:
    read = register(provider).read()
    return {"registration_access_token", "registration_client_uri", "client_secret"} & read.keys()


def authentication_method_as_read(provider: IdentityProvider) -> object:
    return register(provider).read()["token_endpoint_auth_method"]


def grant_types_as_read(provider: IdentityProvider) -> object:
    return register(provider).read()["grant_types"]


def what_an_update_replaces(provider: IdentityProvider) -> object:
    registration = register(provider)
    updated = registration.update()
    assert updated["client_name"] == "renamed"
    told = {"registration_access_token", "client_secret"} & updated.keys()
    return {name for name in told if updated[name] != registration.record[name]}


def status_of_a_deletion(provider: IdentityProvider) -> object:
    return register(provider).delete().status


def token_of_a_deleted_client(provider: IdentityProvider) -> object:
    registration = register(provider)
    token = provider.mint(client=registration.client)
    registration.delete()
    return provider.introspect(token).json()["active"]
