"""The API on the admin listener, behind its guards: what was sent is read, and what comes of it is written."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from gateway.clients.mistakes import Invalid
from gateway.clients.registry import Registry
from gateway.clients_api.bodies import Asked
from gateway.clients_api.desk import Desk
from gateway.clients_api.document import UUID, document
from gateway.clients_api.routes import OPERATIONS, ROOT, Operation
from gateway.ports import Clock
from gateway.wording import tell

LONGEST_BODY = 262_144
"""An application with as many redirect URIs as it may have is about a fifth of it."""
LONGEST_PLACE = 200


class ClientsApi:
    """What `gateway.admin.Admin` serves below `/api/`. Refusals are raised as `Registry` raises them."""

    longest_body = LONGEST_BODY

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._desk = Desk(registry, clock)

    def routes(self) -> Iterator[web.RouteDef]:
        """Its routes, each of which needs the admin listener's guards in front of it."""
        id_ = f"{{id:{UUID.strip('^$')}}}"
        for operation in OPERATIONS:
            path = ROOT + operation.path.replace("{id}", id_)
            yield web.route(operation.method, path, self._handler(operation))
        yield web.get(f"{ROOT}/openapi.json", _show_document, allow_head=False)

    def _handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            asked = await _asked(operation, request)
            said = await operation.handle(self._desk, request.match_info.get("id", ""), asked)
            if said is None:
                return web.Response(status=operation.status)
            headers = {"Location": ROOT + said.place()} if operation.status == 201 else None
            text = said.model_dump_json()
            return web.Response(status=operation.status, text=text, content_type="application/json", headers=headers)

        return handle


async def _show_document(_: web.Request) -> web.Response:
    return web.json_response(document())


async def _asked(operation: Operation, request: web.Request) -> Asked:
    """What was sent, as a model. Raises `Invalid` with a sentence that repeats no value of it."""
    try:
        if operation.by_query:
            return operation.takes.model_validate_strings(_query(request))
        return operation.takes.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        raise Invalid(_told(error, operation.takes), "body_invalid") from None


def _query(request: web.Request) -> Mapping[str, str]:
    counted = Counter(name for name, _ in request.query.items())
    repeated = sorted(name for name, times in counted.items() if times > 1)
    if repeated:
        raise Invalid(f"{_place(repeated[:1])}: stands in the query more than once.", "body_invalid")
    return dict(request.query)


def _told(error: ValidationError, model: type[Asked]) -> str:
    schema: Mapping[str, Any] = model.model_json_schema()
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return "The body is no JSON."
    return f"{_place(first['loc'])}: {tell(first, schema)}."


def _place(path: Any) -> str:
    """Where in what was sent; its names may be anything."""
    if not path:
        return "The body"
    return json.dumps(".".join(map(str, path))[:LONGEST_PLACE], ensure_ascii=True)[1:-1]
