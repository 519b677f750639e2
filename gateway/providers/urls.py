"""Which URLs we send secrets and tokens to. No I/O in here."""

import ipaddress
import re

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

# RFC 3986, 3, and stricter than its grammar on purpose. What two parsers could read in two ways is no URL for us: no
# userinfo, no fragment, no backslash, nothing but ASCII.
_URL = re.compile(
    r"https?://"
    r"(?P<host>[a-z0-9][a-z0-9._-]*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[a-z0-9._~:/@!$&'()*+,;=%-]*)?"
    r"(?:\?[a-z0-9._~:/?@!$&'()*+,;=%-]*)?",
    re.ASCII | re.IGNORECASE,
)


def url_fault(url: object) -> str | None:
    """What is wrong with the URL of a provider, to follow its name in a sentence; `None` when nothing is.

    Right is `https` anywhere, and `http` on this machine only: a secret or a token that crosses a network in the
    clear is everybody's (RFC 6749, 2.3.1; RFC 7662, 4). What is returned never repeats the URL.
    """
    if not isinstance(url, str):
        return "is not a string"
    if not url.lower().startswith(("https://", "http://")):
        return "must begin with https://"
    parts = _URL.fullmatch(url)
    if parts is None:
        return "is not a URL of plain ASCII with a host and without userinfo and fragment"
    if parts["port"] is not None and not 0 < int(parts["port"]) < 65_536:
        return "names a port that does not exist"
    return _host_fault(parts["host"], secure=url[4] in "sS")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine and nothing else: 127.0.0.0/8, ::1 (without brackets) or `localhost`."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # Also 127.1 and 2130706433: what a resolver makes of them is not ours to guess.
        return False
    return any(address in network for network in _LOOPBACK)


def _host_fault(host: str, *, secure: bool) -> str | None:
    address = host.strip("[]")
    if host != address and not _is_ipv6(address):
        return "has brackets around what is no IPv6 address"
    if not secure and not is_loopback(address):
        return "is plain http to another machine; it must begin with https://"
    return None


def _is_ipv6(address: str) -> bool:
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True
