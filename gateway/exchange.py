"""What happened to one request: filled on its way through, read by metrics and the access log."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.policy import Headers


class Flag(StrEnum):
    """Why an answer is not simply the upstream's: who ended the exchange, and where."""

    NONE = ""
    BAD_REQUEST = "bad_request"
    NO_ROUTE = "no_route"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    SHED = "shed"
    UPSTREAM_CONNECT = "upstream_connect"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_RESET = "upstream_reset"
    UPSTREAM_PROTOCOL = "upstream_protocol"
    UPSTREAM_EJECTED = "upstream_ejected"
    CALLER_LEFT = "caller_left"
    CALLER_SLOW = "caller_slow"
    TOKEN_ENDED = "token_ended"
    DRAINED = "drained"


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request and its answer. Times in seconds, sizes in bytes. Holds no credential and no query."""

    request_id: str
    received_at: float
    """Since the epoch."""
    caller_ip: str = ""
    method: str = ""
    scheme: str = "http"
    host: str = ""
    path: str = ""
    route: str = ""
    api: str = ""
    upstream: str = ""
    status: int = 0
    upstream_status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    duration: float = 0.0
    decision_seconds: float = 0.0
    upstream_seconds: float = 0.0
    result: str = ""
    """`allow`, `deny`, `unavailable` or `failed`; empty when no policy was asked."""
    code: str = ""
    """The stable code of the refusal or failure."""
    flag: Flag = Flag.NONE
    provider: str = ""
    client_id: str = ""
    subject: str = field(default="", repr=False)
    notes: Headers = ()
    reported: Headers = ()
    """What report-only policies would have refused: policy and code."""
    retries: int = 0
    user_agent: str = ""
    trace_id: str = ""
