"""What can be asked for: all APIs, one of them, its OpenAPI document. For everybody."""

from functools import lru_cache

from aiohttp import web

from gateway.clients.catalogue import Api
from gateway.clients.mistakes import NotFound
from gateway.portal.pages import openapi
from gateway.portal.pages.api_view import api_view, listed
from gateway.portal.visits import Page, Visit

# Documents come from the configuration and are few; a large one takes longer to parse than all else on its page.
_read = lru_cache(maxsize=64)(openapi.read)


async def show_catalogue(visit: Visit) -> web.Response:
    """The first page of the portal."""
    return visit.render("catalogue.html", apis=listed(visit.parts.catalogue))


async def show_api(visit: Visit) -> web.Response:
    """All about one API."""
    api = _api(visit)
    description = None if api.openapi is None else _read(api.openapi)
    return visit.render("api.html", api=api_view(api, visit.parts.catalogue), openapi=description)


async def send_openapi(visit: Visit) -> web.Response:
    """The document as it was configured, to keep."""
    api = _api(visit)
    if api.openapi is None:
        raise NotFound("document")
    description = _read(api.openapi)
    name = description.file_name if description else "openapi.txt"
    answer = web.Response(text=api.openapi, content_type=description.media_type if description else "text/plain")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _api(visit: Visit) -> Api:
    """The API; one that is not listed is shown to those who decide, and to nobody else."""
    api = visit.parts.catalogue.apis.get(visit.value("api"))
    decides = visit.visitor is not None and visit.visitor.decides
    if api is None or not (api.listed or decides):
        raise NotFound("API")
    return api


PAGES = (
    Page("GET", "/", show_catalogue, public=True),
    Page("GET", "/apis/{api}", show_api, public=True),
    Page("GET", "/apis/{api}/openapi", send_openapi, public=True),
)
