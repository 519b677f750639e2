"""A request as Authlib wants it: read and parsed before, since its core is synchronous."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from authlib.oauth2.rfc6749 import InvalidRequestError, JsonRequest, OAuth2Payload, OAuth2Request
from multidict import CIMultiDictProxy

REPEATABLE = frozenset({"resource"})
"""RFC 8707, 2: "Multiple resource parameters MAY be used"."""

Parsed = list[tuple[str, str]]


class Parameters(OAuth2Payload):
    """The parameters of a request. One that has no value counts as absent (RFC 6749, 3.1 and 3.2)."""

    def __init__(self, pairs: Parsed) -> None:
        self._many: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            if value:
                self._many[name].append(value)
        self._first = {name: values[0] for name, values in self._many.items()}

    @property
    def data(self) -> dict[str, str]:
        return self._first

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._many

    def refuse_repetition(self) -> None:
        """RFC 6749, 3.1 and 3.2: "Request and response parameters MUST NOT be included more than once."""
        for name, values in self._many.items():
            if len(values) > 1 and name not in REPEATABLE:
                raise InvalidRequestError("A parameter is repeated.")


class FormRequest(OAuth2Request):
    """A request whose parameters are those of a form, or of the query of an authorization request."""

    def __init__(self, method: str, uri: str, headers: CIMultiDictProxy[str], parameters: Parameters) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = parameters

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data

    @property
    def resources(self) -> tuple[str, ...]:
        """What the token is wanted for (RFC 8707)."""
        return tuple(dict.fromkeys(self.payload.datalist.get("resource", ())))


class JsonBody:
    """The members of a JSON object; `null` counts as absent (RFC 7592, 2.2)."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = {name: value for name, value in data.items() if value is not None}


class JsonObjectRequest(JsonRequest):
    """A request whose body is a JSON object."""

    def __init__(self, method: str, uri: str, headers: CIMultiDictProxy[str], data: Mapping[str, Any]) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = JsonBody(data)


async def read_form(request: web.Request) -> Parameters:
    """The parameters of a form body; any other body has none. Raises InvalidRequestError when it is not UTF-8."""
    body = await request.read()
    if request.content_type != "application/x-www-form-urlencoded":
        return Parameters([])
    try:
        return Parameters(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except ValueError as error:
        raise InvalidRequestError("The body is not a form in UTF-8.") from error


def read_query(request: web.Request) -> Parameters:
    """The parameters of the query."""
    return Parameters(list(request.query.items()))
