"""One spelling per resource: the path that is matched is the path that is forwarded, or the request is refused."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import unquote_plus, unquote_to_bytes


class BadRequest(Exception):
    """The caller broke HTTP, or a limit. Code and detail are constants: nothing of the request is in them."""

    def __init__(self, code: str, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for."""

    path: str
    """In its one spelling: what is matched, judged and forwarded."""
    query: str
    """Without the question mark, as it was sent."""


# RFC 9112, 3.2: a recipient "SHOULD NOT attempt to autocorrect and then process the request without a redirect, since
# the invalid request-line might be deliberately crafted to bypass security filters along the request chain".
_VISIBLE = re.compile(r"[!\"$-~]+")
"""Printable ASCII but `#`: a fragment is never sent (RFC 9110, 7.1)."""
_ABSOLUTE = re.compile(r"(?i:https?)://([^/?]*)([/?].*)?")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-F]{2})*)+")
"""RFC 3986, 3.3, without `;`: what it separates means nothing to us and much to some upstreams."""
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]")
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\;]")
"""What may not be in a path even percent-encoded: controls, the backslash and the semicolon."""
_DOT_SEGMENT = re.compile(r"/\.\.?(?:/|\Z)")
_NAME = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_\-.]+)(?::([0-9]{1,5}))?")


def normalise(target: str, host: str) -> Target:
    """The target of a request line, whose `Host` header said `host`. Normalising twice changes nothing.

    Raises `BadRequest` for whatever two readers could read differently (RFC 3986, 6.2.2 is all that is corrected).
    """
    if not _VISIBLE.fullmatch(target):
        raise BadRequest("target_invalid", "The request target holds a character that no URI may hold.")
    path, _, query = _origin_form(target, host).partition("?")
    if _BROKEN_ESCAPE.search(query):
        raise BadRequest("target_invalid", "The query holds a percent sign that is not followed by two hex digits.")
    return Target(normalise_path(path), query)


def normalise_path(path: str) -> str:
    """A path in its one spelling; raises `BadRequest` where there are several ways to read it.

    Unreserved characters are decoded and every other escape is written in upper case (RFC 3986, 6.2.2.1 and 6.2.2.2).
    """
    if "%" in path:
        path = _respell(path)
    if not _PATH.fullmatch(path) or "//" in path or _DOT_SEGMENT.search(path):
        raise BadRequest("path_ambiguous", "The path can be read in more than one way.")
    return path


def normalise_pattern(pattern: str) -> str:
    """A route's path in its one spelling: `{name}` segments stay, the others are normalised; raises `BadRequest`."""
    segments = pattern.split("/")
    plain = "/".join("name" if _NAME.fullmatch(segment) else segment for segment in segments)
    respelt = normalise_path(plain).split("/")
    return "/".join(
        segment if _NAME.fullmatch(segment) else new for segment, new in zip(segments, respelt, strict=True)
    )


def canonical_host(value: str) -> str:
    """The host named by a `Host` header or an authority: lower case, without port and trailing dot.

    An IPv6 address keeps its brackets. Raises `BadRequest` for anything else (RFC 9112, 3.2: "an invalid field value").
    """
    found = _HOST.fullmatch(value)
    if found is None or int(found[2] or 0) > 65_535:
        raise _bad_host()
    name = found[1].lower()
    if name.startswith("["):
        return _canonical_address(name)
    name = name.removesuffix(".")
    if len(name) > 253 or not all(name.split(".")):
        raise _bad_host()
    return name


def without_parameters(query: str, names: frozenset[str]) -> str:
    """A query or form body without the parameters called so; the others keep their bytes and order."""
    if not names or not query:
        return query
    return "&".join(pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in names)


def _origin_form(target: str, host: str) -> str:
    if target.startswith("/"):
        return target
    found = _ABSOLUTE.fullmatch(target)
    # RFC 9112, 3.2.2: with the absolute-form, Host is to be ignored. Where the two differ, somebody is misled.
    if found is None or found[1].lower() != host.lower() or "@" in found[1] or not found[1]:
        raise BadRequest("target_invalid", "The request target is neither a path nor a URL of this host.")
    rest = found[2] or "/"
    return rest if rest.startswith("/") else "/" + rest


def _respell(path: str) -> str:
    if _BROKEN_ESCAPE.search(path):
        raise BadRequest("path_ambiguous", "The path holds a percent sign that is not followed by two hex digits.")
    try:
        meant = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise BadRequest("path_ambiguous", "The path is not UTF-8 once it is decoded.") from None
    if _HIDDEN.search(meant) or "%2f" in path.lower():
        raise BadRequest("path_ambiguous", "The path hides a separator or a control character.")
    return _ESCAPE.sub(_canonical_escape, path)


def _canonical_escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()


def _canonical_address(name: str) -> str:
    try:
        return f"[{IPv6Address(name[1:-1]).compressed}]"
    except ValueError:
        raise _bad_host() from None


def _bad_host() -> BadRequest:
    return BadRequest("host_invalid", "The Host header does not name one host.")
