"""The results of a run in Markdown."""

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.peers import BASELINE, PEERS, RIVALS
from benchmarks.record import Record
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.statistics import Spread, ratio
from benchmarks.trials import Trial
from benchmarks.trials.all import TRIALS

COLUMNS = (
    "gateway",
    "req/s (min to max)",
    "/ nginx",
    "/ mod_oauth2",
    "p50 ms",
    "p99 ms",
    "CPU µs",
    "core",
    "PSS MB",
    "foreign",
    "wrong",
)
NOTHING = "-"


def page(record: Record) -> str:
    """A whole page: the machine, a table for each scenario and trial, and how to read them."""
    parts = [f"# Run of {record.began}", _about(record), READING]
    measured, tried = {each.scenario for each in record.measured}, {each.trial for each in record.tried}
    parts += [_scenario(record, scenario) for name, scenario in SCENARIOS.items() if name in measured]
    parts += [_trial(record, trial) for name, trial in TRIALS.items() if name in tried]
    return "\n\n".join(parts) + "\n"


READING = """\
Medians of the repetitions. A ratio is the median of the ratios inside the repetitions: to nginx, which passes the
same requests as a plain proxy without a check, and to Apache with mod_oauth2. *CPU*: microseconds of the gateway for
one request. *core*: how much of its core the gateway used; well below 100%, the load side was the limit. *foreign*:
the most that other work took in any repetition, of one core. *wrong*: answers that were not the upstream's, in all
repetitions."""


def rates(record: Record, scenario: str, gateway: str) -> dict[int, float]:
    """Requests a second by repetition."""
    return {number: sample.rate for number, sample in record.samples(scenario, gateway).items()}


def to_nginx(record: Record, scenario: Scenario, gateway: str) -> Spread | None:
    """How fast it is, where nginx does the same without a check."""
    return ratio(rates(record, scenario.name, gateway), rates(record, scenario.name, BASELINE))


def to_mod_oauth2(record: Record, scenario: Scenario, gateway: str) -> Spread | None:
    """How fast it is, where Apache does the same."""
    found = (ratio(rates(record, scenario.name, gateway), rates(record, scenario.name, rival)) for rival in RIVALS)
    return next((each for each in found if each), None)


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is text, the others numbers."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: float) -> str:
    """As many digits as mean something."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _about(record: Record) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in record.machine.items())
    installed = ", ".join(f"{name} {value}" for name, value in record.versions.items())
    lines = [f"- Command: `{record.command}`", f"- Machine: {machine}", f"- Versions: {installed}"]
    return "\n".join([*lines, *(f"- {note}" for note in record.notes)])


def _scenario(record: Record, scenario: Scenario) -> str:
    there = [name for name in record.gateways(PEERS) if record.samples(scenario.name, name)]
    table = markdown(COLUMNS, (_row(record, scenario, name) for name in there))
    return f"## {scenario.name}: {scenario.title}\n\n{table}"


def _row(record: Record, scenario: Scenario, gateway: str) -> list[str]:
    samples = list(record.samples(scenario.name, gateway).values())
    rate = Spread.of(sample.rate for sample in samples)
    return [
        PEERS[gateway].title,
        f"{number(rate.median)} ({number(rate.low)} to {number(rate.high)})",
        _ratio(to_nginx(record, scenario, gateway)),
        _ratio(to_mod_oauth2(record, scenario, gateway)),
        number(median(sample.p50 for sample in samples)),
        number(median(sample.p99 for sample in samples)),
        number(median(sample.cpu for sample in samples)),
        f"{median(sample.busy for sample in samples):.0%}",
        number(median(sample.memory for sample in samples)),
        f"{max(sample.foreign for sample in samples):.0%}",
        f"{sum(sample.wrong for sample in samples):,}",
    ]


def _ratio(found: Spread | None) -> str:
    return f"{found.median:.2f} ({found.low:.2f} to {found.high:.2f})" if found else NOTHING


def _trial(record: Record, trial: Trial) -> str:
    there = [name for name in record.gateways(PEERS) if record.figures(trial.name, name)]
    table = markdown(("gateway", *trial.measures.values()), (_figures(record, trial, name) for name in there))
    return f"## {trial.name}: {trial.title}\n\n{table}"


def _figures(record: Record, trial: Trial, gateway: str) -> list[str]:
    found = record.figures(trial.name, gateway)
    several = ([each[measure] for each in found if measure in each] for measure in trial.measures)
    return [PEERS[gateway].title, *(_figure(Spread.of(values)) if values else NOTHING for values in several)]


def _figure(found: Spread) -> str:
    if found.low == found.high:
        return number(found.median)
    return f"{number(found.median)} ({number(found.low)} to {number(found.high)})"
