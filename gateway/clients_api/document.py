"""The OpenAPI document of the API, made from its table and its models."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.clients_api import bodies
from gateway.clients_api.routes import OPERATIONS, ROOT, Operation
from gateway.clients_api.views import View

UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
"""What our ids look like."""
REFERENCE = "#/components/schemas/{model}"
JSON = "application/json"


class Problem(View):
    """A problem document (RFC 9457). `code` does not change from one version to the next."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(ROOT + operation.path, {})[operation.method.lower()] = _operation(operation)
    paths[f"{ROOT}/openapi.json"] = {"get": _itself()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Client management of Tokenward",
            "version": "1",
            "description": "Served by the admin listener, with its guards.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`admin.token`, where one is configured"},
                "intent": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Requested-With",
                    "description": "`tokenward`: for changes on loopback, where no token is configured",
                },
            },
        },
    }


def _schemas() -> dict[str, Any]:
    used = [(each.takes, "validation") for each in OPERATIONS if not each.by_query]
    given = [(each.gives, "serialization") for each in OPERATIONS if each.gives is not None]
    models: Iterable[Any] = dict.fromkeys([*used, *given, (Problem, "serialization")])
    _, schemas = models_json_schema(list(models), ref_template=REFERENCE)
    found: dict[str, Any] = schemas["$defs"]
    return found


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": [{"token": []}, {} if operation.method == "GET" else {"intent": []}],
        "responses": {str(operation.status): _success(operation)}
        | {str(status): _PROBLEM for status in sorted(operation.refusals)},
    }
    parameters = [*_path(operation), *_query(operation)]
    if parameters:
        described["parameters"] = parameters
    if not operation.by_query:
        described["requestBody"] = _body(operation.takes)
    return described


def _success(operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {"description": operation.summary}
    if operation.gives is not None:
        said["content"] = {JSON: {"schema": _reference(operation.gives)}}
    if operation.status == 201:
        said["headers"] = {"Location": {"required": True, "schema": {"type": "string"}}}
    return said


def _path(operation: Operation) -> list[dict[str, Any]]:
    if "{id}" not in operation.path:
        return []
    schema = {"type": "string", "format": "uuid", "pattern": UUID}
    return [{"name": "id", "in": "path", "required": True, "schema": schema}]


def _query(operation: Operation) -> list[dict[str, Any]]:
    if not operation.by_query:
        return []
    schema = operation.takes.model_json_schema()
    named = schema.get("properties", {})
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(part, schema)}
        for name, part in named.items()
    ]


def _plain(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value in a query, where nothing is null and nothing is defined elsewhere."""
    for choice in part.get("anyOf", ()):
        if choice.get("type") != "null":
            part = choice
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    return {name: value for name, value in part.items() if name not in {"title", "default", "description"}}


def _body(model: type[bodies.Asked]) -> dict[str, Any]:
    required = any(field.is_required() for field in model.model_fields.values())
    return {"required": required, "content": {JSON: {"schema": _reference(model)}}}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _itself() -> dict[str, Any]:
    return {
        "operationId": "readDocument",
        "summary": "This document",
        "security": [{"token": []}, {}],
        "responses": {"200": {"description": "This document", "content": {JSON: {"schema": {"type": "object"}}}}}
        | {str(status): _PROBLEM for status in (401, 403, 421)},
    }


_PROBLEM = {
    "description": "A problem document",
    "content": {"application/problem+json": {"schema": _reference(Problem)}},
}
