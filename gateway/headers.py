"""Which headers travel: hop-by-hop ends here, forged identity is removed, and what the gateway says replaces the rest.

Nothing here knows a connection. Names and values are bytes as they are on the wire; what we set is encoded here, so
that no value of ours can end a line.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import quote_from_bytes

from gateway.policy import Allow, Headers

Lines: TypeAlias = list[tuple[bytes, bytes]]
RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings"})
"""RFC 9110, 7.6.1; RFC 7540, 3.2.1. Whatever starts with `proxy-` belongs to them."""
FRAMING = frozenset({"content-length", "expect", "host"})
"""Said anew by whoever sends the message."""
REWRITING = frozenset(
    {
        "forwarded",
        "x-forwarded",
        "x-real-ip",
        "x-original-host",
        "x-original-uri",
        "x-original-url",
        "x-rewrite-url",
        "x-envoy-original-path",
    }
)
"""What tells an upstream that the request was another one. Whatever starts with `x-forwarded-` belongs to them."""
LONGEST_VALUE = 8190
"""In bytes; most servers take no longer line."""

_OURS = HOP_BY_HOP | FRAMING | REWRITING
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PRINTABLE = re.compile(r"[ -~]*")
_KEPT = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_AUTHORITY = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9_\-.]+)(?::[0-9]{1,5})?")
_NODE = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d+)?|(?P<v4>[\d.]+)(?::\d+)?|(?P<bare>[0-9A-Fa-f:.]+)")
_PAIR = re.compile(r'\s*([A-Za-z]+)=(?:"([^"\\]*)"|([^\s;,"]+))\s*(;|,|\Z)')
_MOST_HOPS = 32


class UnsafeHeader(ValueError):
    """A name or value that would not be one header line."""


@dataclass(frozen=True, slots=True)
class HeaderNames:
    """A set of header names that contains every spelling an upstream may take for one of them."""

    exact: frozenset[str]
    prefixes: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str]) -> "HeaderNames":
        """From names as they are configured; a trailing `*` names a prefix."""
        folded = {fold(name) for name in names}
        prefixes = tuple(sorted(name[:-1] for name in folded if name.endswith("*")))
        return cls(frozenset(name for name in folded if not name.endswith("*")), prefixes)

    def __contains__(self, name: str) -> bool:
        folded = fold(name)
        return folded in self.exact or folded.startswith(self.prefixes)


NO_NAMES = HeaderNames(frozenset(), ())


def fold(name: str) -> str:
    """The one spelling of a name: CGI and its heirs read `X_User` and `X.User` as `X-User`."""
    return name.lower().replace("_", "-").replace(".", "-")


def for_upstream(
    raw: RawHeaders, *, scrub: HeaderNames, allow: Allow, ours: Headers, drop: frozenset[str] = frozenset()
) -> Lines:
    """The headers of an allowed request as the upstream receives them, but for `Host` and framing.

    `scrub` holds the names that only policies may set, `ours` what the gateway says about the request. That, and
    `allow.set_headers`, stands in place of what the caller sent under the same name, whatever its `Connection` header
    nominates. `drop` and `allow.drop_headers` are in lower case. Names with `_` or `.` are dropped: an upstream may
    read them as another name. Raises `UnsafeHeader` for a name of ours that is none.
    """
    replaced = {name.lower() for name, _ in (*ours, *allow.set_headers)}
    dropped = nominated(raw) | replaced | allow.drop_headers | drop
    lines = [(name, value) for name, value in raw if _travels(name.decode("latin-1").lower(), value, dropped, scrub)]
    lines.extend(encoded(ours))
    lines.extend(encoded_set(allow))
    return lines


def encoded(headers: Headers) -> Lines:
    """Headers of ours as they are sent. Raises `UnsafeHeader`."""
    return [_line(name, value) for name, value in headers]


def encoded_set(allow: Allow) -> Lines:
    """What an `Allow` sets for the upstream, as it is sent, but for values that are too long."""
    return [line for line in encoded(allow.set_headers) if len(line[1]) <= LONGEST_VALUE]


def oversized(headers: Headers) -> list[str]:
    """The names of those whose value is too long to be sent; `for_upstream` leaves them out."""
    return [name for name, value in headers if len(encode_value(value)) > LONGEST_VALUE]


def for_caller(raw: RawHeaders, *, answer_headers: Headers, request_id: str) -> Lines:
    """The headers of an upstream's answer as the caller receives them: all that are end to end, unchanged.

    Framing is left to whoever writes the answer. Raises `UnsafeHeader` for what a strict parser would not have passed.
    """
    ours = (*answer_headers, ("X-Request-Id", request_id))
    dropped = nominated(raw) | {name.lower() for name, _ in ours}
    lines = [(name, value) for name, value in raw if _returns(name.decode("latin-1").lower(), dropped)]
    check_all(lines)
    lines.extend(encoded(ours))
    return lines


def nominated(raw: RawHeaders) -> set[str]:
    """The names in `Connection`, in lower case. RFC 9110, 7.6.1: remove them "from the message" before forwarding."""
    return {
        option.strip().lower()
        for name, value in raw
        if name.lower() == b"connection"
        for option in value.decode("latin-1").split(",")
    }


def check(name: bytes, value: bytes) -> None:
    """Raises `UnsafeHeader` unless this is a header line and nothing more (RFC 9110, 5.1 and 5.5)."""
    if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
        raise UnsafeHeader("a header holds a character that may not be there")


def check_all(lines: Lines) -> None:
    """Raises `UnsafeHeader` unless each is a header line and nothing more."""
    # One look at all of them: what is in none of the parts is not in the whole.
    names = [name for name, _ in lines]
    if not all(names) or (names and not _TOKEN.fullmatch(b"".join(names))):
        raise UnsafeHeader("a header has a name that is none")
    if _CONTROL.search(b"".join([value for _, value in lines])):
        raise UnsafeHeader("a header holds a character that may not be there")


def encode_value(value: str) -> bytes:
    """A value of ours on the wire. Printable ASCII is sent as it is.

    In any other value, each byte of its UTF-8 form that is not printable, and each `%`, is written as `%XX`: it can
    neither end a line nor be misread, and whoever needs it can decode it.
    """
    if _PRINTABLE.fullmatch(value):
        return value.encode("ascii")
    return quote_from_bytes(value.encode(errors="surrogatepass"), safe=_KEPT).encode("ascii")


def may_travel(name: str, scrub: HeaderNames) -> bool:
    """Whether a caller's header of this name, in lower case, may reach an upstream at all."""
    if "_" in name or "." in name or name in _OURS:
        return False
    return not (name.startswith(("proxy-", "x-forwarded-")) or name in scrub)


