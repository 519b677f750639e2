"""An OpenAPI document as a list of operations that people can read. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
"""OpenAPI 3.1, Path Item Object: these fields are operations, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[str, ...]
    """`limit (query)`, `id (path), required`."""
    answers: tuple[tuple[str, str], ...]
    """Statuses, and what each means."""
    deprecated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a document says, as far as a page shows it."""

    title: str
    version: str
    operations: tuple[Operation, ...]
    media_type: str
    """Of the document itself, as it was configured."""
    file_name: str


def read(text: str) -> Description | None:
    """The operations of a document in JSON or YAML; `None` if it is no OpenAPI document that we can read."""
    document, is_json = _parse(text)
    paths = document.get("paths") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(paths, dict):
        return None
    about = _mapping(document.get("info"))
    return Description(
        title=_text(about.get("title")),
        version=_text(about.get("version")),
        operations=tuple(_operations(paths, document)),
        media_type="application/json" if is_json else "application/yaml",
        file_name="openapi.json" if is_json else "openapi.yaml",
    )


def _parse(text: str) -> tuple[object, bool]:
    try:
        return json.loads(text), True
    except ValueError:
        pass
    try:
        return yaml.safe_load(text), False
    except (yaml.YAMLError, RecursionError):
        return None, False


def _operations(paths: Mapping[object, object], document: Mapping[str, object]) -> Iterator[Operation]:
    for path, value in paths.items():
        item = _resolved(value, document)
        for method in _METHODS:
            if isinstance(item.get(method), dict):
                yield _operation(method, str(path), item, document)


def _operation(method: str, path: str, item: Mapping[str, object], document: Mapping[str, object]) -> Operation:
    says = _mapping(item[method])
    parameters = [*_list(item.get("parameters")), *_list(says.get("parameters"))]
    answers = _mapping(says.get("responses"))
    return Operation(
        method=method.upper(),
        path=path,
        summary=_text(says.get("summary")) or _text(says.get("operationId")),
        description=_text(says.get("description")),
        parameters=tuple(_parameter(_resolved(parameter, document)) for parameter in parameters),
        answers=tuple(
            (str(status), _text(_resolved(answer, document).get("description"))) for status, answer in answers.items()
        ),
        deprecated=says.get("deprecated") is True,
    )


def _parameter(says: Mapping[str, object]) -> str:
    required = ", required" if says.get("required") is True else ""
    return f"{_text(says.get('name'))} ({_text(says.get('in'))}){required}"


def _resolved(value: object, document: Mapping[str, object]) -> Mapping[str, object]:
    """What a reference within the document refers to, one step far; other references stay unread."""
    says = _mapping(value)
    reference = says.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return says
    found: object = document
    for part in reference[2:].split("/"):
        # RFC 6901, 4: "first transforming any occurrence of the sequence '~1' to '/', and then ... '~0' to '~'".
        found = _mapping(found).get(part.replace("~1", "/").replace("~0", "~"))
    return _mapping(found)


def _mapping(value: object) -> Mapping[Any, object]:
    return cast(Mapping[Any, object], value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else ""
