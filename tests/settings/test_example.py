"""config.example.yaml: it loads, it names every option, and the defaults in it are the defaults."""

import base64
import dataclasses
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are a package of their own
from pydantic import BaseModel

from gateway.clients.store.sealing import new_key
from gateway.plugins import find_policy, policy_names
from gateway.providers import ClientCredentials
from gateway.settings import Settings, load, parse
from gateway.settings.mistakes import Path as Way
from gateway.settings.routes import PolicyEntry
from gateway.settings.schema import json_schema
from gateway.settings.source import read
from tests.settings import SECRET

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = (CHECKOUT / "config.example.yaml").read_text()
ENVIRONMENT = {
    "OKTA_SECRET": SECRET,
    "PORTAL_SECRET": SECRET,
    "SMTP_PASSWORD": SECRET,
    "STORE_KEY": new_key(),
    "WEBHOOK_SECRET": "whsec_" + base64.b64encode(os.urandom(32)).decode(),
}
OFF = re.compile(r"^( *)# (( *)(?:- )?[a-z_-]+:.*)$", re.MULTILINE)
"""An option that is off: a comment that would be a line of YAML."""

SHORT = re.compile(r"^( *)([a-z_]+): (?:null|\[\]|\{\}).*\n(?=\1\2:)", re.MULTILINE)
"""A line in place of which the one below it stands."""

CHOSEN = frozenset(
    {"preset", "issuer", "introspection", "client_id", "client_secret", "path", "api", "upstream", "targets"}
    | {"provider", "scopes", "audience", "policies", "when", "routes", "providers"}
)
"""What has no default that would say anything, or stands for what somebody chooses."""


def data(text: str) -> Any:
    source = read(text, "config.example.yaml", ENVIRONMENT)
    assert source.wrong == []
    return source.data


def everything() -> str:
    """The example with its options that are off switched on, in place of the line that says so."""
    text = OFF.sub(r"\1\2", EXAMPLE.partition("\n")[2])
    return SHORT.sub("", text)


def kinds(annotation: Any) -> Iterator[type]:
    """The models and dataclasses in a type."""
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)):
        yield annotation
    if get_origin(annotation) in (Union, UnionType) or get_args(annotation):
        for inner in get_args(annotation):
            yield from kinds(inner)


def options(kind: type) -> dict[str, tuple[Any, Any]]:
    """The fields of a model or dataclass: type and default (`...` where there is none)."""
    hints = get_type_hints(kind)
    if issubclass(kind, BaseModel):
        return {
            name: (hints[name], ... if field.is_required() else field.get_default(call_default_factory=True))
            for name, field in kind.model_fields.items()
        }
    found: dict[str, tuple[Any, Any]] = {}
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]  # what is no model here is a dataclass
        if not each.init:
            continue
        default = each.default if each.default is not dataclasses.MISSING else ...
        if each.default_factory is not dataclasses.MISSING:
            default = each.default_factory()
        found[each.name] = (hints[each.name], default)
    return found


def written(kind: type, value: Any, way: Way) -> Iterator[tuple[Way, type, dict[str, Any]]]:
    """Each model in the example: where it stands, which it is, and what is written there."""
    if kind is PolicyEntry:
        name = next(name for name in value if name not in ("when", "report_only"))
        yield from written(find_policy(name), value[name], (*way, name))
        fields = {name: each for name, each in options(kind).items() if name in ("when", "report_only")}
        yield way, kind, {**value, **dict.fromkeys(("name", "policy"))}
        for field, (annotation, _) in fields.items():
            yield from inside(annotation, value.get(field), (*way, field))
        return
    yield way, kind, value
    for name, (annotation, _) in options(kind).items():
        yield from inside(annotation, value.get(name), (*way, name))


def inside(annotation: Any, value: Any, way: Way) -> Iterator[tuple[Way, type, dict[str, Any]]]:
    for kind in kinds(annotation):
        values: list[tuple[Way, Any]] = [(way, value)]
        if isinstance(value, list):
            values = [((*way, index), each) for index, each in enumerate(value)]
        elif isinstance(value, dict) and get_origin(annotation) is dict:
            values = [((*way, name), each) for name, each in value.items()]
        for here, each in values:
            if isinstance(each, dict):
                yield from written(kind, each, here)


