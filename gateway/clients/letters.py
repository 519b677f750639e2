"""A notice in words: the subject and the text of an e-mail. Pure."""

import datetime

from gateway.clients.notices import Notice, one_line

SUBJECTS = {
    "contract.requested": "Access to {api} is asked for by {application}",
    "contract.tier_asked": "Another tier of {api} is asked for by {application}",
    "contract.approved": "{application} may use {api}",
    "contract.refused": "{application} may not use {api}",
    "contract.revoked": "{application} may no longer use {api}",
    "contract.restored": "{application} may use {api} again",
    "contract.tier_changed": "{application} uses {api} in another tier",
    "client.deleted": "{application} was deleted",
    "client.secret_expires": "The secret of {application} expires",
    "client.secret_replaced": "The secret of {application} was replaced",
    "client.left_over": "{application} may exist twice at {provider}",
    "client.changed": "{application} was registered anew",
}
NEXT = {
    "contract.requested": "Approve or refuse it in the portal.",
    "contract.tier_asked": "Give it the tier, or leave it as it is, in the portal.",
    "contract.approved": "Its credentials are shown once, in the portal.",
    "client.secret_expires": "Have a new secret made in the portal before that.",
    "client.secret_replaced": "The new one is shown once, in the portal.",
    "client.changed": "Its new credentials are shown once, in the portal.",
    "client.left_over": "A registration there was not finished: look for a client of this name that nobody uses.",
}
LONGEST_REASON = 2_000


def subject(notice: Notice) -> str:
    """One line."""
    sentence = SUBJECTS.get(notice.verb, "Something happened to {application}")
    named = {"application": notice.application, "api": notice.api or "", "provider": notice.provider}
    return one_line(sentence.format(**{name: one_line(value, 80) for name, value in named.items()}))


def text(notice: Notice, portal: str = "") -> str:
    """The whole letter; what people wrote stands in it as text, line by line."""
    at = datetime.datetime.fromtimestamp(notice.at, datetime.UTC)
    facts = {
        "Application": notice.application,
        "API": notice.api or "",
        "Tier": notice.tier or "",
        "Developer": notice.asked_by,
        "At": f"{at:%Y-%m-%d %H:%M} UTC",
        "Reason": notice.reason,
    }
    lines = [f"{name}: {one_line(value, LONGEST_REASON)}" for name, value in facts.items() if value]
    told = [subject(notice) + ".", "", *lines, "", *filter(None, (NEXT.get(notice.verb), portal))]
    return "\n".join(told).rstrip() + "\n"
