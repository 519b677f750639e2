"""Made-up runs for the tests of what is drawn from a run."""

from benchmarks.load import Sample
from benchmarks.record import Measured, Record, Tried


def sample(rate: float, *, foreign: float = 0.0, wrong: int = 0, p99: float = 2.0) -> Sample:
    return Sample(
        requests=int(rate),
        rate=rate,
        p50=1.0,
        p99=p99,
        cpu=50.0,
        kernel=20.0,
        busy=0.98,
        load_busy=0.8,
        foreign=foreign,
        memory=40.0,
        wrong=wrong,
    )


def measured(scenario: str, gateway: str, *samples: Sample) -> list[Measured]:
    """One sample for each repetition."""
    return [
        Measured(scenario=scenario, gateway=gateway, repetition=number, attempt=1, sample=each)
        for number, each in enumerate(samples, 1)
    ]


def record(*rows: list[Measured], tried: list[Tried] | None = None) -> Record:
    return Record(
        began="2026-11-23 08:55 UTC",
        command="python -m benchmarks",
        machine={"processor": "Some <CPU>", "cores": "2"},
        versions={"nginx": "1.22"},
        options={"conc": 32, "reps": 2, "secs": 2},
        notes=["It was quiet."],
        measured=[each for row in rows for each in row],
        tried=tried or [],
    )
