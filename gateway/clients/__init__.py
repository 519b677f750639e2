"""Clients and their contracts: which application may use which API, answered from memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gateway.policy import Unavailable

Key: TypeAlias = tuple[str, str, str]
"""Provider, client id, API: ids of two providers may be alike."""
ClientKey: TypeAlias = tuple[str, str]
"""Provider and client id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A client's permission to use an API, in force."""

    provider: str
    client_id: str
    api: str
    tier: str | None = None

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.provider, self.client_id, self.api


class Register:
    """The contracts in force as the store has them, in the memory of this process; changes come while it runs."""

    def __init__(self) -> None:
        self.of: dict[ClientKey, Mapping[str, Contract]] = {}
        """Each client's contracts by API."""
        self.blocked: set[ClientKey] = set()
        self.read = False
        """Whether the store has been read: before that, nobody knows who has a contract."""

    def replace(self, contracts: Iterable[Contract], blocked: Iterable[ClientKey]) -> set[ClientKey]:
        """What the store says now. The clients that lost something: their tokens are to be forgotten."""
        now: dict[ClientKey, dict[str, Contract]] = {}
        for contract in contracts:
            now.setdefault((contract.provider, contract.client_id), {})[contract.api] = contract
        blocked_now = set(blocked)
        lost = {client for client, before in self.of.items() if before.keys() - now.get(client, {}).keys()}
        lost |= blocked_now - self.blocked
        self.of, self.blocked, self.read = dict(now), blocked_now, True
        return lost

    def change(self, client: ClientKey, contracts: Iterable[Contract], *, blocked: bool) -> bool:
        """What the store says now of one client. Whether it lost something: then its tokens are to be forgotten."""
        now = {contract.api: contract for contract in contracts}
        lost = bool(self.of.get(client, {}).keys() - now.keys()) or (blocked and client not in self.blocked)
        self.of[client] = now
        if not now:
            del self.of[client]
        if blocked:
            self.blocked.add(client)
        else:
            self.blocked.discard(client)
        return lost


def _none_stored() -> Register:
    """The register of a gateway without a store: it has been read, and is empty."""
    register = Register()
    register.read = True
    return register


class Directory:
    """Who may use what: the contracts of the configuration, and those of the store."""

    def __init__(self, contracts: Iterable[Contract] = (), register: Register | None = None) -> None:
        self._configured: Mapping[Key, Contract] = {contract.key: contract for contract in contracts}
        self._register = register or _none_stored()

    def contract(self, provider: str, client_id: str, api: str) -> Contract | None:
        """The contract of that client for that API, if one is in force. Raises `Unavailable` while nobody knows."""
        found = self._configured.get((provider, client_id, api))
        if found is not None:
            return found
        register = self._register
        if not register.read:
            raise _unknown()
        contracts = register.of.get((provider, client_id))
        return None if contracts is None else contracts.get(api)

    def is_blocked(self, provider: str, client_id: str) -> bool:
        """Whether that client was deleted here: no token of it counts, whatever its provider says.

        Raises `Unavailable` while nobody knows.
        """
        if not self._register.read:
            raise _unknown()
        return (provider, client_id) in self._register.blocked


def _unknown() -> Unavailable:
    return Unavailable("The contracts have not been read yet.", code="contracts_unknown")
