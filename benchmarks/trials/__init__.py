"""What happens to a gateway beside its load: each trial is a function, and says what its figures mean."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.peers import Peer
from benchmarks.scenarios import Check
from benchmarks.testbed import Gateway, Testbed

Figures = dict[str, float]
"""Measured numbers by the names of a trial's measures. One that could not be had is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`run` is tried on one gateway at a time. `seconds` is what it takes, for the forecast."""

    name: str
    title: str
    check: Check
    measures: Mapping[str, str]
    """What each figure is called in the table."""
    run: Callable[[Testbed, Gateway, str], Coroutine[Any, Any, Figures]]
    """Its last argument makes new tokens other than all before."""
    seconds: float
    needs_keys: bool = False
    """Only for gateways that fetch keys."""

    def suits(self, peer: Peer) -> bool:
        """Whether it makes sense for that gateway."""
        return self.check in peer.checks and peer.joins(self.name) and (peer.fetches_keys or not self.needs_keys)
