"""The keys of a provider: whether they can be had, and what they are good for."""

from collections.abc import Iterator

from gateway.doctor.asking import Asking, Heard, told
from gateway.doctor.demands import Wanted
from gateway.doctor.findings import Finding, Result, failure, ok, warning
from gateway.doctor.jwks import KeyFacts, NoKeySet, read_key_set
from gateway.doctor.shown import foreign, plain_url, plural
from gateway.policy import Unavailable

KEYS = "keys"
SEVERAL = 6
"""Keys that are ignored are told one by one up to here."""


async def fetch_keys(url: str, wanted: Wanted, ask: Asking) -> tuple[KeyFacts | None, list[Finding]]:
    """The keys, if any can be used, and what there is to say of them."""
    try:
        heard = await ask("GET", url)
    except Unavailable as failed:
        advice = "Look at the provider's log, or correct endpoints.jwks."
        return None, [_lacking(wanted, f"{plain_url(url)}: {told(failed)}", advice)]
    if heard.status != 200:
        return None, [_lacking(wanted, f"{plain_url(url)} answered {heard.status}.", _elsewhere(heard))]
    try:
        facts = read_key_set(heard.reply.body)
    except NoKeySet as fault:
        kind = foreign(heard.reply.media_type) or "no media type"
        seen = f"What {plain_url(url)} answered ({kind}) {fault}."
        return None, [_lacking(wanted, seen, _elsewhere(heard))]
    return (facts if facts.usable else None), list(_judged(facts, wanted))


def _lacking(wanted: Wanted, seen: str, advice: str) -> Finding:
    """No keys: that is a failure where tokens depend on them, and otherwise no second way when introspection fails."""
    return failure(KEYS, seen, advice) if wanted.needs_keys else warning(KEYS, seen, advice)


def _elsewhere(heard: Heard) -> str:
    if 300 <= heard.status < 400:
        location = heard.reply.headers.get("Location", "")
        return f"Redirects are not followed; write endpoints.jwks: {plain_url(location) or 'its URL'}"
    return "Write endpoints.jwks: the URL of the keys."


def _judged(facts: KeyFacts, wanted: Wanted) -> Iterator[Finding]:
    if facts.usable:
        yield ok(KEYS, f"{plural(len(facts.usable), 'usable key')} for {', '.join(facts.algorithms)}.")
    else:
        yield _lacking(wanted, "No key can be used.", "Let the provider sign with RSA (2048 bits), EC or Ed25519 keys.")
    for result, tell in ((Result.FAILURE, _leaking), (Result.WARNING, _unusable), (Result.OK, _not_for_us)):
        reasons = [f"{key.label} {key.reason}" for key in facts.ignored if key.result is result]
        if reasons:
            more = f"; and {len(reasons) - SEVERAL} more" if len(reasons) > SEVERAL else ""
            yield tell(f"{'; '.join(reasons[:SEVERAL])}{more}.")


def _leaking(reasons: str) -> Finding:
    advice = "Take it out of the published keys at once, and let the provider make a new one."
    return failure("published secret", f"Ignored: {reasons}", advice)


def _unusable(reasons: str) -> Finding:
    advice = "Tokens that it signs will be refused; let the provider replace it, if it signs any."
    return warning("ignored keys", f"Ignored: {reasons}", advice)


def _not_for_us(reasons: str) -> Finding:
    return ok("ignored keys", f"Ignored, as it should be: {reasons}")
