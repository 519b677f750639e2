"""A browser as far as the portal needs one: it keeps cookies, and sends forms as browsers do."""

import re
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import aiohttp
from multidict import CIMultiDictProxy

MOST_STEPS = 12


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer."""

    url: str
    status: int
    headers: CIMultiDictProxy[str]
    text: str = field(repr=False)

    @property
    def location(self) -> str:
        """Where it leads, in full."""
        return urljoin(self.url, self.headers["Location"])

    @property
    def returned(self) -> dict[str, str]:
        """The parameters of where it leads."""
        return dict(parse_qsl(urlsplit(self.location).query))

    @property
    def csrf(self) -> str:
        """The token in its first form."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        assert found, self.text
        return unescape(found[1])


class Browser:
    """One person's. `origin` is the portal's."""

    def __init__(self, session: aiohttp.ClientSession, origin: str) -> None:
        self._session = session
        self.origin = origin
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []
        """As the last answer had them."""

    async def get(self, path: str, **headers: str) -> Shown:
        """A page; redirects are not followed."""
        return await self.send("GET", path, headers)

    async def post(self, path: str, form: dict[str, str], **headers: str) -> Shown:
        """A form of a page of ours, with the headers of `headers` in place of a browser's."""
        usual = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        body = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.send("POST", path, usual | body | headers, urlencode(form))

    async def send(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> Shown:
        """Anything; headers without a value are not sent."""
        url = urljoin(self.origin, path)
        cookie = (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        )
        sent = {name.replace("_", "-"): value for name, value in (cookie | headers).items() if value}
        asking = self._session.request(method, url, headers=sent, data=body, allow_redirects=False)
        async with asking as response:
            self._remember(response.headers.getall("Set-Cookie", []))
            return Shown(url, response.status, response.headers, await response.text())

    async def submit(self, page: str, action: str, **fields: str) -> Shown:
        """Open a page, and send its form there."""
        shown = await self.get(page)
        return await self.post(action, {"csrf": shown.csrf, **fields})

    def _remember(self, set_cookies: list[str]) -> None:
        self.set_cookies = set_cookies
        for line in set_cookies:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
