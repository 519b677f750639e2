"""Every series of one process, by name and labels, as prometheus-client asks for them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.series import Count, Distribution, Level

S = TypeVar("S", Count, Level, Distribution)


@dataclass(frozen=True, slots=True)
class Family(Generic[S]):
    """The series of one name: one for each set of label values."""

    name: str
    description: str
    labels: tuple[str, ...]
    make: Callable[[], S]
    series: dict[tuple[str, ...], S] = field(default_factory=dict)

    def of(self, values: dict[str, str]) -> S:
        """The series with these label values; a new one starts at zero."""
        key = tuple(values[label] for label in self.labels)
        found = self.series.get(key)
        if found is None:
            found = self.series[key] = self.make()
        return found

    def drop(self, values: dict[str, str]) -> None:
        """Without the series with these label values."""
        self.series.pop(tuple(values[label] for label in self.labels), None)


class SeriesCollector(Collector):
    """Every series of one process. Implements `gateway.ports.Metrics`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._counters: dict[str, Family[Count]] = {}
        self._gauges: dict[str, Family[Level]] = {}
        self._histograms: dict[str, Family[Distribution]] = {}

    def counter(self, name: str, description: str, /, **labels: str) -> Count:
        """Shown as `<prefix><name>_total`; raises ValueError where the name is taken with other labels."""
        name = name.removesuffix("_total")
        return self._find(self._counters, name, description, Count, labels)

    def gauge(self, name: str, description: str, /, **labels: str) -> Level:
        """Shown as `<prefix><name>`; raises ValueError where the name is taken with other labels."""
        return self._find(self._gauges, name, description, Level, labels)

    def histogram(self, name: str, description: str, /, **labels: str) -> Distribution:
        """Shown as `<prefix><name>`, in seconds; raises ValueError where the name is taken with other labels."""
        return self._find(self._histograms, name, description, Distribution, labels)

    def drop_gauge(self, name: str, /, **labels: str) -> None:
        """Show this series no longer; whoever holds it sets it for nobody."""
        family = self._gauges.get(self._prefix + name)
        if family is not None:
            family.drop(labels)

    def collect(self) -> Iterator[Metric]:
        """What prometheus-client asks for at each scrape."""
        for counters in self._counters.values():
            yield _shown_counter(counters)
        for gauges in self._gauges.values():
            yield _shown_gauge(gauges)
        for histograms in self._histograms.values():
            yield _shown_histogram(histograms)

    def describe(self) -> Iterable[Metric]:
        """Nothing: names come and go with the configuration, and the registry need not know them."""
        return ()

    def _find(
        self, kind: dict[str, Family[S]], name: str, description: str, make: Callable[[], S], labels: dict[str, str]
    ) -> S:
        name = self._prefix + name
        family = kind.get(name)
        if family is None:
            if any(name in names for names in (self._counters, self._gauges, self._histograms)):
                raise ValueError(f"{name} is already a metric of another type")
            family = kind[name] = Family(name, description, tuple(sorted(labels)), make)
        if family.labels != tuple(sorted(labels)):
            raise ValueError(f"{name} has the labels {family.labels}, not {tuple(sorted(labels))}")
        return family.of(labels)


def _shown_counter(family: Family[Count]) -> Metric:
    shown = CounterMetricFamily(family.name, family.description, labels=family.labels)
    for values, count in tuple(family.series.items()):
        shown.add_metric(values, count.value)
    return shown


def _shown_gauge(family: Family[Level]) -> Metric:
    shown = GaugeMetricFamily(family.name, family.description, labels=family.labels)
    for values, level in tuple(family.series.items()):
        shown.add_metric(values, level.value)
    return shown


def _shown_histogram(family: Family[Distribution]) -> Metric:
    shown = HistogramMetricFamily(family.name, family.description, labels=family.labels)
    for values, distribution in tuple(family.series.items()):
        shown.add_metric(values, buckets=distribution.buckets(), sum_value=distribution.total)
    return shown
