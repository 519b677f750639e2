"""HTTP as it is: one request, its whole answer, no redirect followed and nothing retried."""

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sent."""

    status: int
    headers: Message
    """Names compare without regard to case."""
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        return self.headers.get_content_type() if "Content-Type" in self.headers else ""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    document: object = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request, with a form or a JSON document as its body; blocks for ten seconds at most."""
    parts = urlsplit(url)
    body, media_type = _body(form, document)
    connection = _connection(parts.scheme, parts.netloc, tls)
    try:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request(method, target, body, {**media_type, **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def basic(client_id: str, client_secret: str) -> str:
    """An `Authorization` header; both parts are form-encoded first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _body(form: Mapping[str, str] | None, document: object) -> tuple[bytes | None, dict[str, str]]:
    if form is not None:
        return urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    if document is not None:
        return json.dumps(document).encode(), {"Content-Type": "application/json"}
    return None, {}


def _connection(scheme: str, authority: str, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(authority, timeout=10, context=tls)
    return http.client.HTTPConnection(authority, timeout=10)
