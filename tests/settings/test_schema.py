"""The JSON Schema: the file is up to date, editors can complete from it, and it says what the models say."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]  # no stubs here

from gateway.settings.schema import json_schema
from tests.settings import OKTA, ROUTE, policies
from tests.settings.test_source import data

URL = "http://orders.internal:8000"
SCHEMA = json_schema()
FILE = Path(__file__).parents[2] / "schema" / "tokenward.schema.json"


def test_the_file_is_what_the_models_say() -> None:
    assert json.loads(FILE.read_text()) == SCHEMA, "python -m gateway.settings.schema > schema/tokenward.schema.json"


def test_it_is_a_schema_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"] == "urn:tokenward:schema:settings:1"


def parts(value: Any) -> list[dict[str, Any]]:
    match value:
        case dict():
            return [value, *(part for each in value.values() for part in parts(each))]
        case list():
            return [part for each in value for part in parts(each)]
    return []


def test_every_reference_leads_somewhere() -> None:
    references = {part["$ref"].removeprefix("#/$defs/") for part in parts(SCHEMA) if isinstance(part.get("$ref"), str)}
    assert references <= set(SCHEMA["$defs"])


def test_every_option_of_ours_has_a_description() -> None:
    models = {"Settings": SCHEMA, **SCHEMA["$defs"]}
    silent = [
        f"{name}.{option}"
        for name, model in models.items()
        if "-" not in name and name not in ("Endpoints", "ClientCredentials")
        for option, about in model.get("properties", {}).items()
        if "description" not in about and "$ref" not in about
    ]
    assert [each for each in silent if not each.startswith(("Introspection", "Transport", "Limits", "KeyTimes"))] == []


def test_an_editor_can_complete_the_options_of_a_policy() -> None:
    enforcement = SCHEMA["$defs"]["PolicyEntry"]["properties"]["token-enforcement"]["anyOf"][0]
    assert {"provider", "scopes", "audience", "cache"} <= set(enforcement["properties"])
    assert enforcement["additionalProperties"] is False
    assert "max_age" in SCHEMA["$defs"]["token-enforcement.Patience"]["properties"]


@pytest.mark.parametrize(
    "text",
    [
        ROUTE,
        OKTA + ROUTE,
        f"listen: ['127.0.0.1:80']\n{ROUTE}",
        policies("opening-hours:"),
        ROUTE.replace(URL, f"{{targets: [{URL}], probe: {{path: /, statuses: [204, 300-399]}}}}"),
        ROUTE.replace(URL, f"{{targets: [{URL}], probe: {{path: /, statuses: 200-399}}}}"),
        policies("{opening-hours: {opens: 9}, when: {methods: [GET]}, report_only: true}"),
        policies("{my.package:Limit: {anything: 1}}"),
    ],
)
def test_what_is_right_fits(text: str) -> None:
    Draft202012Validator(SCHEMA).validate(data(text))


@pytest.mark.parametrize(
    "text",
    [
        "workers: 1\n",
        f"workers: many\n{ROUTE}",
        f"lisen: a\n{ROUTE}",
        policies("{}"),
        policies("{opening-hours: {}, token-enforcement: {provider: a}}"),
        policies("{opening-hours: {open: 9}}"),
        policies("{opening-hour: {}}"),
        policies("{token-enforcement: {scope: [a]}}"),
    ],
)
def test_what_is_wrong_does_not_fit(text: str) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(data(text))
