"""URLs as the configuration writes them: what is wrong with one, and whether it stays on this machine.

They remain plain text. An issuer is compared byte for byte, and a parser that rebuilds URLs adds slashes.
"""

import re
from urllib.parse import urlsplit

from gateway.providers import urls as providers

URL_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")


def url_fault(url: str) -> str | None:
    """What is wrong with an http or https URL, or `None`. The sentence does not hold the URL: it may be a secret."""
    if not URL_CHARACTERS.fullmatch(url):
        return "is no URL; write https://host/path, other characters as %XX"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no URL: its host or port is wrong; write https://host:port/path"
    if parts.scheme not in ("http", "https"):
        return "must be an http or https URL; write https://…"
    if not parts.hostname or port == 0 or parts.netloc.endswith(":"):
        return "is no URL: its host or port is wrong; write https://host:port/path"
    if "@" in parts.netloc:
        return "holds a user name; credentials do not belong into a URL, leave them out"
    if "#" in url:
        return "has a fragment; leave out # and what follows"
    return None


def issuer_fault(url: str) -> str | None:
    """What is wrong with an issuer identifier."""
    # RFC 8414, 2: "a URL that uses the "https" scheme and has no query or fragment components".
    if "?" in url:
        return "has a query; an issuer has none, write it as the provider's metadata does"
    return provider_url_fault(url)


def provider_url_fault(url: str) -> str | None:
    """What is wrong with a URL that tokens or keys travel to or from: plain http is for this machine only."""
    fault = providers.url_fault(url)
    return fault and f"{fault}; write https://host/path, with http:// on loopback only"


def upstream_fault(url: str) -> str | None:
    """What is wrong with the URL of an upstream: only scheme, host and port count there."""
    fault = url_fault(url)
    if fault is None and (urlsplit(url).path not in ("", "/") or "?" in url):
        return "has a path; write scheme, host and port, and the path as add_prefix"
    return fault


def is_local(url: str) -> bool:
    """Whether the URL's host is this machine."""
    try:
        return providers.is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def origin(url: str) -> str:
    """Scheme and authority of a URL, as written."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
