"""A scriptable identity provider on loopback: introspection, keys and metadata, each of which can be made to fail."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.faulty_server import Conversation, FaultyServer, Received, Verb, answer, document, faulty_server, hang_up
from tests.policies.token_enforcement.signing import Signer
from tests.policies.token_enforcement.signing import document as key_document

INTROSPECTION = "/introspect"
KEYS = "/keys"
METADATA = "/.well-known/openid-configuration"


class IdentityProvider:
    """Says of each token what `says` holds, and `active: false` of all others; shows the keys of its signers."""

    def __init__(self, server: FaultyServer, *signers: Signer) -> None:
        self.says: dict[str, Mapping[str, object]] = {}
        self.server = server
        self._faults: dict[str, Verb] = {}
        self._keys = b""
        self.shows(*signers)
        server.script = [self._answer]

    @property
    def issuer(self) -> str:
        return self.server.url

    def url(self, path: str) -> str:
        return f"{self.server.url}{path}"

    def shows(self, *signers: Signer) -> None:
        """From now on these are its keys."""
        self._keys = key_document(*(signer.jwk for signer in signers))

    def fails(self, path: str, verb: Verb | None = None) -> None:
        """From now on every request for that path is answered so; without a verb, by closing the connection."""
        self._faults[path] = verb or hang_up()

    def recovers(self) -> None:
        """From now on everything is answered as it should be."""
        self._faults.clear()

    def asked(self, path: str = INTROSPECTION) -> list[Received]:
        """The requests for that path, in order."""
        return [received for received in self.server.received if received.target == path]

    async def _answer(self, conversation: Conversation) -> None:
        path = conversation.received.target
        verb = self._faults.get(path)
        await (verb or self._well(path, conversation.received))(conversation)

    def _well(self, path: str, received: Received) -> Verb:
        match path:
            case "/introspect":
                return document(self.says.get(received.form.get("token", ""), {"active": False}))
            case "/keys":
                return answer(self._keys)
            case "/.well-known/openid-configuration":
                return document(self.metadata)
        return document({"error": "not_found"}, status=404)

    @property
    def metadata(self) -> dict[str, object]:
        """What it publishes about itself."""
        return {
            "issuer": self.issuer,
            "introspection_endpoint": self.url(INTROSPECTION),
            "jwks_uri": self.url(KEYS),
            "token_endpoint": self.url("/token"),
            "authorization_endpoint": self.url("/authorize"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }


@asynccontextmanager
async def identity_provider(*signers: Signer) -> AsyncIterator[IdentityProvider]:
    """An identity provider that runs until the end of the block."""
    async with faulty_server(hang_up()) as server:
        yield IdentityProvider(server, *signers)
