"""The metrics that the source registers, found by its syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.docs.codes import sources

PREFIX = "tokenward_"


@dataclass(frozen=True, slots=True)
class Metric:
    """One name, as it is scraped."""

    name: str
    type: str
    labels: frozenset[str]


def find_metrics() -> set[Metric]:
    """Everything that some module counts or measures."""
    return {metric for _, tree in sources() for call in ast.walk(tree) for metric in _registered(call)}


def _registered(call: ast.AST) -> Iterator[Metric]:
    if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[0], ast.Constant):
        return
    name = str(call.args[0].value).removeprefix(PREFIX)
    labels = frozenset(keyword.arg for keyword in call.keywords if keyword.arg not in (None, "value"))
    match call.func:
        case ast.Attribute(attr="counter") | ast.Name(id="CounterMetricFamily"):
            yield _metric(f"{name}_total", "counter", labels)
        case ast.Attribute(attr="gauge") | ast.Name(id="GaugeMetricFamily"):
            yield _metric(name, "gauge", labels)
        case ast.Attribute(attr="histogram"):
            yield _metric(name, "histogram", labels)
        # The two short forms of a route's series, in telemetry.py.
        case ast.Attribute(attr="_count") if len(call.args) == 2:
            yield _metric(f"{name}_total", "counter", labels | {"route"})
        case ast.Attribute(attr="_seconds"):
            yield _metric(f"{name}_duration_seconds", "histogram", labels | {"route"})


def _metric(name: str, kind: str, labels: frozenset[str | None]) -> Metric:
    return Metric(PREFIX + name, kind, frozenset(filter(None, labels)))
