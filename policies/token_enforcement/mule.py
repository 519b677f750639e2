"""The answers of the policy that this one replaces, for callers who still depend on them: `compatibility: mule`.

Statuses, realm and bodies follow MuleSoft's published migration tool. They are not RFC 6750's: a missing token is a
400, and an outage of the identity provider is a 401. Take the option out once no caller looks at them.
"""

import json
from collections.abc import Awaitable, Mapping, Sequence

from gateway.policy import Allow, Decision, Deny, Finding, Headers, Request, Unavailable
from policies.token_enforcement.enforcer import Enforcer

CHALLENGE: Headers = (("WWW-Authenticate", 'Bearer realm="OpenId Client Realm"'),)
JSON: Headers = (("Content-Type", "application/json; charset=UTF-8"),)

TEXTS: Mapping[str, str] = {
    "credential_missing": "Access token was not provided",
    "token_expired": "Token has expired.",
    "token_inactive": "Token has been revoked.",
    "insufficient_scope": "The required scopes are not authorized",
    "client_without_contract": "Invalid client application",
}
BAD_ANSWERS = frozenset({"provider_answer", "provider_metadata", "provider_keys"})


class Mule:
    """An enforcement whose refusals and failures look like the original's. What it allows is the same."""

    def __init__(self, enforcer: Enforcer) -> None:
        self._enforcer = enforcer
        self.reads_form = enforcer.reads_form
        self.identity_headers = enforcer.identity_headers

    def decide(self, request: Request) -> Decision | Awaitable[Decision]:
        """The same decision in the original's words; it is never unavailable."""
        try:
            outcome = self._enforcer.decide(request)
        except Unavailable as failure:
            return failed(failure)
        return in_its_words(outcome) if isinstance(outcome, Allow | Deny) else _later(outcome)

    async def explain(self, request: Request, claims: Mapping[str, object] | None) -> Sequence[Finding]:
        """Each check and how it comes out."""
        return await self._enforcer.explain(request, claims)


async def _later(outcome: Awaitable[Decision]) -> Decision:
    try:
        return in_its_words(await outcome)
    except Unavailable as failure:
        return failed(failure)


def in_its_words(decision: Decision) -> Decision:
    """The decision with the original's status and body; the code stays ours, for logs and metrics."""
    if isinstance(decision, Allow):
        return decision
    if decision.status == 401 and decision.error == "invalid_token":
        return _deny(401, decision.code, TEXTS.get(decision.code, "Token validation failed"), decision.notes)
    if decision.status == 403:
        return _deny(403, decision.code, TEXTS.get(decision.code, decision.detail), decision.notes)
    return _deny(400, decision.code, TEXTS.get(decision.code, "Authorization header is invalid"), decision.notes)


def failed(failure: Unavailable) -> Deny:
    """The original tells a connection that failed (401) from an answer that it can't read (500)."""
    if failure.code in BAD_ANSWERS:
        return _deny(500, failure.code, "Unexpected error processing Authentication Server response")
    return _deny(401, failure.code, "Unauthorized")


def _deny(status: int, code: str, text: str, notes: Headers = ()) -> Deny:
    headers = (*JSON, *CHALLENGE) if status == 401 else JSON
    return Deny(status, code, text, headers, notes=notes, body=json.dumps({"error": text}).encode())
