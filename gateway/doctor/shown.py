"""What may be shown: words of others without their control characters, URLs without their queries, no secret."""

import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote_plus

from gateway.doctor.findings import Finding
from gateway.providers import ClientCredentials
from gateway.settings.mistakes import without
from gateway.settings.providers import secret_of

HIDDEN = "[hidden]"
LONGEST = 120
"""Characters of what somebody else says; the rest is left out."""
MOST = 12
"""How many words of somebody else's list."""
MARKS = re.compile(r"[^\x20-\x7e]")
"""A terminal obeys some of these."""


def foreign(value: object) -> str:
    """What somebody else said, on one line of plain ASCII."""
    text = MARKS.sub("?", value if isinstance(value, str) else str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def listed(values: Iterable[object]) -> str:
    """Words of somebody else between commas; `none` where there are none."""
    words = [foreign(value) for value in values]
    return ", ".join([*words[:MOST], *(["…"] if len(words) > MOST else [])]) or "none"


def plain_url(url: str) -> str:
    """The URL without its query, where keys are found at times."""
    return foreign(url.partition("?")[0])


def plural(count: int, thing: str) -> str:
    """`1 key`, `2 keys`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def secrets_of(credentials: ClientCredentials | None) -> set[str]:
    """What must not be shown of our client, in every spelling in which it is sent."""
    if credentials is None:
        return set()
    secret, header = secret_of(credentials.client_secret), secret_of(credentials.authorization)
    pair = f"{quote_plus(credentials.client_id)}:{quote_plus(secret)}"
    sent = {secret, quote_plus(secret), header, header.rpartition(" ")[2], secret_of(credentials.private_key)}
    return {each for each in sent if each} | ({b64encode(pair.encode()).decode()} if secret else set())


def hidden(secrets: Iterable[str], finding: Finding) -> Finding:
    """The finding without the secrets, wherever a sentence came to hold one."""
    hides = dict.fromkeys(secrets, HIDDEN)
    return Finding(
        subject=finding.subject,
        check=finding.check,
        result=finding.result,
        seen=without(hides, finding.seen),
        advice=without(hides, finding.advice),
    )
