"""What a run does, in which order, and how long it should take."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load import SIGNED_PER_SECOND
from benchmarks.options import Options
from benchmarks.peers import Peer
from benchmarks.scenarios import SCENARIOS, Scenario, Tokens
from benchmarks.trials import Trial
from benchmarks.trials.all import TRIALS

WARM = 1
"""Seconds of load before a gateway is measured."""
AROUND = 0.5
START = 1.5
FILL = 5.0
SIGNING = 0.0004
"""Seconds that things take, for the forecast."""


@dataclass(slots=True)
class Plan:
    """What is to be done in each repetition."""

    peers: Sequence[Peer]
    scenarios: Sequence[Scenario]
    trials: Sequence[Trial]
    options: Options

    @classmethod
    def of(cls, peers: Sequence[Peer], options: Options) -> "Plan":
        """What the options ask for."""
        scenarios = [each for each in SCENARIOS.values() if not options.only or each.name in options.only]
        trials = [each for each in TRIALS.values() if not options.only or each.name in options.only]
        busy = [peer for peer in peers if any(map(peer.can, scenarios)) or any(each.suits(peer) for each in trials)]
        return cls(busy, scenarios, trials, options)

    def turns(self, names: Sequence[Peer], number: int) -> list[Peer]:
        """In another order each time: nobody is always the first."""
        shift = number % len(names) if names else 0
        return [*names[shift:], *names[:shift]]

    def seconds(self, scenario: Scenario) -> float:
        """What one sample takes, about."""
        extra = (START + WARM) * scenario.needs_signed_tokens + FILL * (scenario.tokens is Tokens.TEN_THOUSAND)
        return self.options.secs + AROUND + extra

    @property
    def forecast(self) -> float:
        """Seconds that everything takes, about."""
        samples = sum(self.seconds(each) for each in self.scenarios for peer in self.peers if peer.can(each))
        trials = sum(each.seconds for each in self.trials for peer in self.peers if each.suits(peer))
        return self.signing + self.options.reps * (samples + trials + len(self.peers) * (START + WARM))

    @property
    def algorithms(self) -> list[str]:
        """Those for which many tokens are needed."""
        return [each.check.upper() for each in self.scenarios if each.needs_signed_tokens]

    @property
    def signed(self) -> int:
        """How many of each."""
        return SIGNED_PER_SECOND * self.options.secs

    @property
    def signing(self) -> float:
        """Seconds that making them takes, about."""
        return len(self.algorithms) * self.signed * SIGNING
