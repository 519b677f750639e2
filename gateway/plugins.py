"""A policy's name in the YAML → its class → an instance with its options. A policy needs no registration but its
entry point, and no base class: it is a dataclass whose fields are its options."""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError

from gateway.providers import Provider
from gateway.wording import meant, tell

GROUP = "tokenward.policies"
STRICT = ConfigDict(
    extra="forbid",
    strict=True,
    frozen=True,
    allow_inf_nan=False,
    use_attribute_docstrings=True,
    hide_input_in_errors=True,
)

Place: TypeAlias = tuple[str | int, ...]
"""The way to an option, from the policy's own."""


class PolicyNotFound(LookupError):
    """No policy has that name; the text says which are close."""


class NotAPolicy(TypeError):
    """What has that name is no policy; the text says why."""


class OptionsError(ValueError):
    """Options that a policy does not take: each with its place."""

    def __init__(self, wrong: Sequence[tuple[Place, str]]) -> None:
        super().__init__("; ".join(text for _, text in wrong))
        self.wrong = tuple(wrong)


def policy_names() -> list[str]:
    """The names of the installed policies, in order."""
    return sorted(_installed())


def find_policy(name: str) -> type:
    """The class of an installed policy, or the one written as `package.module:Class`.

    Raises PolicyNotFound when there is none, NotAPolicy when it is none.
    """
    targets = _installed().get(name, ())
    if len(targets) > 1:
        raise PolicyNotFound(f"is offered by several packages; write one of {', '.join(sorted(targets))}")
    target = next(iter(targets), name)
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", target):
        known = policy_names()
        hint = meant(name, known) or f"; write one of {', '.join(known)}, or package.module:Class"
        raise PolicyNotFound(f"no policy has this name{hint}")
    return _checked(_loaded(target), target)


def build_policy(kind: type, options: object) -> Any:
    """The policy with its options as the YAML gives them; `None` stands for no options.

    Raises OptionsError with every mistake in them, and NotAPolicy when the class cannot be configured from YAML.
    """
    try:
        text = json.dumps({"options": {} if options is None else options})
        return _reader(kind).model_validate_json(text).options  # type: ignore[attr-defined]  # the one field of it
    except ValidationError as error:
        schema = _schema_or_none(kind)
        found = error.errors(include_url=False)
        raise OptionsError([(each["loc"][1:], tell(_inside(each), schema)) for each in found]) from None
    except NotAPolicy:
        raise
    except Exception as error:  # noqa: BLE001 - code of somebody else runs here, and its text may hold an option
        raise OptionsError([((), f"the policy fails on these options with {type(error).__name__}")]) from None


def options_schema(kind: type, reference: str = "#/$defs/{model}") -> dict[str, Any]:
    """The JSON Schema of a policy's options; `reference` is how its parts are referred to."""
    schema = _reader(kind).model_json_schema(ref_template=reference)
    parts = schema.pop("$defs", {})
    options = schema["properties"]["options"]
    whole = next((key for key in parts if reference.format(model=key) == options.get("$ref")), None)
    return {**(parts.pop(whole) if whole else options), "$defs": parts}


def options_of(policy: object) -> Any:
    """A policy's options as plain data, with the defaults; what it declares as a secret is hidden."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(policy))
    return adapter.dump_python(policy, mode="json")


def mistakes_of(policy: object, providers: Mapping[str, Provider]) -> list[tuple[Place, str]]:
    """What a policy itself finds wrong with its options, now that the providers are known: each with its place."""
    check = getattr(policy, "mistakes", None)
    if not callable(check):
        return []
    try:
        found: Iterable[tuple[str, str]] = check(providers)
        return [(_place(where), text) for where, text in found]
    except Exception as error:  # noqa: BLE001 - code of somebody else runs here
        return [((), f"the policy fails on these options with {type(error).__name__}")]


@cache
def _installed() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for entry in entry_points(group=GROUP):
        found[entry.name] = found.get(entry.name, frozenset()) | {entry.value}
    return found


def _loaded(target: str) -> object:
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except AttributeError:
        raise PolicyNotFound(f"{module} has no {name}") from None
    except ModuleNotFoundError as error:
        raise PolicyNotFound(f"there is no module {error.name}; is its package installed?") from None
    except (Exception, SystemExit) as error:
        raise PolicyNotFound(f"{module} cannot be imported: {type(error).__name__}") from error


def _checked(kind: object, target: str) -> type:
    if not isinstance(kind, type):
        raise NotAPolicy(f"{target} is no class")
    if not (dataclasses.is_dataclass(kind)):
        raise NotAPolicy(f"{target} is no policy: decorate it with @dataclass(frozen=True), its fields are its options")
    if not callable(getattr(kind, "decide", None)) and not callable(getattr(kind, "open", None)):
        raise NotAPolicy(f"{target} is no policy: it has neither decide(request) nor open(services)")
    return kind


def _schema_or_none(kind: type) -> dict[str, Any]:
    try:
        return options_schema(kind)
    except PydanticUserError:  # a type that pydantic reads but JSON Schema cannot say
        return {}


@cache
def _reader(kind: type) -> type[BaseModel]:
    """What validates options. A model around the class: so our strictness holds for dataclasses inside it too."""
    try:
        reader = create_model(kind.__name__, __config__=STRICT, options=(kind, ...))
        reader.model_rebuild()
    except (PydanticUserError, NameError, TypeError) as error:
        raise NotAPolicy(f"{kind.__qualname__} has options that YAML cannot give: {type(error).__name__}") from error
    return reader


def _inside(error: Any) -> Any:
    return {**error, "loc": error["loc"][1:]}


def _place(where: str) -> Place:
    return tuple(int(part) if part.isdecimal() else part for part in where.split(".") if part)
