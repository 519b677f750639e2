"""Clients and their contracts: which application may use which API, answered from memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A client's permission to use an API."""

    provider: str
    client_id: str
    api: str
    tier: str | None = None


class Directory:
    """The contracts in force, in memory. A client is known by its provider: ids of two providers may be alike."""

    def __init__(self, contracts: Iterable[Contract] = ()) -> None:
        self._in_force: dict[Key, Contract] = {
            (contract.provider, contract.client_id, contract.api): contract for contract in contracts
        }

    def contract(self, provider: str, client_id: str, api: str) -> Contract | None:
        """The contract of that client for that API, if one is in force."""
        return self._in_force.get((provider, client_id, api))
