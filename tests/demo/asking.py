"""Requests to the development identity provider, and what it answered."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import aiohttp
from multidict import CIMultiDictProxy

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
"""The example of RFC 7636, appendix B."""
RETURN_TO = "http://127.0.0.1:4009/callback"

Form = dict[str, str] | list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: Any
    """Parsed where it is JSON."""

    @property
    def returned(self) -> dict[str, str]:
        """The parameters that a redirect carries back."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.headers["Location"]).query).items()}


class Ask:
    """Asks one provider."""

    def __init__(self, session: aiohttp.ClientSession, issuer: str) -> None:
        self._session = session
        self.issuer = issuer

    async def __call__(self, method: str, path: str, **options: Any) -> Answer:
        url = path if path.startswith("http") else self.issuer + path
        async with self._session.request(method, url, allow_redirects=False, **options) as response:
            text = await response.text()
            body = await response.json() if response.content_type == "application/json" else text
            return Answer(response.status, response.headers, body)

    async def post(self, path: str, form: Form, client: tuple[str, str] | None = None) -> Answer:
        """A form, from a client that authenticates with HTTP Basic where one is given."""
        return await self("POST", path, data=form, headers=basic(*client) if client else {})

    async def introspect(self, token: str, **form: str) -> Answer:
        return await self.post("/introspect", {"token": token, **form}, ("gateway", "gateway-secret"))

    async def is_active(self, token: str) -> bool:
        """What introspection says of a token; an access token that is active, or anything else."""
        answer = await self.introspect(token)
        assert answer.status == 200
        active = answer.body["active"]
        assert isinstance(active, bool)
        return active

    async def log_in(self, client_id: str = "web", name: str = "alice", **parameters: str) -> Answer:
        """Open the login page, and send its form: the answer leads back to the client."""
        query = authorization_request(client_id, **parameters)
        page = await self("GET", "/authorize", params=query)
        assert page.status == 200, page.body
        return await self("POST", "/authorize", params=query, data={"name": name, "decision": "allow"})

    async def exchange(self, code: str, client_id: str = "web", **form: str) -> Answer:
        """The tokens of a public client for its code."""
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": RETURN_TO}
        return await self.post("/token", {**asked, "code_verifier": VERIFIER, "client_id": client_id, **form})

    async def tokens(self, client_id: str = "web", name: str = "alice", **parameters: str) -> dict[str, Any]:
        """A whole login, down to the tokens."""
        back = await self.log_in(client_id, name, **parameters)
        answer = await self.exchange(back.returned["code"], client_id)
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body


def basic(client_id: str, secret: str) -> dict[str, str]:
    """RFC 6749, 2.3.1: both are form-encoded before they are put together."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def challenge(verifier: str = VERIFIER) -> str:
    """S256 (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorization_request(client_id: str = "web", **parameters: str) -> dict[str, str]:
    """The parameters of a login that works; one that is given empty is left out."""
    request = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": RETURN_TO,
        "scope": "openid orders.read",
        "state": "xyz",
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
        **parameters,
    }
    return {name: value for name, value in request.items() if value}
