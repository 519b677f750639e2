"""What pydantic found, in our words: what is wrong, and what to write."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic_core import ErrorDetails

Schema: TypeAlias = Mapping[str, Any]

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
TYPES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list; write it between [ and ]",
    "tuple_type": "must be a list; write it between [ and ]",
    "set_type": "must be a list; write it between [ and ]",
    "frozen_set_type": "must be a list; write it between [ and ]",
    "dict_type": "must be a mapping; write name: value",
    "mapping_type": "must be a mapping; write name: value",
    "model_type": "must be a mapping; write name: value",
    "model_attributes_type": "must be a mapping; write name: value",
    "dataclass_type": "must be a mapping; write name: value",
}
BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def tell(error: ErrorDetails, schema: Schema) -> str:
    """The sentence for one finding. `schema` is the JSON Schema of what was validated: it knows the names."""
    kind, bounds = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(bounds["error"])
    if kind == "option":
        return str(bounds["text"])
    if kind == "missing":
        return _missing(error, schema)
    if kind in UNKNOWN:
        return unknown(str(error["loc"][-1]), names_at(schema, error["loc"][:-1]))
    if error["input"] is None:
        return "has no value; write one, or leave it out"
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        return f"{words} {bounds[name]:g}"
    if kind in ("literal_error", "enum"):
        return _choice(error["input"], str(bounds["expected"]))
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    return _of_type(error)


def _of_type(error: ErrorDetails) -> str:
    words = TYPES.get(error["type"])
    if words == "must be text" and isinstance(error["input"], int | float):
        return "must be text; put it between quotes"
    return words or error["msg"][:1].lower() + error["msg"][1:]


def _missing(error: ErrorDetails, schema: Schema) -> str:
    examples = at(schema, error["loc"]).get("examples")
    if not examples:
        return "is missing"
    # JSON is YAML too.
    example = examples[0] if isinstance(examples[0], str) else json.dumps(examples[0])
    return f"is missing; write {error['loc'][-1]}: {example}"


def _choice(value: object, expected: str) -> str:
    choices = re.findall(r"'([^']*)'", expected) or [expected]
    return f"must be one of {', '.join(choices)}{meant(str(value), choices)}"


def unknown(name: str, known: Iterable[str]) -> str:
    """What to say of a name that means nothing here, when these would."""
    known = sorted(known)
    hint = meant(name, known)
    if hint or not known:
        return f"is not known here{hint}"
    return f"is not known here; write one of {', '.join(known)}"


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, where one is close."""
    close = difflib.get_close_matches(word.lower()[:100], known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def names_at(schema: Schema, path: Sequence[str | int]) -> list[str]:
    """The names that a mapping may have there."""
    return list(at(schema, path).get("properties", ()))


def at(schema: Schema, path: Sequence[str | int]) -> Schema:
    """The part of the schema for the value at that path; empty where it says nothing."""
    here = _resolved(schema, schema)
    for part in path:
        inner = here.get("items", {}) if isinstance(part, int) else _member(here, part)
        here = _resolved(inner if isinstance(inner, Mapping) else {}, schema)
    return here


def _member(schema: Schema, name: str) -> Any:
    return schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Behind references, and of alternatives the one with an inside."""
    if "$ref" in schema:
        examples = {"examples": schema["examples"]} if "examples" in schema else {}
        return {**_resolved(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root), **examples}
    for alternative in schema.get("anyOf", ()):
        inside = _resolved(alternative, root)
        if inside.keys() & {"properties", "items", "additionalProperties"}:
            return inside
    return schema
