"""What a decision and a failure mean: for the record, and for the caller who is answered."""

import logging

from gateway import answers
from gateway.caller import CallerBroke, CallerSlow
from gateway.exchange import Exchange, Flag
from gateway.outgoing import UpstreamFailure
from gateway.paths import BadRequest
from gateway.policy import Allow, Decision, Deny, Unavailable

log = logging.getLogger(__name__)


def checked(outcome: object) -> Decision:
    """What the policies came to. Whatever else they return must never count as a yes: raises TypeError."""
    if not isinstance(outcome, (Allow, Deny)):
        raise TypeError("the policies came to neither Allow nor Deny")
    return outcome


def note(exchange: Exchange, decision: Decision) -> None:
    """Record what was decided."""
    exchange.result = "allow" if isinstance(decision, Allow) else "deny"
    exchange.notes = decision.notes
    exchange.reported = decision.reported
    principal = decision.principal
    if principal is not None:
        exchange.provider = principal.provider
        exchange.client_id = principal.client_id or ""
        exchange.subject = principal.subject or ""


def note_failure(exchange: Exchange, error: Exception) -> Deny:
    """Record why there is no answer of the upstream's, and say what is answered in its place."""
    deny, flag = _meaning(error)
    if flag in {Flag.UNAVAILABLE, Flag.FAILED} and not exchange.result:
        exchange.result = flag.value
    note_refusal(exchange, deny, flag)
    return deny


def note_refusal(exchange: Exchange, deny: Deny, flag: Flag) -> None:
    """Record a refusal, and who it came from."""
    exchange.code, exchange.flag = deny.code, flag


def ends_connection(error: Exception) -> bool:
    """Whether nobody can tell where the next request begins."""
    return isinstance(error, BadRequest | CallerSlow | CallerBroke)


def _meaning(error: Exception) -> tuple[Deny, Flag]:
    """What is not foreseen is a bug of ours, or of a policy."""
    match error:
        case BadRequest():
            return Deny(error.status, error.code, error.detail), Flag.BAD_REQUEST
        case CallerSlow():
            return answers.CALLER_SLOW, Flag.CALLER_SLOW
        case CallerBroke():
            return answers.MALFORMED, Flag.BAD_REQUEST
        case Unavailable():
            return answers.unavailable(error), Flag.UNAVAILABLE
        case UpstreamFailure():
            return error.deny, error.flag
        case _:
            log.error("a request failed", exc_info=error)
            return answers.FAILED, Flag.FAILED
