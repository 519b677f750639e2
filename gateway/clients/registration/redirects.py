"""Where people may be sent back to after a login: which redirect URIs we register. No I/O in here."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from gateway.providers.urls import is_loopback

LONGEST = 2000
"""Characters of one URI."""

# RFC 3986, 2: what a URI is made of, save `*`. A wildcard is legal in a path, and several providers take it for one.
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()+,;=%-]+", re.ASCII)
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"%(?:[01][0-9A-F]|7F)", re.IGNORECASE)
# What a path must not hide from those who compare it before it is decoded: `.`, `/`, `\`, `*` and `%` itself.
_HIDDEN = re.compile(r"%(?:2E|2F|5C|2A|25)", re.IGNORECASE)
_WEB = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?]*)(?P<path>[^?]*)(?:\?.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
# RFC 8252, 7.1: the scheme is "based on a domain name under their control, expressed in reverse order", and "only a
# single slash ("/") appears after the scheme component", for there is no authority.
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+:(?P<path>/(?!/)[^?]*)(?:\?.*)?", re.IGNORECASE)


def redirect_uri_fault(uri: str) -> str | None:
    """What is wrong with a redirect URI, to follow its name in a sentence; `None` when nothing is.

    Right is `https`, `http` on this machine (RFC 8252, 7.3), and a private-use scheme that is a domain name in reverse
    (RFC 8252, 7.1); always in the one spelling that no two parsers read differently. Never repeats the URI.
    """
    if not uri or len(uri) > LONGEST:
        return f"must have 1 to {LONGEST} characters"
    return _character_fault(uri) or _form_fault(uri)


def is_private_use(uri: str) -> bool:
    """Whether an application on a device is meant: its scheme is none of the web's."""
    return not uri.lower().startswith(("https:", "http:"))


def _character_fault(uri: str) -> str | None:
    # RFC 6749, 3.1.2: "The endpoint URI MUST NOT include a fragment component."
    if "#" in uri:
        return "must not have a fragment (#)"
    if "*" in uri:
        return "must not have a wildcard (*): write each URI out"
    if _CHARACTERS.fullmatch(uri) is None:
        return "holds a character that no URI has"
    if _PERCENT.search(uri) or _CONTROL.search(uri):
        return "holds a percent sign that does not encode a visible character"
    return None


def _form_fault(uri: str) -> str | None:
    web = _WEB.fullmatch(uri)
    if web is not None:
        return _authority_fault(web["authority"], secure=web["scheme"].lower() == "https") or _path_fault(web["path"])
    private_use = _PRIVATE_USE.fullmatch(uri)
    if private_use is not None:
        return _path_fault(private_use["path"])
    return (
        "must begin with https://, or for an application on a device with its own scheme, "
        "such as com.example.app:/callback"
    )


def _authority_fault(authority: str, *, secure: bool) -> str | None:
    if "@" in authority:
        return "must not have a user name (@)"
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None or not _is_host(parts["host"]):
        return "names no host"
    if parts["port"] is not None and not 0 < int(parts["port"]) < 65_536:
        return "names a port that does not exist"
    # RFC 8252, 8.3: the loopback interface is the one place where http does not cross a network.
    if not secure and not is_loopback(parts["host"].strip("[]")):
        return "is plain http to another machine: write https://"
    return None


def _is_host(host: str) -> bool:
    try:
        if host.startswith("["):
            return bool(IPv6Address(host[1:-1]).packed)
        # A name that ends in a number is read as an address, in whatever base: only its usual spelling will do.
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            return str(IPv4Address(host)) == host
    except AddressValueError:
        return False
    return len(host) <= 253 and _NAME.fullmatch(host) is not None


def _path_fault(path: str) -> str | None:
    if _HIDDEN.search(path):
        return "has an encoded dot, slash, backslash, star or percent sign in its path"
    if "//" in path:
        return "has two slashes in a row in its path"
    if {".", ".."} & set(path.split("/")):
        return "must not have . or .. in its path"
    return None
