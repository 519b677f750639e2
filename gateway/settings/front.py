"""The caller's side of the configuration: TLS, and what a request may cost us."""

from typing import Annotated

from pydantic import Field, SecretStr

from gateway.settings.grammar import Address, Listen
from gateway.settings.section import Bytes, Count, Pause, Seconds, Section


class TlsSettings(Section):
    """TLS for callers. Paths start at the folder of the configuration."""

    certificate_file: str = Field(examples=["tls/server.crt"])
    """Our certificate and those between it and the authority, in PEM."""
    key_file: str = Field(examples=["tls/server.key"])
    """Its private key, in PEM."""
    client_ca_file: str | None = None
    """Authorities for certificates of callers, in PEM; with it, every caller must show one."""


class AdminSettings(Section):
    """The second port: metrics, health, reload."""

    listen: Annotated[Listen, Field(json_schema_extra={"default": "127.0.0.1:9090"})] = Address("127.0.0.1", 9090)
    """Its address. Keep it on loopback, or set a token."""
    token: SecretStr | None = None
    """What everything but /livez and /readyz takes as a bearer token. Null: reading is open, and only loopback acts."""


class RequestLimits(Section):
    """What one request may be, in bytes, and how much there may be at once."""

    target: Bytes = 8192
    """Path and query together; more is answered with 414."""
    header: Bytes = 8192
    """One header with its name; more is answered with 431."""
    headers: Bytes = 65536
    """All headers together; more is answered with 431."""
    header_count: Count = 100
    """How many headers; more are answered with 431."""
    body: Bytes | None = None
    """A body; more is answered with 413. Null: no cap."""
    message: Count = 16_777_216
    """One message of a WebSocket, in either direction; a longer one ends it."""
    requests_in_flight: Count | None = None
    """Requests under way at once; more are answered with 503. Null: no cap."""
    connections: Count | None = None
    """Connections open at once; more wait until others end. Null: as many as there are file descriptors for."""
    connections_per_address: Count | None = None
    """Connections from one address; more are closed at once. Proxies that are trusted have no cap. Null: no cap."""


class Timeouts(Section):
    """How long we wait for callers, in seconds."""

    head: Seconds = 10.0
    """For the whole head of a request."""
    body: Seconds = 30.0
    """Between two pieces of a body."""
    keep_alive: Seconds = 75.0
    """For the next request on a connection."""


class Drain(Section):
    """How the process stops, in seconds."""

    delay: Pause = 5.0
    """Between saying that we are not ready and refusing connections: load balancers need it."""
    timeout: Pause = 30.0
    """For requests under way; then their connections are closed."""
