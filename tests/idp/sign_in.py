"""A user's sign-in to a client by authorization code with PKCE (RFC 7636), through the provider's own pages."""

import base64
import hashlib
import html
import re
import secrets
from email.message import Message
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from tests.idp.clients import CALLBACK, Client
from tests.idp.provider import Tokens
from tests.idp.wire import Answer, ask

MOST_STEPS = 12


class Browser:
    """Follows redirects, keeps cookies and fills in the two forms: who you are, and that you agree."""

    def __init__(self, login: str) -> None:
        self._login = login
        self._cookies: dict[str, str] = {}

    def open(self, url: str, *, until: str) -> str:
        """The address that starts with `until`, where the provider finally sends the browser."""
        answer = self._send("GET", url)
        for _ in range(MOST_STEPS):
            if location := answer.headers.get("Location"):
                url = urljoin(url, location)
                if url.startswith(until):
                    return url
                answer = self._send("GET", url)
            else:
                url, fields = self._fill_in(url, answer.body.decode())
                answer = self._send("POST", url, fields)
        raise AssertionError(f"the sign-in did not come to an end: {answer.status} at {urlsplit(url).path}")

    def _fill_in(self, url: str, page: str) -> tuple[str, dict[str, str]]:
        action = re.search(r'action="([^"]+)"', page)
        prompt = re.search(r'name="prompt" value="([^"]+)"', page)
        assert action, f"there is no form at {urlsplit(url).path}: {page[:500]}"
        assert prompt
        fields = {"prompt": prompt[1]}
        if prompt[1] == "login":
            fields |= {"login": self._login, "password": "any will do"}
        return urljoin(url, html.unescape(action[1])), fields

    def _send(self, method: str, url: str, form: dict[str, str] | None = None) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        answer = ask(method, url, headers={"Cookie": cookies}, form=form)
        self._remember(answer.headers)
        return answer

    def _remember(self, headers: Message) -> None:
        for cookie in headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value


def sign_in(issuer: str, client: Client, *, login: str, scope: str, audience: str) -> Tokens:
    """Sign in at the provider; an audience of "" asks for a token without one."""
    verifier = secrets.token_urlsafe(32)
    resource = {"resource": audience} if audience else {}
    request = {
        "client_id": client.client_id,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": scope,
        "prompt": "consent",
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        **resource,
    }
    landed = Browser(login).open(f"{issuer}/auth?{urlencode(request)}", until=CALLBACK)
    code = parse_qs(urlsplit(landed).query)["code"][0]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier}
    answer = ask("POST", f"{issuer}/token", headers=client.headers(), form={**grant, **resource}).json()
    return Tokens(answer["access_token"], answer.get("refresh_token", ""), answer.get("id_token", ""))
