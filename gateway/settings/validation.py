"""Plain data → a model, and every finding on the way at its place."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.settings.mistakes import Path, Wrong
from gateway.settings.pruned import Pruned
from gateway.settings.routes import BESIDE
from gateway.settings.scalars import Plain
from gateway.wording import tell

M = TypeVar("M", bound=BaseModel)

PASSES = 20
"""Each removes what the one before found; what is faulty still then is not checked further."""


def validated(model: type[M], data: Plain, found: Callable[[Path, str], None]) -> tuple[M | None, Pruned]:
    """The model of the data without its faulty parts, and what is left of the data.

    What is wrong goes to `found`. The model is `None` where too little is left.
    """
    rest = Pruned(data)
    for attempt in range(PASSES):
        try:
            # As JSON: only there pydantic's strictness takes a list for a tuple and a text for an enumeration.
            return model.model_validate_json(json.dumps(rest.data)), rest
        except ValidationError as error:
            wrong = [Wrong(rest.original(path), text) for path, text in _told(error, model, rest.data)]
        if attempt == 0:
            for path, text in wrong:
                found(path, text)
        if not rest.remove(path for path, _ in wrong):
            break
    return None, rest


def _told(error: ValidationError, model: type[BaseModel], data: Plain) -> Iterator[Wrong]:
    schema = _schema(model)
    found = error.errors(include_url=False)
    for each in found:
        # A list whose items are wrong counts as empty too; that is no news.
        if each["type"] == "too_short" and any(other["loc"][:-1] == each["loc"] for other in found):
            continue
        yield Wrong(_path(each["loc"], data), tell(each, schema))


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _path(loc: Path, data: Plain) -> Path:
    """Where in the data pydantic means, which speaks of a key as `[key]`, and of a policy by its field."""
    loc = loc[:-1] if loc[-1:] == ("[key]",) else loc
    match loc:
        case ("routes", _, "policies", _, "policy", *rest):
            entry: Any = data
            for part in loc[:4]:
                entry = entry[part]
            return (*loc[:4], next(name for name in entry if name not in BESIDE), *rest)
    return loc
