"""Times, limits, states and choices in the words that people read. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from gateway.clients.catalogue import Limit
from gateway.clients.client import ClientState
from gateway.clients.life import State

Tone = Literal["waiting", "good", "bad", "quiet"]
"""How a badge or a note is coloured; its words say the same."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in words, with a colour beside them."""

    words: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, for machines (`datetime` of HTML) and for people."""

    machine: str
    people: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several, for a select, radio buttons or checkboxes."""

    value: str
    title: str
    about: str = ""


AGREEMENT_BADGES: dict[State, Badge] = {
    State.REQUESTED: Badge("Waiting for a decision", "waiting"),
    State.ACTIVE: Badge("In force", "good"),
    State.REFUSED: Badge("Refused", "bad"),
    State.REVOKED: Badge("Revoked", "bad"),
}
CLIENT_BADGES: dict[ClientState, Badge] = {
    ClientState.DRAFT: Badge("Not registered yet", "quiet"),
    ClientState.REGISTERING: Badge("Being registered", "waiting"),
    ClientState.REGISTERED: Badge("Registered", "good"),
    ClientState.DELETED: Badge("Deleted", "quiet"),
}
GRANTS: dict[str, tuple[str, str]] = {
    "client_credentials": ("On its own behalf", "A server or a job that no user is signed in to."),
    "authorization_code": ("On behalf of its users", "They sign in and agree; needs a redirect URI."),
    "refresh_token": ("Keeps access while a user is away", "Goes together with users who sign in."),
}
"""Grant types (RFC 7591, 2): a title, and who needs it."""
AUTHENTICATIONS: dict[str, tuple[str, str]] = {
    "client_secret_basic": ("With a secret, in a header", "For servers. What most libraries do by themselves."),
    "client_secret_post": ("With a secret, in the form", "For servers whose library cannot use the header."),
    "none": ("Without a secret", "For apps in a browser or on a phone: they can keep no secret."),
}
"""Ways to prove oneself at the token endpoint (RFC 7591, 2)."""
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_SHORTEST = "%d %B %Y, %H:%M UTC"


def moment(at: float) -> Moment:
    """A time given in seconds since the epoch."""
    time = datetime.fromtimestamp(at, UTC)
    return Moment(time.strftime("%Y-%m-%dT%H:%M:%SZ"), time.strftime(_SHORTEST).removeprefix("0"))


def counted(number: int, noun: str) -> str:
    """`1 request`, `1,200 requests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def span(seconds: float) -> str:
    """A length of time in its largest whole unit: `minute`, `30 seconds`, `7 days`."""
    for size, noun in _UNITS:
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return noun if number == 1 else counted(number, noun)
    return f"{seconds:g} seconds"


def limit(of: Limit) -> str:
    """`100 requests per minute`, `10 requests in 30 seconds`."""
    window = span(of.seconds)
    return f"{counted(of.requests, 'request')} {'in' if window[0].isdigit() else 'per'} {window}"


def approval(automatic: bool) -> str:
    """Who decides about a request for access."""
    return "Access is given at once." if automatic else "The owners of the API decide about your request."


def grants(values: tuple[str, ...]) -> tuple[Choice, ...]:
    """Grant types to choose from."""
    return tuple(Choice(value, *GRANTS.get(value, (value, ""))) for value in values)


def authentications(values: tuple[str, ...]) -> tuple[Choice, ...]:
    """Ways to prove oneself to choose from."""
    return tuple(Choice(value, *AUTHENTICATIONS.get(value, (value, ""))) for value in values)
