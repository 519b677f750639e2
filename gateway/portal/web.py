"""The portal as a web application: who may open which page, and how a page says no."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from aiohttp import web

from gateway.clients.mistakes import Refusal
from gateway.headers import Forwarding
from gateway.policy import Unavailable, place_of
from gateway.portal import forms
from gateway.portal.answer_headers import answer_headers
from gateway.portal.rates import Limiter
from gateway.portal.reception import BACK_CHANNEL, SIGN_IN, SIGNED_IN, Reception
from gateway.portal.rendering import StaticFile
from gateway.portal.sessions import Sessions, SignedIn
from gateway.portal.visits import NO_FORM, Ending, Page, Parts, Stop, Visit, Visitor
from gateway.settings.portal import Rates

log = logging.getLogger(__name__)

LONGEST_BODY = 65_536
"""Bytes of a form."""
LONGEST_TARGET = 4096
"""Bytes of a path with its query."""

MISDIRECTED = Ending(421, "This is not the address of the portal.")
TOO_LONG = Ending(414, "This address is too long.")
NOT_HERE = Ending(404, "There is no such page.")
METHOD = Ending(405, "This page does not take that.")
TOO_LARGE = Ending(413, "That was too much at once.")
NO_FORM_OF_OURS = Ending(400, "This was not sent by a page of the portal. Open the page again, and send it anew.")
SESSION_ENDED = Ending(403, "You are not signed in any more. Sign in, and send it anew.")
TOO_MANY = Ending(429, "That was too often. Wait a moment.")
MALFORMED = Ending(400, "The portal cannot read this.")
AWAY = Ending(503, "The portal cannot do this right now. Try again in a moment.")
BROKEN = Ending(500, "Something went wrong in the portal. It has been noted.")
_ENDINGS = {400: MALFORMED, 404: NOT_HERE, 405: METHOD, 413: TOO_LARGE, 414: TOO_LONG}

VISITOR: web.RequestKey[Visitor | None] = web.RequestKey("visitor", Visitor)
"""For the error page, once it is known."""

_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(parts: Parts, pages: Sequence[Page], sessions: Sessions, reception: Reception) -> web.Application:
    """The portal with these pages. Whatever they are: each is guarded here, and none has to see to it."""
    return _Site(parts, sessions, reception).application(pages)


class _Site:
    def __init__(self, parts: Parts, sessions: Sessions, reception: Reception) -> None:
        self._parts = parts
        self._sessions = sessions
        self._reception = reception
        self._limiter = Limiter(parts.clock)
        self._origin = parts.options.origin
        self._host = urlsplit(self._origin).netloc.lower()
        self._headers = answer_headers(self._origin)
        self._forwarding = Forwarding(trusted=parts.options.trusted_proxies)

    def application(self, pages: Sequence[Page]) -> web.Application:
        app = web.Application(middlewares=[self._explain, self._guard], client_max_size=LONGEST_BODY)
        app.on_response_prepare.append(self._finish)
        # Not for HEAD: what only looks ahead must not use up a code.
        for page in self._reception.pages:
            app.router.add_route(page.method, page.path, self._guarded(page))
        for page in pages:
            add = app.router.add_get if page.method == "GET" else app.router.add_post
            add(page.path, self._guarded(page))
        for each in self._parts.rendering.static.values():
            app.router.add_route("GET", each.path, _served(each))
        # Not a page, and the only POST that nobody signs in for: the provider itself comes, with a token it signed.
        app.router.add_route("POST", BACK_CHANNEL, self._reception.hear_logout)
        return app

    # Who may

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Next) -> web.StreamResponse:
        """What holds for every request, whatever it is for."""
        if [host.lower() for host in request.headers.getall("Host", [])] != [self._host]:
            raise Stop(MISDIRECTED)
        if len(request.raw_path) > LONGEST_TARGET:
            raise Stop(TOO_LONG)
        self._count_all(request, self._parts.options.rates)
        return await handler(request)

    def _count_all(self, request: web.Request, rates: Rates) -> None:
        address = self._address(request)
        if request.path == BACK_CHANNEL:
            # One provider speaks for all whom it signs out.
            self._count("logouts", address, 10 * rates.requests)
            return
        self._count("requests", address, rates.requests)
        if request.path in {SIGN_IN, SIGNED_IN}:
            self._count("sign_ins", address, rates.sign_ins)
        if request.method == "POST":
            self._count("changes", address, 2 * rates.changes)

    def _count(self, what: str, who: str, per_minute: int) -> None:
        seconds = self._limiter.wait(what, who, per_minute)
        if seconds:
            raise Stop(TOO_MANY, ("Retry-After", str(seconds)))

    def _address(self, request: web.Request) -> str:
        peer = request.remote or ""
        journey = self._forwarding.follow(request.raw_headers, peer=peer, scheme=request.scheme, host="")
        return place_of(journey.caller_ip)

    def _guarded(self, page: Page) -> _Next:
        """The page, for those who may open it."""

        async def answer(request: web.Request) -> web.StreamResponse:
            found = await self._sessions.find(request)
            if found is None and not page.public:
                return self._turn_away(request)
            visitor = request[VISITOR] = _visitor(found)
            form = NO_FORM
            if page.method == "POST" and found is not None:
                self._count("session_changes", found.digest.hex(), self._parts.options.rates.changes)
                form = await self._form(request, found)
            return await page.handler(Visit(request=request, parts=self._parts, visitor=visitor, form=form))

        return answer

    def _turn_away(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            raise Stop(SESSION_ENDED)
        return web.Response(status=303, headers={"Location": f"{SIGN_IN}?to={quote(request.raw_path, safe='')}"})

    async def _form(self, request: web.Request, found: SignedIn) -> forms.Fields:
        """The fields of a form that a page of ours made for this very session."""
        if not forms.comes_from(request.headers, self._origin):
            raise Stop(NO_FORM_OF_OURS)
        try:
            fields = forms.fields(request.headers, await request.read())
        except forms.NotAForm:
            raise Stop(NO_FORM_OF_OURS) from None
        if not forms.is_token(fields.get("csrf", ""), found.csrf):
            raise Stop(NO_FORM_OF_OURS)
        return fields

    # How it says no

    @web.middleware
    async def _explain(self, request: web.Request, handler: _Next) -> web.StreamResponse:
        """Every answer of 400 and above as a page; a failure tells nothing of its cause."""
        try:
            async with asyncio.timeout(self._parts.options.timeout):
                return await handler(request)
        except Stop as stop:
            return self._page(request, stop)
        except Refusal as refusal:
            wait = (("Retry-After", "60"),) if refusal.status == TOO_MANY.status else ()
            return self._page(request, Stop(Ending(refusal.status, refusal.detail, wait)))
        except Unavailable as failure:
            log.warning("a page cannot be shown: %s (%s)", failure.detail, failure.code)
            return self._page(request, Stop(AWAY, ("Retry-After", str(failure.retry_after))))
        except TimeoutError:
            log.warning("a page took longer than %s seconds", self._parts.options.timeout)
            return self._page(request, Stop(AWAY, ("Retry-After", "5")))
        except web.HTTPException as error:
            return self._page(request, _translated(error))
        except Exception:
            log.exception("a page failed")
            return self._page(request, Stop(BROKEN))

    def _page(self, request: web.Request, stop: Stop) -> web.Response:
        visit = Visit(request=request, parts=self._parts, visitor=request.get(VISITOR))
        status = stop.ending.status
        heading = HTTPStatus(status).phrase
        answer = visit.render("error.html", status=status, heading=heading, sentence=stop.ending.sentence)
        answer.headers.extend(stop.headers)
        return answer

    async def _finish(self, _: web.Request, response: web.StreamResponse) -> None:
        for name, value in self._headers:
            response.headers.setdefault(name, value)
        response.headers["Server"] = "tokenward"


def _visitor(found: SignedIn | None) -> Visitor | None:
    if found is None:
        return None
    return Visitor(person=found.person, decides=found.decides, csrf=forms.token(found.csrf))


def _translated(error: web.HTTPException) -> Stop:
    """aiohttp's own refusals: an unknown path, a method that a path does not take, a body that is too large."""
    ending = _ENDINGS.get(error.status, MALFORMED)
    return Stop(ending, ("Allow", error.headers["Allow"])) if "Allow" in error.headers else Stop(ending)


def _served(each: StaticFile) -> _Next:
    async def answer(_: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": each.media_type, "Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(body=each.contents, headers=headers)

    return answer
