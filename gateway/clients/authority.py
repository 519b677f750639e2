"""Who may do what to applications and contracts: the one place that says so. Pure."""

from gateway.clients.client import Actor, Client, Person
from gateway.clients.mistakes import NotAllowed, NotFound


def same_person(one: Person | None, other: Person | None) -> bool:
    """Names and addresses change; provider and subject do not."""
    if one is None or other is None:
        return False
    return (one.provider, one.subject) == (other.provider, other.subject)


def own_or_decides(client: Client | None, by: Actor, what: str = "application") -> Client:
    """The client, to whoever may see and change it. What is somebody else's does not exist: raises `NotFound`."""
    if client is None or not (by.decides or same_person(client.owner, by.person)):
        raise NotFound(what)
    return client


def may_hold_secret(client: Client, by: Actor) -> bool:
    """Whether the secret may be shown to this actor, who may see the client.

    Whoever decides about requests has no use for it: with somebody else's secret one acts in that one's name.
    """
    return by.decides if by.person is None else same_person(client.owner, by.person)


def must_hold_secret(client: Client, by: Actor) -> None:
    """Raises `NotAllowed`."""
    if not may_hold_secret(client, by):
        raise NotAllowed("The credentials are for whoever the application belongs to.")


def must_decide(by: Actor) -> None:
    """Raises `NotAllowed`."""
    if not by.decides:
        raise NotAllowed


def named(by: Actor) -> str:
    """The actor as the audit log names it."""
    return by.called if by.person is None else f"{by.person.provider}:{by.person.subject}"
