"""Which URLs of a client we ask: none that leads away from where its provider registers. No I/O in here."""

from urllib.parse import quote, urlsplit

from gateway.providers.urls import url_fault


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454, 4) of a URL in which `url_fault` finds no fault."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_management_url(url: object, registration: str) -> bool:
    """Whether a URL that a reply or a person names is one that we ask, and send a client's token to.

    A provider manages clients where it registers them. Elsewhere there may be anybody, and our own network as well.
    """
    return isinstance(url, str) and url_fault(url) is None and origin(url) == origin(registration)


def fill(template: str, registration: str, client_id: str, group: str = "") -> str:
    """The URL that a template of `Registration` makes for a client."""
    parts = urlsplit(registration)
    return template.format(
        registration=registration,
        origin=f"{parts.scheme}://{parts.netloc}",
        client_id=_segment(client_id),
        group=_segment(group),
    )


def _segment(text: str) -> str:
    return quote(text, safe="")
