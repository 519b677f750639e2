"""A whole run: repetition by repetition, scenario by scenario, the gateways taking turns."""

import asyncio
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import uvloop

from benchmarks import machine
from benchmarks.callers import ask_each, request
from benchmarks.chart import draw, groups
from benchmarks.load import Sample, put_under
from benchmarks.options import Options
from benchmarks.peers import Peer
from benchmarks.plan import START, WARM, Plan
from benchmarks.processes import crew, preferred
from benchmarks.progress import Progress
from benchmarks.provider import has_lua
from benchmarks.record import Measured, Record, Tried, read_record, write_record
from benchmarks.scenarios import SCENARIOS, Check, Scenario, Tokens
from benchmarks.table import page
from benchmarks.testbed import Cores, Gateway, Testbed, add_signed_tokens, testbed
from benchmarks.tokens import read_tokens
from benchmarks.trials import Trial
from gateway.clock import SystemClock

RESULTS = Path(__file__).parent / "results"
QUIET = 0.10
"""Cores of foreign work above which a sample is taken again."""
ATTEMPTS = 3


@dataclass(slots=True)
class Run:
    """A run under way."""

    plan: Plan
    bed: Testbed
    record: Record
    progress: Progress
    marks: Iterator[int] = field(default_factory=count)

    def repeat(self, repetition: int) -> None:
        """Everything once, with gateways that have just been started."""
        for peer in self.plan.turns(self.plan.peers, repetition):
            self.progress.say(f"repetition {repetition}: starting {peer.name}")
            self._warm(self.bed.start(peer))
            self.progress.finished(START + WARM)
        for number, scenario in enumerate(self.plan.scenarios):
            takers = [peer for peer in self.plan.peers if peer.can(scenario)]
            for peer in self.plan.turns(takers, repetition + number):
                self._measure(scenario, self.bed.gateways[peer.name], repetition)
        for number, trial in enumerate(self.plan.trials):
            takers = [peer for peer in self.plan.peers if trial.suits(peer)]
            for peer in self.plan.turns(takers, repetition + number):
                self._try(trial, self.bed.gateways[peer.name], repetition)
        self.bed.end_gateways()

    def _measure(self, scenario: Scenario, gateway: Gateway, repetition: int) -> None:
        best: Sample | None = None
        attempt = 0
        while attempt < ATTEMPTS and (best is None or best.foreign > QUIET):
            time.sleep(attempt)  # what disturbed may be over
            attempt += 1
            self._prepare(scenario, gateway)
            sample = self._put_under(scenario, gateway, self.plan.options.secs)
            if best is None or sample.foreign < best.foreign:
                best = sample
        assert best is not None
        self.record.measured.append(
            Measured(
                scenario=scenario.name,
                gateway=gateway.peer.name,
                repetition=repetition,
                attempt=attempt,
                sample=best,
            )
        )
        self.progress.finished(self.plan.seconds(scenario))
        self.progress.say(
            f"repetition {repetition}, {scenario.name}, {gateway.peer.name}: {best.rate:,.0f}/s, {best.cpu:.0f} µs, "
            f"foreign {best.foreign:.0%}, wrong {best.wrong}, attempt {attempt}"
        )

    def _prepare(self, scenario: Scenario, gateway: Gateway) -> None:
        """Make the gateway know the tokens that it should know, and no others."""
        if scenario.check not in gateway.peer.checks:
            return
        if scenario.needs_signed_tokens:
            self.bed.restart(gateway)
            self._put_under(replace(scenario, tokens=Tokens.ONE), gateway, WARM)
        if scenario.tokens is Tokens.TEN_THOUSAND:
            sent = (request(scenario.path, token) for token in read_tokens(self.bed.folder, Check.OPAQUE))
            asyncio.run(ask_each(gateway.port, sent))

    def _warm(self, gateway: Gateway) -> None:
        checks = gateway.peer.checks
        scenario = SCENARIOS["opaque1" if Check.OPAQUE in checks else "plain"]
        self._put_under(scenario, gateway, WARM)

    def _put_under(self, scenario: Scenario, gateway: Gateway, seconds: int) -> Sample:
        return put_under(self.bed, gateway, scenario, self.plan.options.conc, seconds, self._mark())

    def _try(self, trial: Trial, gateway: Gateway, repetition: int) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures = runner.run(trial.run(self.bed, gateway, self._mark()))
        self.record.tried.append(
            Tried(trial=trial.name, gateway=gateway.peer.name, repetition=repetition, figures=figures)
        )
        self.progress.finished(trial.seconds)
        said = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.progress.say(f"repetition {repetition}, {trial.name}, {gateway.peer.name}: {said}")

    def _mark(self) -> str:
        return f"-{next(self.marks)}-"


def measure(peers: Sequence[Peer], options: Options) -> Path:
    """Measure them, and write what came out; gives the folder of the results."""
    cores = Cores.of(sorted(os.sched_getaffinity(0)))
    plan = Plan.of(peers, options)
    record = _record(plan)
    progress = Progress(plan.forecast)
    with (
        tempfile.TemporaryDirectory(prefix="tokenward-benchmarks-") as folder,
        preferred(),
        crew(Path(folder)) as hands,
    ):
        # Debian's Apache has its children run as another user.
        Path(folder).chmod(0o755)
        with testbed(hands, cores) as bed:
            for algorithm in plan.algorithms:
                add_signed_tokens(bed, algorithm, plan.signed, progress.say)
            progress.finished(plan.signing)
            os.sched_setaffinity(0, {int(core) for core in cores.load.split(",")})
            run = Run(plan, bed, record, progress)
            for repetition in range(1, options.reps + 1):
                run.repeat(repetition)
    record.notes.append(f"Load average at the end: {_load()}.")
    target = options.out or unused(RESULTS / machine.folder_name(record.began[:10], record.machine))
    target.mkdir(parents=True, exist_ok=True)
    write_record(record, target / "data.json")
    # As it can be read later, so that drawing it anew changes nothing.
    draw_results(read_record(target / "data.json"), target)
    return target


def unused(folder: Path) -> Path:
    """The folder, or one with a number behind its name where that has results already."""
    names = (folder, *(folder.with_name(f"{folder.name}-{number}") for number in range(2, 100)))
    return next(each for each in names if not (each / "data.json").exists())


def draw_results(record: Record, folder: Path) -> None:
    """Write the table and, where loads were measured, the chart."""
    (folder / "table.md").write_text(page(record))
    if drawn := groups(record):
        options = record.options
        about = (
            f"{record.machine['processor']}, one core a gateway, {options['conc']} connections, "
            f"median and spread of {options['reps']} repetitions, {record.began[:10]}"
        )
        (folder / "chart.svg").write_text(draw(drawn, about))


def _record(plan: Plan) -> Record:
    options = {name: value for name, value in asdict(plan.options).items() if name not in ("out", "draw")}
    return Record(
        began=datetime.fromtimestamp(SystemClock().time(), UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=shlex.join(["python", "-m", "benchmarks", *_said(sys.argv[1:])]),
        machine=machine.describe(),
        versions=machine.versions(plan.peers),
        options=options,
        notes=[
            f"Load average at the beginning: {_load()}.",
            f"The identity provider was {'nginx with Lua' if has_lua() else 'the stub on aiohttp'}.",
        ],
    )


def _said(arguments: Sequence[str]) -> list[str]:
    """The arguments without the folder of the results, which is nobody's business."""
    kept = list(arguments)
    while "--out" in kept:
        index = kept.index("--out")
        del kept[index : index + 2]
    return kept


def _load() -> str:
    return ", ".join(f"{each:.2f}" for each in os.getloadavg())
