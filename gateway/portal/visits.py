"""What pages are written with: a page, a visit to it, and who visits.

A page is a function and an entry in a sequence:

    async def show_application(visit: Visit) -> web.Response:
        client = await visit.parts.registry.client(visit.value("id"), by=visit.actor)
        return visit.render("application.html", client=client)

    async def delete_application(visit: Visit) -> web.Response:
        await visit.parts.registry.delete(visit.value("id"), by=visit.actor, reason=visit.field("reason"))
        return visit.go("/applications")

    PAGES = (
        Page("GET", "/applications/{id}", show_application),
        Page("POST", "/applications/{id}/delete", delete_application),
    )

Nobody reaches a page without having signed in, unless it says `public=True`; a POST, never. Every POST takes a form
with the field `csrf` (in templates: `<input type="hidden" name="csrf" value="{{ csrf }}">`) from a page of ours. None
of that is the page's business, nor are rate limits. A page lets a `Refusal` of the registry pass, or shows it beside
its form; what it lets pass becomes an error page with the refusal's status and sentence. `Unavailable` becomes 503.

Templates know `portal_title`, `visitor` (or `None`), `csrf`, `path` (of this page) and `static("style.css")`,
which is where a file of `static/` is served.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from aiohttp import web
from multidict import MultiDict, MultiMapping

from gateway.clients.catalogue import Catalogue, LimitLeft
from gateway.clients.client import Actor, Person
from gateway.clients.registry import Registry
from gateway.operations import Whose
from gateway.policy import Headers
from gateway.portal.rendering import Rendering
from gateway.ports import Clock
from gateway.providers.registration import Registration
from gateway.providers.status import ProviderStatus
from gateway.settings.portal import PortalSettings

NO_FORM: MultiMapping[str] = MultiDict()


@dataclass(frozen=True, slots=True)
class Ending:
    """Why there is no page: the error page says so."""

    status: int
    sentence: str
    """Ours, never input."""
    headers: Headers = ()


class Stop(Exception):
    """The visit ends here, with an error page."""

    def __init__(self, ending: Ending, *headers: tuple[str, str]) -> None:
        super().__init__(ending.sentence)
        self.ending = ending
        self.headers = (*ending.headers, *headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who signed in."""

    person: Person
    decides: bool
    """Whether this is an owner of APIs, as it was at sign-in."""
    csrf: str = field(repr=False)
    """For the forms of this very page."""

    @property
    def actor(self) -> Actor:
        """For the registry."""
        return Actor(person=self.person, decides=self.decides)


async def _unknown(_: str, /) -> str | None:
    return None


async def _none_counted(_: Whose) -> tuple[LimitLeft, ...]:
    return ()


async def _none_known() -> tuple[ProviderStatus, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What pages work with."""

    options: PortalSettings
    registry: Registry
    clock: Clock
    token_endpoint: Callable[[str], Awaitable[str | None]] = _unknown
    """Where clients of that provider get tokens, if it is known: for the command that developers copy."""
    provider_statuses: Callable[[], Awaitable[tuple[ProviderStatus, ...]]] = _none_known
    """How the providers are doing, for owners of APIs."""
    limits_left: Callable[[Whose], Awaitable[tuple[LimitLeft, ...]]] = _none_counted
    """What is left of the limits of a contract, where they are counted."""
    rendering: Rendering = field(default_factory=Rendering)

    @property
    def catalogue(self) -> Catalogue:
        """What may be asked for now: a reload changes it."""
        return self.registry.catalogue

    @property
    def registrations(self) -> Mapping[str, Registration]:
        """What may be chosen for clients of each provider."""
        return {name: registrar.registration for name, registrar in self.registry.registrars.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request for a page. Whether it may be made has been looked at."""

    request: web.Request
    parts: Parts
    visitor: Visitor | None = None
    """`None` on public pages only, for whom we do not know."""
    form: MultiMapping[str] = field(default_factory=lambda: NO_FORM, repr=False)
    """The fields of a POST."""

    @property
    def actor(self) -> Actor:
        """Who visits, for the registry. Not for public pages: raises RuntimeError there, for whom we do not know."""
        if self.visitor is None:
            raise RuntimeError("nobody has signed in")
        return self.visitor.actor

    def value(self, name: str) -> str:
        """What stands in the path for `{name}`."""
        return self.request.match_info[name]

    def query(self, name: str) -> str:
        """A parameter of the query without white space around it; empty where there is none."""
        return self.request.query.get(name, "").strip()

    def field(self, name: str) -> str:
        """A field of the form without white space around it; empty where there is none."""
        return self.form.get(name, "").strip()

    def fields(self, name: str) -> tuple[str, ...]:
        """All values of a field of the form, as they were sent."""
        return tuple(self.form.getall(name, ()))

    def render(self, template: str, /, *, status: int = 200, **values: object) -> web.Response:
        """A page made of a file of `templates/`."""
        common: Mapping[str, object] = {
            "portal_title": self.parts.options.title,
            "visitor": self.visitor,
            "csrf": "" if self.visitor is None else self.visitor.csrf,
            "path": self.request.path,
        }
        text = self.parts.rendering.page(template, {**common, **values})
        return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")

    def go(self, path: str) -> web.Response:
        """On to another page of ours, after a change (RFC 9110, 15.4.4). `path` is ours, never input."""
        return web.Response(status=303, headers={"Location": path})


Handler: TypeAlias = Callable[[Visit], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or what a form of one leads to."""

    method: Literal["GET", "POST"]
    path: str
    """As aiohttp writes it: `/applications/{id}`."""
    handler: Handler
    public: bool = field(default=False, kw_only=True)
    """Whether it is shown to whoever comes; for GET only."""

    def __post_init__(self) -> None:
        if self.public and self.method != "GET":
            raise ValueError(f"{self.method} {self.path} changes something: it is not for everybody")