def seems_framing(name: str, value: bytes) -> bool:
    """Whether it is not a content coding, but some upstreams take it for framing. `name` in lower case."""
    return name == "content-encoding" and b"chunked" in value.lower()


def may_return(name: str) -> bool:
    """Whether an upstream's header of this name, in lower case, may reach a caller at all."""
    return not (name in HOP_BY_HOP or name == "content-length" or name.startswith("proxy-"))


def _travels(name: str, value: bytes, dropped: set[str], scrub: HeaderNames) -> bool:
    return name not in dropped and may_travel(name, scrub) and not seems_framing(name, value)


def _returns(name: str, dropped: set[str]) -> bool:
    return name not in dropped and may_return(name)


def _line(name: str, value: str) -> tuple[bytes, bytes]:
    return _name(name), encode_value(value)


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    octets = name.encode("latin-1", "replace")
    check(octets, b"")
    return octets


class Style(StrEnum):
    """Which headers tell the upstream where a request came from."""

    X_FORWARDED = "x-forwarded"
    RFC7239 = "rfc7239"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Journey:
    """Where a request came from, as far as it can be believed."""

    addresses: tuple[str, ...]
    """The addresses it passed, the peer's last."""
    scheme: str
    """What the caller spoke to the first proxy that is trusted."""
    host: str
    """What the caller called it, with the port if it named one."""
    caller_ip: str
    """The nearest address that is not a trusted proxy's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """Whose word is taken for where a request came from, and how it is passed on."""

    trusted: tuple[IPv4Network | IPv6Network, ...] = ()
    """Proxies in front of us. Nobody by default."""
    style: Style = Style.X_FORWARDED

    def trusts(self, peer: str) -> bool:
        """Whether this address is one of a proxy in front of us."""
        address = _address(peer) if self.trusted else None
        return address is not None and any(address in network for network in self.trusted)

    def follow(self, raw: RawHeaders, *, peer: str, scheme: str, host: str) -> Journey:
        """The way of a request that `peer` sent over a `scheme` connection with this `Host`.

        Only what a trusted peer sent is read. It is read from one kind of header, as a proxy may have written one and
        passed the other: `Forwarded` where the style is rfc7239, `X-Forwarded-*` otherwise, for policies and upstream
        alike.
        """
        peer = str(_address(peer) or peer)
        host = host.lower() if _AUTHORITY.fullmatch(host.lower()) else ""
        if not self.trusts(peer):
            return Journey((peer,), scheme, host, peer)
        read = _read_forwarded if self.style is Style.RFC7239 else _read_x_forwarded
        nodes, said_scheme, said_host = read(raw)
        addresses = (*_believable(nodes), peer)
        return Journey(
            addresses,
            said_scheme if said_scheme in {"http", "https"} else scheme,
            said_host if _AUTHORITY.fullmatch(said_host) else host,
            next((address for address in reversed(addresses) if not self.trusts(address)), addresses[0]),
        )

    def tell(self, journey: Journey) -> Headers:
        """The headers that say so to the upstream."""
        x_forwarded = (
            ("X-Forwarded-For", ", ".join(journey.addresses)),
            ("X-Forwarded-Proto", journey.scheme),
            ("X-Forwarded-Host", journey.host),
        )
        match self.style:
            case Style.X_FORWARDED:
                return x_forwarded
            case Style.RFC7239:
                return (_forwarded(journey),)
            case Style.BOTH:
                return (*x_forwarded, _forwarded(journey))


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _believable(nodes: list[str]) -> tuple[str, ...]:
    """The addresses up to the nearest that is none: whatever is beyond it, nobody vouches for."""
    addresses: list[str] = []
    for node in reversed(nodes[-_MOST_HOPS:]):
        found = _NODE.fullmatch(node.strip())
        address = _address(found["v6"] or found["v4"] or found["bare"]) if found else None
        if address is None:
            break
        addresses.append(str(address))
    return tuple(reversed(addresses))


def _read_x_forwarded(raw: RawHeaders) -> tuple[list[str], str, str]:
    nodes = _list(raw, b"x-forwarded-for")
    scheme = _list(raw, b"x-forwarded-proto")
    host = _list(raw, b"x-forwarded-host")
    return nodes, scheme[0].lower() if scheme else "", host[0].lower() if host else ""


def _read_forwarded(raw: RawHeaders) -> tuple[list[str], str, str]:
    """RFC 7239, 4. A header that does not follow its grammar says nothing."""
    elements: list[dict[str, str]] = [{}]
    try:
        for name, value, end in _pairs(", ".join(_values(raw, b"forwarded"))):
            elements[-1][name] = value
            if end == ",":
                elements.append({})
    except ValueError:
        return [], "", ""
    first = elements[0]
    return [element.get("for", "") for element in elements if element], first.get("proto", ""), first.get("host", "")


def _pairs(text: str) -> Iterator[tuple[str, str, str]]:
    position = 0
    while position < len(text):
        found = _PAIR.match(text, position)
        if found is None:
            raise ValueError("not a Forwarded header")
        yield found[1].lower(), (found[2] or found[3] or "").lower(), found[4]
        position = found.end()


def _forwarded(journey: Journey) -> tuple[str, str]:
    first, *others = (_for(address) for address in journey.addresses)
    element = f'{first};host="{journey.host}";proto={journey.scheme}'
    return "Forwarded", ", ".join((element, *others))


def _for(address: str) -> str:
    # RFC 7239, 6: an IPv6 address is "always enclosed in square brackets", and hence quoted.
    return f'for="[{address}]"' if ":" in address else f"for={address or 'unknown'}"


def _values(raw: RawHeaders, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in raw if name.lower() == wanted]


def _list(raw: RawHeaders, wanted: bytes) -> list[str]:
    return [item.strip() for value in _values(raw, wanted) for item in value.split(",")]
