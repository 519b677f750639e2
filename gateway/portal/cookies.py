"""Our cookies: for this host only, out of reach of scripts, and not sent with forms of other sites."""

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Cookies:
    """`secure` is false on this machine only, where there may be no TLS."""

    secure: bool

    def name(self, cookie: str) -> str:
        """How the cookie is called. The prefix makes browsers refuse it from other hosts, subdomains and http."""
        return f"__Host-tokenward-{cookie}" if self.secure else f"tokenward-{cookie}"

    def read(self, request: web.Request, cookie: str) -> str:
        """What the browser sent; empty where it sent none."""
        return request.cookies.get(self.name(cookie), "")

    def set(self, response: web.StreamResponse, cookie: str, value: str, *, max_age: int | None = None) -> None:
        """Let the browser keep it, for so many seconds or until it is closed."""
        response.set_cookie(
            self.name(cookie), value, max_age=max_age, path="/", secure=self.secure, httponly=True, samesite="Lax"
        )

    def drop(self, response: web.StreamResponse, cookie: str) -> None:
        """Let the browser forget it."""
        self.set(response, cookie, "", max_age=0)
