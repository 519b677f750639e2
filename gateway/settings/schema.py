"""The JSON Schema of the configuration, for editors: they complete and check while somebody writes.

`python -m gateway.settings.schema` prints it.
"""

import json
import sys
from typing import Any

from gateway.plugins import NotAPolicy, PolicyNotFound, find_policy, options_schema, policy_names
from gateway.settings import Settings
from gateway.settings.routes import PolicyEntry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:tokenward:schema:settings:1"
ELSEWHERE = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"
"""A policy as `package.module:Class`: nothing is known of its options."""


def json_schema() -> dict[str, Any]:
    """The schema, with the options of the policies that are installed here."""
    schema = Settings.model_json_schema()
    parts = schema.pop("$defs")
    parts[PolicyEntry.__name__], policies = _entry(parts[PolicyEntry.__name__])
    _with_short_forms(schema["properties"], parts)
    return {"$schema": DIALECT, "$id": ID, **_untitled(schema), "$defs": _untitled({**parts, **policies})}


def _entry(written: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An entry of `policies`, where the name of the policy is a key; and what its options are made of."""
    options: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for name in policy_names():
        try:
            found = options_schema(find_policy(name), f"#/$defs/{name}.{{model}}")
        except (PolicyNotFound, NotAPolicy):
            continue
        parts.update({f"{name}.{part}": inner for part, inner in found.pop("$defs").items()})
        options[name] = {"anyOf": [found, {"type": "null"}], "description": found.get("description", "")}
    beside = {name: written["properties"][name] for name in ("when", "report_only")}
    alone = [{"required": [name]} for name in options]
    entry = {
        "type": "object",
        "description": written["description"],
        "properties": {**options, **beside},
        "patternProperties": {ELSEWHERE: {}},
        "additionalProperties": False,
        "minProperties": 1,
        "oneOf": [*alone, {"not": {"anyOf": alone}}],
    }
    return entry, parts


def _with_short_forms(properties: dict[str, Any], parts: dict[str, Any]) -> None:
    """What may be written in short: one address for a list of them, a URL for an upstream, numbers for their text."""
    _may_be_text(properties["listen"])
    _may_be_text(parts["RouteSettings"]["properties"]["upstream"])
    statuses = parts["ProbeSettings"]["properties"]["statuses"]
    statuses["items"] = {"anyOf": [{"type": "integer"}, statuses["items"]]}
    _may_be_text(statuses)


def _may_be_text(member: dict[str, Any]) -> None:
    told: dict[str, Any] = {key: member.pop(key) for key in ("description", "default", "examples") if key in member}
    full = dict(member)
    member.clear()
    member |= {"anyOf": [{"type": "string"}, full], **told}


def _untitled(schema: Any) -> Any:
    """The schema without pydantic's titles, which repeat the names."""
    match schema:
        case dict():
            return {
                key: {name: _untitled(each) for name, each in value.items()}
                if key == "properties"
                else _untitled(value)
                for key, value in schema.items()
                if key != "title" or not isinstance(value, str)
            }
        case list():
            return [_untitled(each) for each in schema]
    return schema


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
