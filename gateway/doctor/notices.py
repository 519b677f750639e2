"""Where notices go: whether the mail server takes us, and the webhook can be reached. Nothing is sent."""

import asyncio

from gateway.clients.mail import MailChannel, open_mail
from gateway.clients.notices import Undeliverable
from gateway.clients.options import Mail, Webhook
from gateway.doctor.connections import Fault, Place, Way, place_of
from gateway.doctor.findings import Examined, Finding, failure, ok
from gateway.doctor.reachability import UnusableFile, client_tls, reach
from gateway.doctor.shown import foreign
from gateway.policy import Unavailable
from gateway.settings.providers import secret_of

MAIL = "management.notices.mail"
WEBHOOK = "management.notices.webhook"
LOGIN = "log in"


async def examine_mail(options: Mail, now: float) -> Examined:
    """Connect as for a notice, log in, and leave; `now` in seconds since the epoch."""
    place = Place(options.host, options.port, options.security == "tls")
    reached = await _reach(place, options.ca_file, options.timeout, now, MAIL)
    findings = [*reached.findings]
    if all(not each.advice or each.check != "reachable" for each in findings) and findings[0].check != "files":
        findings.append(await _greet(options))
    return Examined(findings=tuple(findings), secrets=frozenset({secret_of(options.password)} - {""}))


async def examine_webhook(options: Webhook, now: float) -> Examined:
    """Connect, and hang up; `now` in seconds since the epoch."""
    reached = await _reach(place_of(options.url), options.ca_file, options.timeout, now, WEBHOOK)
    return Examined(findings=reached.findings, secrets=frozenset({secret_of(options.secret)}))


async def _reach(place: Place, ca_file: str | None, timeout: float, now: float, section: str) -> Examined:
    try:
        tls = await asyncio.to_thread(client_tls, ca_file, None, None)
    except UnusableFile as fault:
        found = failure(
            "files", f"{section}.{fault}; the gateway would not start with it.", f"Correct {section}.ca_file."
        )
        return Examined(findings=(found,))
    way = Way(timeout=timeout, tls=tls, ca_file=ca_file)
    return Examined(findings=(await reach(place, way, now=now, section=section, code_of=_code)).findings)


def _code(_: Fault) -> str:
    """What comes of it."""
    return "no notice arrives"


async def _greet(options: Mail) -> Finding:
    try:
        channel: MailChannel = await open_mail(options)
        await channel.greet()
    except Undeliverable as refused:
        seen = f"Connected to {foreign(options.host)}, {refused}."
        advice = f"Correct {MAIL}.username and password, or sender, if {foreign(options.sender)} is nothing it takes."
        return failure(LOGIN, seen, advice)
    except Unavailable as failed:
        return failure(LOGIN, f"Connected to {foreign(options.host)}, {failed.detail}.", _other_way(options))
    secured = {"starttls": "by STARTTLS", "tls": "by TLS", "none": "without encryption"}[options.security]
    if options.username is None:
        return ok(LOGIN, f"The server talks to us, {secured}; no user is configured to log in.")
    return ok(LOGIN, f"The server takes our user, {secured}. Nothing was sent.")


def _other_way(options: Mail) -> str:
    match options.security:
        case "starttls":
            return f"If it has no STARTTLS, write {MAIL}.security: tls (mostly port 465); else look at its certificate."
        case "tls":
            return f"If it begins without TLS, write {MAIL}.security: starttls (mostly port 587)."
        case _:
            return f"If it wants encryption, write {MAIL}.security: starttls."
