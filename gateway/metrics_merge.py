"""The metrics of several workers as if they were one process. No I/O.

Counters and histograms are added up, those of workers that ended included: Prometheus takes a counter that falls for a
restart, and would count everything before it a second time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

SeriesKey: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and labels."""
Rule: TypeAlias = Callable[[float, float], float]

_GAUGE_RULES: tuple[tuple[str, Rule], ...] = (
    # What is the same in every worker.
    ("_info", max),
    ("process_max_fds", max),
    # States: the worst worker is shown, or an alert would never see it.
    ("_successful", min),
    ("_target_up", min),
    ("_timestamp_seconds", min),
    ("process_start_time_seconds", min),
    ("circuit_open", max),
)
"""By the end of the name. Any other gauge is an amount (in flight, entries, bytes), and amounts are added up."""


@dataclass(slots=True)
class _Family:
    name: str
    documentation: str
    kind: str
    values: dict[SeriesKey, float] = field(default_factory=dict)


Families: TypeAlias = dict[str, _Family]


class Ledger:
    """The metrics of a changing set of workers, by worker. What one said last counts until it says more."""

    def __init__(self) -> None:
        self._said: dict[int, Families] = {}
        self._retired: Families = {}
        self.exits = 0
        """Workers that ended."""

    def update(self, worker: int, text: str) -> None:
        """Take what a worker says. Raises ValueError where it is not Prometheus' text format."""
        self._said[worker] = _read(text)

    def retire(self, worker: int) -> None:
        """The worker ended: its totals stay, its gauges do not."""
        self.exits += 1
        for family in self._said.pop(worker, {}).values():
            if family.kind in {"counter", "histogram"}:
                _add(self._retired, family)

    def text(self, workers: int) -> str:
        """Everything, in Prometheus' text format, while `workers` of them serve."""
        merged: Families = {}
        for families in (self._retired, *self._said.values()):
            for family in families.values():
                _add(merged, family)
        registry = CollectorRegistry()
        registry.register(_Shown((*map(_shown, merged.values()), *self._own(workers))))
        return generate_latest(registry).decode()

    def _own(self, workers: int) -> Iterable[Metric]:
        yield GaugeMetricFamily("tokenward_workers", "Workers that serve.", value=workers)
        yield CounterMetricFamily("tokenward_worker_exits", "Workers that ended.", value=self.exits)


class _Shown(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _read(text: str) -> Families:
    families: Families = {}
    for metric in text_string_to_metric_families(text):
        family = families[metric.name] = _Family(metric.name, metric.documentation, metric.type)
        for sample in metric.samples:
            family.values[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return families


def _add(to: Families, family: _Family) -> None:
    into = to.setdefault(family.name, _Family(family.name, family.documentation, family.kind))
    rule = _rule(family)
    for series, value in family.values.items():
        into.values[series] = rule(into.values[series], value) if series in into.values else value


def _rule(family: _Family) -> Rule:
    if family.kind == "gauge":
        for ending, rule in _GAUGE_RULES:
            if family.name.endswith(ending):
                return rule
    return _sum


def _sum(one: float, other: float) -> float:
    return one + other


def _shown(family: _Family) -> Metric:
    metric = Metric(family.name, family.documentation, family.kind)
    for (name, labels), value in family.values.items():
        metric.add_sample(name, dict(labels), value)
    return metric
