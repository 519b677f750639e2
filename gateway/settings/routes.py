"""Routes: what is matched, which policies judge it, where it goes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SkipValidation, Strict, ValidationInfo, model_serializer, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from gateway.plugins import NotAPolicy, OptionsError, Place, PolicyNotFound, build_policy, find_policy, options_of
from gateway.settings.grammar import (
    ConditionPath,
    Expression,
    Host,
    Method,
    Name,
    Prefix,
    ProbePath,
    Statuses,
    Template,
    UpstreamUrl,
)
from gateway.settings.section import Bytes, Count, Pause, Seconds, Section
from gateway.wording import meant

BESIDE = ("when", "report_only")
"""What stands beside a policy's name in its entry."""


class When(Section):
    """The requests that a policy is asked about; all others skip it."""

    # A model inside an entry is read from what Python made of it, where a list is no tuple yet.
    methods: Annotated[tuple[Method, ...], Strict(False)] = ()
    """Any of these methods. Empty: all."""
    paths: Annotated[tuple[ConditionPath, ...], Strict(False)] = ()
    """Whole paths with {name} for a segment, and ** at the end for whatever follows. Empty: all."""
    regex: Expression | None = None
    """An RE2 expression for the whole path, an alternative to `paths`."""


def _built(value: object, info: ValidationInfo) -> object:
    """The policy of an entry."""
    if not isinstance(value, Named):
        return value
    try:
        return build_policy(find_policy(value.name), value.options)
    except (PolicyNotFound, NotAPolicy) as error:
        found: list[tuple[Place, str]] = [((), str(error))]
    except OptionsError as error:
        found = list(error.wrong)
    raise ValidationError.from_exception_data("policy", [_detail(place, text) for place, text in found])


def _detail(place: Place, text: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("option", "{text}", {"text": text}), loc=place, input=None)


class Named:
    """A policy's name and options that are still to be judged."""

    def __init__(self, name: str, options: object) -> None:
        self.name = name
        self.options = options


class PolicyEntry(Section):
    """A policy in its place. In the YAML, its name is the key of its options."""

    name: str
    """The name of an installed policy, or package.module:Class."""
    policy: Annotated[SkipValidation[Any], BeforeValidator(_built)]
    """The policy itself, with its options."""
    when: When | None = None
    """The requests that it is asked about. Null: all."""
    report_only: bool = False
    """Whether a refusal is only counted and logged, and the request forwarded."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            raise ValueError("must be a mapping of one policy; write - opening-hours: {}")  # noqa: TRY004 - pydantic's way
        names = [name for name in value if name not in BESIDE]
        if len(names) != 1:
            raise ValueError(_not_one(names))
        beside = {name: value[name] for name in BESIDE if name in value}
        return {"name": names[0], "policy": Named(names[0], value[names[0]]), **beside}

    @model_serializer
    def _as_yaml(self) -> dict[str, Any]:
        when = self.when.model_dump(mode="json") if self.when else None
        return {self.name: options_of(self.policy), "when": when, "report_only": self.report_only}


def _not_one(names: list[str]) -> str:
    if not names:
        return "names no policy; write - opening-hours: {}"
    hints = [f"; did you mean {hint} for {name}?" for name in names for hint in BESIDE if meant(name, [hint])]
    return f"must name one policy, and names {' and '.join(names)}{hints[0] if hints else '; write an entry for each'}"


class ProbeSettings(Section):
    """How a target is asked whether it is well: one that is not gets no requests. Times in seconds."""

    path: ProbePath = Field(examples=["/healthz"])
    """What is asked for, by GET: path and query, without strip_prefix and add_prefix."""
    interval: Seconds = 5.0
    """Between two questions."""
    timeout: Seconds = 2.0
    """For a connection and the head of the answer."""
    statuses: Annotated[tuple[Statuses, ...], Field(min_length=1)] = ("200-299",)
    """The statuses of a target that is well: numbers, or ranges such as 200-399."""
    failures: Count = 3
    """In a row, until a target is out. The first answer counts at once."""
    successes: Count = 1
    """In a row, until it is back."""


class UpstreamSettings(Section):
    """Where allowed requests go, and how. Times in seconds. A URL alone stands for `targets` with it."""

    targets: tuple[UpstreamUrl, ...] = Field(min_length=1, examples=[["http://orders.internal:8000"]])
    """Scheme, host and port of each server; a request goes to the one with the fewest under way."""
    connect_timeout: Seconds = 2.0
    """For a connection."""
    response_timeout: Seconds = 60.0
    """For the head of an answer."""
    idle_timeout: Seconds = 60.0
    """Between two pieces of an answer."""
    keep_alive: Pause = 30.0
    """How long an unused connection is kept."""
    connections: Count = 256
    """At most, to each target."""
    ca_file: str | None = None
    """Authorities in PEM that replace the system's."""
    certificate_file: str | None = None
    """Our certificate for the upstream, in PEM."""
    key_file: str | None = None
    """Its private key, in PEM."""
    host: Literal["upstream", "caller"] = "upstream"
    """Whose Host header is sent: the target's own, or the caller's."""
    failures: Count = 3
    """In a row, before a target is left alone."""
    cool_down: Seconds = 5.0
    """How long it is left alone."""
    probe: ProbeSettings | None = None
    """How targets are asked whether they are well. Null: only requests find out."""


class RouteSettings(Section):
    """What is matched, which policies judge it, where it goes."""

    hosts: tuple[Host, ...] = ()
    """Host names, `*.example.com` for all below it. Empty: any."""
    path: Template = Field(examples=["/orders"])
    """The path and everything below it, by whole segments; {name} stands for one segment."""
    exact: bool = False
    """Whether nothing below the path is meant."""
    methods: Annotated[tuple[Method, ...], Field(min_length=1)] | None = None
    """The methods that exist here. Null: all but TRACE and CONNECT."""
    api: Name | None = None
    """The API it belongs to; contracts are about APIs. Null: the route's name."""
    upstream: UpstreamSettings = Field(examples=["http://orders.internal:8000"])
    """Where allowed requests go: a URL, or more about it."""
    strip_prefix: Prefix | None = None
    """What is taken from the front of the path, by whole segments."""
    add_prefix: Prefix | None = None
    """What is put before the path, after that."""
    preflight: bool = False
    """Whether a true CORS preflight passes without a policy being asked."""
    body: Bytes | None = None
    """A cap for bodies in bytes, in place of limits.body."""
    policies: tuple[PolicyEntry, ...] = Field(examples=[[{"token-enforcement": {"provider": "okta"}}]])
    """Asked in this order; the first refusal ends it. An empty list makes a public route."""
