"""An OpenAPI document as a list."""

import json

import pytest
import yaml

from gateway.portal.pages.openapi import read
from tests.portal.pages.catalogues import OPENAPI


def test_each_method_on_each_path_is_an_operation() -> None:
    description = read(OPENAPI)
    assert description is not None
    assert [(each.method, each.path) for each in description.operations] == [
        ("GET", "/orders"),
        ("POST", "/orders"),
        ("DELETE", "/orders/{id}"),
    ]


def test_an_operation_says_what_it_takes_and_answers() -> None:
    description = read(OPENAPI)
    assert description is not None
    listing, placing, cancelling = description.operations
    assert listing.parameters == ("shop (query)", "limit (query), required", "after (query)")
    assert listing.answers == (("200", "The orders"), ("401", "No token"))
    assert placing.summary == "placeOrder"
    assert cancelling.deprecated


def test_json_and_yaml_say_the_same() -> None:
    from_yaml, from_json = read(OPENAPI), read(json.dumps(yaml.safe_load(OPENAPI)))
    assert from_yaml is not None
    assert from_json is not None
    assert from_json.operations == from_yaml.operations
    assert (from_yaml.file_name, from_json.file_name) == ("openapi.yaml", "openapi.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "plain words", "{", "a: [", "openapi: 3.1.0", '{"paths": []}', "!!python/name:os.system"]
)
def test_what_is_no_openapi_document_is_not_listed(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    "paths",
    [
        {"/a": None},
        {"/a": {"get": "text"}},
        {"/a": {"x-own": {}}},
        {"/a": {"$ref": "https://elsewhere.example/a"}},
        {"/a": {"$ref": "#/nowhere"}},
    ],
)
def test_what_is_no_operation_is_passed_over(paths: object) -> None:
    description = read(json.dumps({"paths": paths}))
    assert description is not None
    assert description.operations == ()


def test_parts_of_another_shape_are_passed_over() -> None:
    odd = {"parameters": {"a": 1}, "responses": ["b"], "summary": ["c"], "description": None}
    description = read(json.dumps({"paths": {"/a": {"get": odd}}}))
    assert description is not None
    assert description.operations[0].summary == ""
    assert description.operations[0].parameters == ()
