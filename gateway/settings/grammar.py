"""Words of the configuration that have a grammar of their own: addresses, networks, hosts, paths, methods, expressions.

Each type here parses its word or raises ValueError that says what to write.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, TypeAlias, TypeVar

import re2  # type: ignore[import-untyped]  # the wheel carries no types
from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from gateway.conditions import REST
from gateway.paths import BadRequest, normalise_pattern
from gateway.router import NEVER
from gateway.settings.urls import upstream_fault

T = TypeVar("T")

PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
HOST = re.compile(rf"(?:\*\.)?{LABEL}(?:\.{LABEL})*|\[[0-9a-f:.]+\]")
METHOD = re.compile(r"[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*")
NAME = re.compile(r"[a-z0-9-]+")
STATUSES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
PATH_AND_QUERY = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
"""RFC 9112, 3.2.1: the origin-form of a target."""


@dataclass(frozen=True, slots=True)
class FromText:
    """Reads a type from text, and writes it as text."""

    parse: Callable[[str], object]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Text goes in, the value comes out, and its `str` is what is written."""
        return core_schema.no_info_after_validator_function(
            self.parse, core_schema.str_schema(strict=True), serialization=core_schema.to_string_ser_schema()
        )


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`127.0.0.1:8080`, `[::]:8080` or `localhost:8080`."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]/@\s]+)):([0-9]{1,5})", text)
    if found is None or int(found[3]) > 65_535:
        raise ValueError("is no address to listen on; write host:port, as in 127.0.0.1:8080 or [::]:8080")
    host = found[1] or found[2]
    if found[1] or re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("is no address to listen on: its IP address is wrong") from None
    elif not HOST.fullmatch(host.lower()):
        raise ValueError("is no address to listen on: its host name is wrong")
    return Address(host, int(found[3]))


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """A CIDR, or one address."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is no network; write it as 10.0.0.0/8 or fd00::/8") from None
    if "/" in text and network.network_address != ipaddress.ip_interface(text).ip:
        raise ValueError(f"has bits set after its prefix; write {network}")
    return network


def parse_host(text: str) -> str:
    """A host name in lower case without port, `*.` before it for all names below."""
    if text.endswith(".") or not HOST.fullmatch(text.lower()):
        raise ValueError("is no host; write api.example.com or *.example.com, without scheme, port and final dot")
    if text != text.lower():
        raise ValueError(f"must be in lower case; write {text.lower()}")
    return text


def parse_method(text: str) -> str:
    """An HTTP method; they are told apart by case (RFC 9110, 9.1)."""
    if text != text.upper() and METHOD.fullmatch(text.upper()):
        raise ValueError(f"must be in upper case; write {text.upper()}")
    if not METHOD.fullmatch(text) or text in NEVER:
        raise ValueError("is no method that is ever forwarded; write one such as GET or POST")
    return text


def parse_template(text: str) -> str:
    """A path whose segments are literal or `{name}`."""
    if "*" in text.split("/") or REST in text.split("/"):
        raise ValueError("needs no *: everything below the path is meant, and {name} stands for one segment")
    return _one_spelling(text)


def parse_condition_path(text: str) -> str:
    """A path whose segments are literal or `{name}`; `**` at its end stands for whatever follows."""
    if text != f"/{REST}":
        _one_spelling(text.removesuffix(f"/{REST}"))
    return text


def parse_prefix(text: str) -> str:
    """A path of literal segments, without a slash at its end."""
    if "{" in text:
        raise ValueError("cannot hold {name}; write plain segments")
    if text != "/" and text.endswith("/"):
        raise ValueError(f"must not end with a slash; write {text.rstrip('/') or '/'}")
    return _one_spelling(text)


def _one_spelling(text: str) -> str:
    """The path, if it is written as the gateway writes the paths of requests. Any other would never match."""
    if not text.startswith("/"):
        raise ValueError("must begin with a slash, as in /orders")
    for segment in text.split("/"):
        if ("{" in segment or "}" in segment) and not PARAMETER.fullmatch(segment):
            raise ValueError("may hold {name} as a whole segment only")
    try:
        spelt = normalise_pattern(text)
    except BadRequest:
        raise ValueError(
            "is no path: write each slash once, no . or .. as a segment, and %XX for other characters"
        ) from None
    if spelt != text:
        raise ValueError(f"is not how requests are spelled here; write {spelt}")
    return text


def parse_name(text: str) -> str:
    """A name of ours: it appears in metrics, logs and paths of pages."""
    if not NAME.fullmatch(text):
        raise ValueError("is no name; write lower-case letters, digits and dashes")
    return text


def parse_expression(text: str) -> str:
    """A regular expression that RE2 takes: its time grows with the input only."""
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        re2.compile(text, quiet)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        told = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"is no RE2 expression ({told}); look-around and back-references do not exist there") from None
    return text


def parse_upstream(text: str) -> str:
    """The URL of an upstream."""
    fault = upstream_fault(text)
    if fault is not None:
        raise ValueError(fault)
    return text


def parse_probe_path(text: str) -> str:
    """The target of a request of our own: path and query."""
    if not PATH_AND_QUERY.fullmatch(text):
        raise ValueError("is no path; write one that begins with a slash, as in /healthz, other characters as %XX")
    return text


def parse_statuses(text: str) -> str:
    """One HTTP status, or a range of them."""
    found = STATUSES.fullmatch(text)
    if found is None or int(found[2] or found[1]) < int(found[1]) or int(found[1]) < 200:
        raise ValueError("is no final status and no range of them; write 200, or 200-399")
    return text


Network: TypeAlias = Annotated[IPv4Network | IPv6Network, FromText(parse_network)]
Listen: TypeAlias = Annotated[Address, FromText(parse_address)]
Host: TypeAlias = Annotated[str, AfterValidator(parse_host)]
Method: TypeAlias = Annotated[str, AfterValidator(parse_method)]
Template: TypeAlias = Annotated[str, AfterValidator(parse_template)]
ConditionPath: TypeAlias = Annotated[str, AfterValidator(parse_condition_path)]
Prefix: TypeAlias = Annotated[str, AfterValidator(parse_prefix)]
Name: TypeAlias = Annotated[str, AfterValidator(parse_name)]
Expression: TypeAlias = Annotated[str, AfterValidator(parse_expression)]
UpstreamUrl: TypeAlias = Annotated[str, AfterValidator(parse_upstream)]
ProbePath: TypeAlias = Annotated[str, AfterValidator(parse_probe_path)]
Statuses: TypeAlias = Annotated[str, AfterValidator(parse_statuses)]
