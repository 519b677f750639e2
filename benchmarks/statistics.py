"""Medians and spreads. A ratio is taken inside each repetition, between neighbours in time: machines drift."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, with the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Raises ValueError where there are no values."""
        several = list(values)
        if not several:
            raise ValueError("nothing was measured")
        return cls(median(several), min(several), max(several))


def ratio(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Spread | None:
    """The spread of the ratios within the repetitions that both have; None where there is none."""
    ratios = [ours[each] / theirs[each] for each in ours if theirs.get(each)]
    return Spread.of(ratios) if ratios else None