def all_kinds(kind: type, seen: set[type]) -> set[type]:
    """Every model that can stand in a configuration, our policies' included."""
    if kind not in seen:
        seen.add(kind)
        for annotation, _ in options(kind).values():
            for inner in kinds(annotation):
                all_kinds(inner, seen)
        if kind is PolicyEntry:
            for name in policy_names():
                all_kinds(find_policy(name), seen)
    return seen


AS_IT_IS = data(EXAMPLE)
WRITTEN = [
    each
    for each in written(Settings, data(everything()), ())
    # All of them stand under `introspection`.
    if each[1] is not ClientCredentials
]


def test_the_example_loads_without_a_warning() -> None:
    assert load(CHECKOUT / "config.example.yaml", ENVIRONMENT).warnings == ()


def test_the_example_loads_with_all_that_is_off_in_it(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/server.crt").touch()
    (tmp_path / "tls/server.key").touch()
    settings = parse(
        everything().replace("equals: null", "").replace("one_of: []", ""),
        name=str(tmp_path / "config.yaml"),
        environment=ENVIRONMENT,
    )
    assert settings.tls is not None
    assert settings.clients[0].client_id == "mobile"


def test_the_example_stands_for_every_model() -> None:
    shown = {kind for _, kind, _ in WRITTEN}
    # Our clients elsewhere are written as the one under `introspection`.
    shown.add(ClientCredentials)
    assert {kind.__name__ for kind in all_kinds(Settings, set()) - shown} - {"Address"} == set()


@pytest.mark.parametrize(
    ("way", "kind", "value"), WRITTEN, ids=[".".join(map(str, way)) or "root" for way, _, _ in WRITTEN]
)
def test_the_example_names_every_option(way: Way, kind: type, value: dict[str, Any]) -> None:
    assert set(options(kind)) - set(value) == set()


def plain(value: Any) -> Any:
    """A default as it is written."""
    match value:
        case BaseModel():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case tuple() | list():
            return [plain(each) for each in value]
        case _ if dataclasses.is_dataclass(value) and hasattr(value, "port"):
            return str(value)
        case _ if dataclasses.is_dataclass(value):
            return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return value


@pytest.mark.parametrize(
    ("way", "kind", "value"), WRITTEN, ids=[".".join(map(str, way)) or "root" for way, _, _ in WRITTEN]
)
def test_the_defaults_in_the_example_are_the_defaults(way: Way, kind: type, value: dict[str, Any]) -> None:
    if not stands(AS_IT_IS, way):
        return
    for name, (_, default) in options(kind).items():
        if name in CHOSEN or kind is PolicyEntry or default is ... or not stands(AS_IT_IS, (*way, name)):
            continue
        found = at(AS_IT_IS, (*way, name))
        short = [found] if isinstance(found, str) and isinstance(default, tuple) else found
        assert same(short, plain(default)), (*way, name)


def at(value: Any, way: Way) -> Any:
    for part in way:
        value = value[part]
    return value


def stands(value: Any, way: Way) -> bool:
    for part in way:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def same(found: Any, default: Any) -> bool:
    """Whether what is written says the same; of a mapping, each value is compared where it stands."""
    return (isinstance(found, dict) and isinstance(default, dict) and bool(default)) or found == default


def test_each_option_has_a_sentence() -> None:
    lines = EXAMPLE.splitlines()
    for number, line in enumerate(lines):
        if re.match(r" *(?:# +)?[a-z_]+: [^#]*$", line) and not line.lstrip().startswith("# "):
            above = next((each for each in reversed(lines[:number]) if each.strip()), "")
            assert above.lstrip().startswith("#"), line


def test_the_first_line_tells_editors_where_the_schema_is() -> None:
    first = EXAMPLE.splitlines()[0]
    assert first == "# yaml-language-server: $schema=schema/tokenward.schema.json"
    assert (CHECKOUT / first.partition("=")[2]).exists()


@pytest.mark.parametrize("text", [EXAMPLE, everything()], ids=["as it is", "with all that is off"])
def test_the_example_fits_the_schema(text: str) -> None:
    Draft202012Validator(json_schema()).validate(json.loads(json.dumps(data(text))))
