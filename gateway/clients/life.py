"""The life of a contract, as a table."""

from enum import StrEnum


class State(StrEnum):
    """Where a contract stands."""

    REQUESTED = "requested"
    ACTIVE = "active"
    REFUSED = "refused"
    REVOKED = "revoked"


class Verb(StrEnum):
    """What somebody does to a contract."""

    APPROVE = "approve"
    REFUSE = "refuse"
    REVOKE = "revoke"
    RESTORE = "restore"


LIFE: dict[tuple[State, Verb], State] = {
    (State.REQUESTED, Verb.APPROVE): State.ACTIVE,
    (State.REQUESTED, Verb.REFUSE): State.REFUSED,
    (State.ACTIVE, Verb.REVOKE): State.REVOKED,
    (State.REVOKED, Verb.RESTORE): State.ACTIVE,
}
"""What can happen; nothing else does."""


class NotPossible(ValueError):
    """A contract in this state knows no such step."""

    def __init__(self, state: State, verb: Verb) -> None:
        possible = " or ".join(verbs_of(state)) or "nothing"
        super().__init__(f"a contract that is {state} takes {possible}, and no {verb}")
        self.state = state
        self.verb = verb


def after(state: State, verb: Verb) -> State:
    """The state that follows. Raises `NotPossible`."""
    try:
        return LIFE[state, verb]
    except KeyError:
        raise NotPossible(state, verb) from None


def verbs_of(state: State) -> tuple[Verb, ...]:
    """What may be done to a contract in that state."""
    return tuple(verb for before, verb in LIFE if before is state)
