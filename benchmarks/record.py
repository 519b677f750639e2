"""What a run measured, as it is kept: data.json, from which the table and the chart are drawn."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A sample, and what it is of."""

    scenario: str
    gateway: str
    repetition: int
    attempt: int
    """How often it was measured: again where others disturbed. All but the quietest are dropped."""
    sample: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The figures of a trial with one gateway, once."""

    trial: str
    gateway: str
    repetition: int
    figures: dict[str, float]


@dataclass(slots=True, kw_only=True)
class Record:
    """One run."""

    began: str
    """Date and time, in UTC."""
    command: str
    machine: dict[str, str]
    versions: dict[str, str]
    options: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    """What a reader should know before the figures are compared."""
    measured: list[Measured] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)

    def samples(self, scenario: str, gateway: str) -> dict[int, Sample]:
        """The samples of that by repetition."""
        return {
            each.repetition: each.sample
            for each in self.measured
            if (each.scenario, each.gateway) == (scenario, gateway)
        }

    def figures(self, trial: str, gateway: str) -> list[dict[str, float]]:
        """The figures of that, repetition by repetition."""
        return [each.figures for each in self.tried if (each.trial, each.gateway) == (trial, gateway)]

    def gateways(self, names: Iterable[str]) -> list[str]:
        """Those of these names that took part in something."""
        there = {each.gateway for each in self.measured} | {each.gateway for each in self.tried}
        return [name for name in names if name in there]


def write_record(record: Record, file: Path) -> None:
    """Keep it."""
    file.write_text(json.dumps(_rounded(asdict(record)), indent=1) + "\n")


def read_record(file: Path) -> Record:
    """Have it back."""
    said = json.loads(file.read_text())
    measured = [Measured(**{**each, "sample": Sample(**each["sample"])}) for each in said.pop("measured")]
    tried = [Tried(**each) for each in said.pop("tried")]
    return Record(**said, measured=measured, tried=tried)


def _rounded(value: Any) -> Any:
    """Without digits that nobody measured."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
