"""Coming and going: the pages that everybody reaches, by way of which people sign in and out."""

import logging
from collections.abc import Sequence
from typing import Protocol

from aiohttp import web
from multidict import MultiMapping

from gateway.policy import Unavailable
from gateway.portal import attempt, identity
from gateway.portal.attempt import Attempt
from gateway.portal.cookies import Cookies
from gateway.portal.forms import NotAForm, fields
from gateway.portal.openid import Granted, OpenId
from gateway.portal.return_address import return_address
from gateway.portal.sessions import Sessions, SessionStore, SignedIn, new_session
from gateway.portal.tokens import Doubtful, Logout
from gateway.portal.visits import Ending, Page, Stop, Visit
from gateway.ports import Clock
from gateway.settings.portal import PortalSettings

log = logging.getLogger(__name__)

COOKIE = "sign-in"
BACK_CHANNEL = "/back-channel-logout"
SIGN_IN = "/sign-in"
SIGNED_IN = "/signed-in"

# One answer to everything that is wrong with a way back: which part of it was, is nobody's business.
NOT_FINISHED = Ending(400, "This sign-in cannot be finished: it took too long, or did not begin here. Sign in again.")
DECLINED = Ending(403, "The identity provider did not sign you in.")
AWAY = frozenset({"server_error", "temporarily_unavailable"})
"""RFC 6749, 4.1.2.1: errors of a provider that cannot do its part."""


class ReceptionStore(SessionStore, Protocol):
    """What is kept of sessions, and of what may be used once. Raises `Unavailable`."""

    async def end_sessions_once(
        self, notice: str, until: float, provider: str, /, *, subject: str | None = None, sid: str | None = None
    ) -> int | None: ...

    async def used_once(self, kind: str, value: str, expires_at: float, /) -> bool: ...


class Reception:
    """Signs people in and out."""

    def __init__(
        self, options: PortalSettings, openid: OpenId, sessions: Sessions, store: ReceptionStore, clock: Clock
    ) -> None:
        self._options = options
        self._openid = openid
        self._sessions = sessions
        self._store = store
        self._clock = clock
        self._cookies = Cookies(secure=options.origin.startswith("https://"))

    @property
    def pages(self) -> Sequence[Page]:
        """What is reached with a browser."""
        return (
            Page("GET", SIGN_IN, self.begin, public=True),
            Page("GET", SIGNED_IN, self.finish, public=True),
            Page("POST", "/sign-out", self.leave),
            Page("GET", "/signed-out", self.left, public=True),
        )

    async def begin(self, visit: Visit) -> web.Response:
        """On to the provider."""
        to = visit.query("to")
        if visit.visitor is not None:
            return visit.go(return_address(to))
        begun = attempt.begin(to, self._clock.time())
        answer = visit.go(await self._openid.sign_in_url(begun))
        self._cookies.set(answer, COOKIE, begun.cookie, max_age=attempt.LIFETIME)
        return answer

    async def finish(self, visit: Visit) -> web.Response:
        """Back from the provider, with a code or without (RFC 6749, 4.1.2)."""
        try:
            begun = self._attempt(visit)
            await self._openid.check_answerer(visit.request.query.getall("iss", []))
            granted = await self._openid.redeem(_code(visit.request.query), begun)
            # The provider takes a code once. So do we take an attempt, should the provider be less careful.
            await self._use_once("sign_in", begun.state, begun.ends_at)
        except Doubtful as doubt:
            log.warning("a sign-in at the portal was not finished: %s", doubt.code)
            raise Stop(NOT_FINISHED) from None
        answer = visit.go(f"{self._options.origin}{begun.return_address}")
        await self._sessions.begin(visit.request, answer, self._signed_in(granted))
        self._cookies.drop(answer, COOKIE)
        return answer

    async def leave(self, visit: Visit) -> web.Response:
        """End the session here, and lead on to where the provider's ends.

        No redirect: it would be the answer to a form, and browsers that check where forms lead (form-action) would
        stop at the provider, or at the one behind it.
        """
        ended = await self._sessions.end(visit.request)
        url = await self._openid.sign_out_url("" if ended is None else ended.id_token)
        answer = _signed_out(visit, url)
        if url is not None:
            answer.headers["Refresh"] = f"0; url={url}"
        self._sessions.forget(answer)
        return answer

    async def left(self, visit: Visit) -> web.Response:
        """Back from signing out at the provider."""
        return _signed_out(visit, None)

    async def hear_logout(self, request: web.Request) -> web.Response:
        """The provider says that it ended a session (OpenID Connect Back-Channel Logout 1.0, 2.5 to 2.8)."""
        try:
            await self._end(await self._openid.logged_out(await _logout_token(request)))
        except Doubtful as doubt:
            log.warning("a logout token was refused: %s", doubt.code)
            # 2.8: 400, and the error may be told as OAuth does it.
            return web.json_response({"error": "invalid_request"}, status=400)
        return web.Response(status=200)

    async def _use_once(self, kind: str, value: str, until: float) -> None:
        if not await self._store.used_once(kind, value, until):
            raise Doubtful("replayed")

    async def _end(self, told: Logout) -> None:
        provider = self._options.sign_in.provider
        ended = await self._store.end_sessions_once(
            told.jti, told.forgotten_at, provider, subject=told.subject, sid=told.sid
        )
        if ended is None:
            raise Doubtful("replayed")
        log.info("the identity provider ended %d sessions of the portal", ended)

    def _attempt(self, visit: Visit) -> Attempt:
        """The attempt that this is the way back of. Raises `Doubtful`."""
        query = visit.request.query
        if any(len(query.getall(name)) > 1 for name in query):
            raise Doubtful("parameter_repeated")
        begun = attempt.resume(self._cookies.read(visit.request, COOKIE), self._clock.time())
        if begun is None:
            raise Doubtful("attempt_unknown")
        if not begun.is_for(query.get("state", "")):
            raise Doubtful("state")
        return begun

    def _signed_in(self, granted: Granted) -> SignedIn:
        options = self._options
        return new_session(
            person=identity.person(options.sign_in.provider, granted.subject, granted.claims),
            decides=identity.decides(options.owners, granted.claims, granted.scopes),
            sid=granted.sid,
            id_token=granted.id_token,
            now=self._clock.time(),
        )


def _code(query: MultiMapping[str]) -> str:
    """The code. Raises `Doubtful` without one, `Stop` and `Unavailable` where the provider says why there is none."""
    error = query.get("error", "")
    if error in AWAY:
        raise Unavailable("The identity provider cannot sign anybody in.", code="provider_answer")
    if error:
        raise Stop(DECLINED)
    code = query.get("code", "")
    if not code:
        raise Doubtful("code_missing")
    return code


async def _logout_token(request: web.Request) -> str:
    try:
        sent = fields(request.headers, await request.read()).getall("logout_token", [])
    except NotAForm:
        sent = []
    if len(sent) != 1:
        raise Doubtful("logout_token_missing")
    return sent[0]


def _signed_out(visit: Visit, url: str | None) -> web.Response:
    # Whoever was signed in is no more: the page must not greet them.
    return Visit(request=visit.request, parts=visit.parts).render("signed_out.html", provider_sign_out=url)
