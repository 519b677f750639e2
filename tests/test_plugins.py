"""Policies by name, and their options: what is found, what is built, and what is told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.plugins import (
    NotAPolicy,
    OptionsError,
    PolicyNotFound,
    build_policy,
    find_policy,
    mistakes_of,
    options_of,
    options_schema,
    policy_names,
)  # fmt: skip
from gateway.policy import Allow, Decision, Request
from gateway.providers import Provider
from policies.opening_hours import OpeningHours


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A part of the options."""

    size: int = 1
    """How large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """A policy with options of each kind."""

    text: str
    """A text."""
    number: float = 1.5
    words: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    colour: Colour = Colour.RED
    inner: Inner = field(default_factory=Inner)
    inners: tuple[Inner, ...] = ()
    map: Mapping[str, int] = field(default_factory=dict)
    secret: SecretStr | None = None

    def __post_init__(self) -> None:
        if self.text == "bad":
            raise ValueError("text must not be bad")
        if self.text == "broken":
            raise RuntimeError(f"cannot bear {self.text}")

    def decide(self, request: Request) -> Decision:
        return Allow()

    def mistakes(self, providers: Mapping[str, Provider]) -> Iterable[tuple[str, str]]:
        if self.text not in providers:
            yield "text", "is no provider"
            yield "inners.0.size", "is in vain"


@dataclass(frozen=True)
class Decides:
    """Takes a type that JSON Schema cannot say."""

    kind: type = int

    def decide(self, request: Request) -> Decision:
        return Allow()


@dataclass(frozen=True)
class Stranger:
    """Takes what YAML cannot give."""

    path: "NoSuchType"  # type: ignore[name-defined]  # noqa: F821 - on purpose

    def decide(self, request: Request) -> Decision:
        return Allow()


class NoDataclass:
    def decide(self, request: Request) -> Decision:
        return Allow()


@dataclass(frozen=True)
class NoPolicy:
    pass


@dataclass(frozen=True)
class Opens:
    def open(self, services: object) -> None: ...


HERE = "tests.test_plugins"
NOT_A_CLASS = 5


def test_a_policy_is_found_by_its_entry_point() -> None:
    assert find_policy("opening-hours") is OpeningHours
    assert {"opening-hours", "token-enforcement"} <= set(policy_names())


def test_a_policy_is_found_by_module_and_class() -> None:
    assert find_policy(f"{HERE}:Everything") is Everything
    assert find_policy(f"{HERE}:Opens") is Opens


OURS = "opening-hours, rate-limit, token-enforcement"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("opening-hour", "no policy has this name; did you mean opening-hours?"),
        ("Token-Enforcement", "no policy has this name; did you mean token-enforcement?"),
        ("", f"no policy has this name; write one of {OURS}, or package.module:Class"),
        ("zzz", f"no policy has this name; write one of {OURS}, or package.module:Class"),
        ("a:b:c", f"no policy has this name; write one of {OURS}, or package.module:Class"),
        ("no_such_package.x:Y", "there is no module no_such_package; is its package installed?"),
        (f"{HERE}:Missing", f"{HERE} has no Missing"),
    ],
)
def test_a_name_that_no_policy_has_is_told(name: str, told: str) -> None:
    with pytest.raises(PolicyNotFound) as caught:
        find_policy(name)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("NOT_A_CLASS", "is no class"),
        ("NoDataclass", "is no policy: decorate it with @dataclass(frozen=True), its fields are its options"),
        ("NoPolicy", "is no policy: it has neither decide(request) nor open(services)"),
    ],
)
def test_what_is_no_policy_is_told(name: str, told: str) -> None:
    with pytest.raises(NotAPolicy) as caught:
        find_policy(f"{HERE}:{name}")
    assert str(caught.value) == f"{HERE}:{name} {told}"


def test_a_module_that_fails_is_told_by_the_kind_of_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_policy.py").write_text("raise SystemExit('secret')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PolicyNotFound, match=r"^failing_policy cannot be imported: SystemExit$"):
        find_policy("failing_policy:Policy")


def test_options_become_the_fields_of_the_policy() -> None:
    built = build_policy(
        Everything,
        {"text": "a", "number": 2, "words": ["b"], "names": ["c"], "colour": "red", "inner": {"size": 3},
         "inners": [{}, {"size": 4}], "map": {"d": 5}, "secret": "e"},
    )  # fmt: skip
    assert built == Everything(
        text="a", number=2.0, words=("b",), names=frozenset("c"), inner=Inner(size=3),
        inners=(Inner(), Inner(size=4)), map={"d": 5}, secret=SecretStr("e"),
    )  # fmt: skip


def test_no_options_are_the_defaults() -> None:
    assert build_policy(OpeningHours, None) == build_policy(OpeningHours, {}) == OpeningHours()


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({}, [(("text",), "is missing")]),
        ({"text": 5}, [(("text",), "must be text; put it between quotes")]),
        ({"text": None}, [(("text",), "has no value; write one, or leave it out")]),
        ({"text": "a", "number": "2"}, [(("number",), "must be a number")]),
        ({"text": "a", "words": "b"}, [(("words",), "must be a list; write it between [ and ]")]),
        ({"text": "a", "words": [1]}, [(("words", 0), "must be text; put it between quotes")]),
        ({"text": "a", "names": {}}, [(("names",), "must be a list; write it between [ and ]")]),
        ({"text": "a", "colour": "rde"}, [(("colour",), "must be one of red; did you mean red?")]),
        ({"text": "a", "colour": "blue"}, [(("colour",), "must be one of red")]),
        ({"text": "a", "inner": []}, [(("inner",), "must be a mapping; write name: value")]),
        ({"text": "a", "inner": {"sze": 1}}, [(("inner", "sze"), "is not known here; did you mean size?")]),
        ({"text": "a", "inners": [{}, {"x": 1}]}, [(("inners", 1, "x"), "is not known here; write one of size")]),
        ({"text": "a", "map": {"a": "b"}}, [(("map", "a"), "must be a whole number")]),
        ({"text": "a", "txet": "b"}, [(("txet",), "is not known here; did you mean text?")]),
        ({"text": "a", "secret": 5}, [(("secret",), "must be text; put it between quotes")]),
        ({"text": "bad"}, [((), "text must not be bad")]),
        ({"text": "broken"}, [((), "the policy fails on these options with RuntimeError")]),
        ("text", [((), "must be a mapping; write name: value")]),
        ([], [((), "must be a mapping; write name: value")]),
        ({"number": True, "words": 1}, [(("text",), "is missing"), (("number",), "must be a number"),
                                        (("words",), "must be a list; write it between [ and ]")]),
    ],
)  # fmt: skip
def test_every_mistake_in_the_options_is_told_with_its_place(options: object, wrong: list[object]) -> None:
    with pytest.raises(OptionsError) as caught:
        build_policy(Everything, options)
    assert list(caught.value.wrong) == wrong


def test_options_that_yaml_cannot_give_are_the_policy_s_fault() -> None:
    with pytest.raises(NotAPolicy, match="Stranger has options that YAML cannot give"):
        build_policy(Stranger, {})


def test_a_policy_whose_schema_cannot_be_written_is_told_of_its_mistakes_all_the_same() -> None:
    with pytest.raises(OptionsError) as caught:
        build_policy(Decides, {"knid": 1})
    assert caught.value.wrong == ((("knid",), "is not known here"),)


def test_building_a_policy_leaves_its_class_as_it_is() -> None:
    build_policy(Everything, {"text": "a"})
    assert not hasattr(Everything, "__pydantic_config__")
    assert Everything(text="a", number=Decimal(1)).number == 1  # type: ignore[arg-type]  # nothing validates it here


def test_a_policy_finds_its_own_mistakes_in_view_of_the_providers() -> None:
    policy = Everything(text="okta")
    assert mistakes_of(policy, {"okta": Provider(name="okta")}) == []
    assert mistakes_of(policy, {}) == [(("text",), "is no provider"), (("inners", 0, "size"), "is in vain")]
    assert mistakes_of(OpeningHours(), {}) == []


def test_a_policy_that_fails_at_finding_its_mistakes_has_one() -> None:
    class Failing:
        def mistakes(self, providers: Mapping[str, Provider]) -> list[tuple[str, str]]:
            raise KeyError("secret")

    assert mistakes_of(Failing(), {}) == [((), "the policy fails on these options with KeyError")]


def test_options_are_written_with_defaults_and_without_secrets() -> None:
    assert options_of(Everything(text="a", secret=SecretStr("b"), words=("c",))) == {
        "text": "a", "number": 1.5, "words": ["c"], "names": [], "colour": "red", "inner": {"size": 1}, "inners": [],
        "map": {}, "secret": "**********",
    }  # fmt: skip


def test_the_schema_of_options_has_their_documentation() -> None:
    schema = options_schema(Everything, "#/$defs/x.{model}")
    assert schema["required"] == ["text"]
    assert schema["additionalProperties"] is False
    assert schema["description"] == "A policy with options of each kind."
    assert schema["properties"]["text"]["description"] == "A text."
    assert schema["properties"]["inner"]["$ref"] == "#/$defs/x.Inner"
    assert schema["$defs"]["Inner"]["properties"]["size"]["description"] == "How large."
