"""What can be asked of `python -m benchmarks`."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import PEERS
from benchmarks.scenarios import SCENARIOS
from benchmarks.trials.all import TRIALS


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Empty `only` and `peers` mean all of them."""

    only: tuple[str, ...]
    peers: tuple[str, ...]
    reps: int
    secs: int
    conc: int
    out: Path | None
    draw: Path | None


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read them; mistakes, and `--help`, end the program."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure Tokenward beside others on this machine, over loopback.",
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="NAMES", type=_names({**SCENARIOS, **TRIALS}), default=())
    parser.add_argument("--peers", metavar="NAMES", type=_names(PEERS), default=())
    parser.add_argument("--reps", metavar="N", type=_positive, default=5, help="repetitions (5)")
    parser.add_argument("--secs", metavar="N", type=_positive, default=2, help="seconds of each load (2)")
    parser.add_argument("--conc", metavar="N", type=_positive, default=32, help="connections of the load (32)")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="where the results go (benchmarks/results/…)")
    parser.add_argument("--draw", metavar="FOLDER", type=Path, help="measure nothing: table and chart of a run anew")
    return Options(**vars(parser.parse_args(arguments)))


def _names(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    names = list(known)

    def read(text: str) -> tuple[str, ...]:
        asked = tuple(word.strip() for word in text.split(",") if word.strip())
        if unknown := [name for name in asked if name not in names]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(names)}")
        return asked

    return read


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a number from 1 on is needed")
    return int(text)


def _epilog() -> str:
    titles = {name: scenario.title for name, scenario in SCENARIOS.items()}
    titles |= {name: trial.title for name, trial in TRIALS.items()}
    lines = [f"  {name:12}{title}" for name, title in titles.items()]
    return "\n".join(["scenarios for --only, with commas between:", *lines, f"peers: {', '.join(PEERS)}"])
