"""What people wrote, made harmless for a page beyond the escaping of markup. Pure."""

import re
from urllib.parse import urlsplit

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]"
)
"""Control characters (terminals obey them when a page is copied or piped), what turns the direction of the text that
follows, and what no HTML document may hold (HTML, 13.2.3.5). Marks that only say a direction stay: names need them."""


def plain(value: object) -> object:
    """A text with its unseen commands replaced by U+FFFD; anything else as it is. Every output of a template passes.

    Marked-up text passes as well: substituting in it keeps its class only if nothing was replaced.
    """
    if type(value) is str and _UNSEEN.search(value):
        return _UNSEEN.sub("\ufffd", value)
    return value


def safe_link(url: str | None) -> str | None:
    """The URL if a page may link to it, else `None`: http and https with a host and without a user name.

    Browsers drop tabs and line breaks from a URL and read `\\` as `/`: one with such characters is no link.
    """
    if not url or not url.isascii() or any(character <= " " or character in '\\"<>^`{|}\x7f' for character in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    usual = parts.scheme in {"https", "http"} and parts.hostname and "@" not in parts.netloc
    return url if usual else None
