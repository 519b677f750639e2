"""What the gateway itself answers: refusals and failures as problem documents (RFC 9457). No I/O."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from gateway.policy import Deny, Headers, Unavailable

TITLES = {status.value: status.phrase for status in HTTPStatus}

UNDECIDED = "It cannot be decided at the moment whether this request is allowed."
NO_ROUTE = Deny(404, "no_route", "No route is configured for this host and path.")
FAILED = Deny(500, "internal_error", "The gateway failed to process the request.")
MALFORMED = Deny(400, "malformed_request", "The request is not valid HTTP/1.1.")
TARGET_TOO_LONG = Deny(414, "target_too_long", "The request target is longer than this gateway accepts.")
HEAD_TOO_LARGE = Deny(431, "head_too_large", "The header section is larger than this gateway accepts.")
CALLER_SLOW = Deny(408, "body_timeout", "The request body did not arrive in time.")
EXPECTATION_UNKNOWN = Deny(417, "expectation_unknown", "The only expectation known here is 100-continue.")
TOO_BUSY = Deny(503, "too_busy", "The gateway is serving as many requests as it may.", (("Retry-After", "1"),))
UPSTREAM_REFUSED = Deny(502, "upstream_unreachable", "The upstream could not be reached.")
UPSTREAM_BROKE = Deny(502, "upstream_broke_off", "The upstream ended the connection before it had answered.")
UPSTREAM_INVALID = Deny(
    502,
    "upstream_invalid",
    "The upstream's answer is not valid HTTP, or its head is larger than 8190 bytes a line or 128 lines.",
)
UPSTREAM_SILENT = Deny(504, "upstream_timeout", "The upstream did not answer in time.")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the gateway's own, complete but for `Date` and `Connection`."""

    status: int
    headers: Headers
    body: bytes


def refuse(deny: Deny, *, request_id: str, base: str, method: str) -> Answer:
    """The answer that says no. `base` starts the `type` of the document; HEAD gets the headers alone.

    RFC 9457, 3.1: type, title, status, detail and instance; ours are `code`, and `error` as RFC 6750 calls it.
    """
    body = _problem(deny, request_id, base) if deny.body is None else deny.body
    headers = (*deny.headers, ("Content-Length", str(len(body))), ("X-Request-Id", request_id))
    if deny.body is None:
        headers = (("Content-Type", "application/problem+json"), *headers)
    if deny.status in {401, 403, 503} and not _names(deny.headers, "cache-control"):
        headers = (*headers, ("Cache-Control", "no-store"))
    return Answer(deny.status, headers, b"" if method == "HEAD" else body)


def unavailable(failure: Unavailable) -> Deny:
    """What is said when we could not decide: our fault, and worth another try.

    The failure's own words are for operators: they may name a host behind us.
    """
    return Deny(503, failure.code, UNDECIDED, (("Retry-After", str(failure.retry_after)),))


def method_not_allowed(allowed: Iterable[str]) -> Deny:
    """What is said to a method that the route does not take. RFC 9110, 15.5.6: `Allow` must be there."""
    return Deny(
        405,
        "method_not_allowed",
        "The route does not take this method.",
        (("Allow", ", ".join(sorted(allowed))),),
    )


def ejected(retry_after: int) -> Deny:
    """What is said when no target of the upstream may be asked now."""
    detail = "No target of the upstream can take a request now."
    return Deny(503, "upstream_unavailable", detail, (("Retry-After", str(retry_after)),))


def _problem(deny: Deny, request_id: str, base: str) -> bytes:
    document: dict[str, str | int] = {
        "type": base + deny.code.replace("_", "-"),
        "title": TITLES.get(deny.status, "Refused"),
        "status": deny.status,
        "detail": deny.detail,
        "code": deny.code,
        "instance": request_id,
    }
    if deny.error is not None:
        document["error"] = deny.error
    return json.dumps(document, separators=(",", ":")).encode()


def _names(headers: Headers, name: str) -> bool:
    return any(key.lower() == name for key, _ in headers)
