"""The gateway's own metrics: what is counted of each exchange, under which names. Labels are closed sets."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from gateway.build import Build
from gateway.collector import SeriesCollector
from gateway.exchange import Exchange
from gateway.series import Count, Distribution, Level

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
RESULTS = frozenset({"allow", "deny", "unavailable", "failed"})
STATUSES = {int(status): str(int(status)) for status in HTTPStatus} | {0: "none"}
"""The registered ones; `none` is an exchange whose caller left before there was an answer."""
MOST_CODES = 200
"""Codes are constants of the policies. Should one make them up as it goes, the rest is counted as `other`."""
CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class Telemetry:
    """The metrics of one process. Implements `gateway.ports.Metrics`; `log` receives each finished exchange as well."""

    def __init__(self, build: Build, log: Callable[[Exchange], None] | None = None) -> None:
        self._series = SeriesCollector("tokenward_")
        self._registry = CollectorRegistry()
        self._registry.register(self._series)
        ProcessCollector(registry=self._registry)
        self._routes: dict[str, _Route] = {}
        self._codes: set[str] = set()
        self._targets: set[tuple[str, str]] = set()
        self.log = log
        self.tally: Callable[[Exchange], None] | None = None
        """Receives each finished exchange too, where somebody counts for clients."""
        self.counter, self.gauge, self.histogram = self._series.counter, self._series.gauge, self._series.histogram
        version, revision, compiled = build.version, build.revision, "yes" if build.compiled else "no"
        described = "Which build this is: always 1."
        self.gauge("build_info", described, version=version, revision=revision, compiled=compiled).set(1)
        self.gauge("http_parser_info", "Which HTTP parser reads requests: always 1.", parser=build.http_parser).set(1)

    def record(self, exchange: Exchange) -> None:
        """Count a finished exchange and hand it to the access log. Never raises for what a request held."""
        route = self.route(exchange.route)
        route.answered(exchange.method, exchange.status).inc()
        route.decided(exchange.result).inc()
        route.duration.observe(exchange.duration)
        if exchange.result:
            route.decision.observe(exchange.decision_seconds)
        if exchange.upstream:
            route.upstream.observe(exchange.upstream_seconds)
        # An answer of 400 and above that no upstream gave is ours: it must say why.
        if exchange.code or (exchange.status >= 400 and not exchange.upstream_status):
            route.refused(self._known(exchange.code)).inc()
        for policy, code in exchange.reported:
            route.would_refuse(policy, self._known(code)).inc()
        if self.tally is not None:
            self.tally(exchange)
        if self.log is not None:
            self.log(exchange)

    def under_way(self, requests: Mapping[str, int]) -> None:
        """How many requests are under way now, by route; an empty name is the requests without one."""
        for route in {*self._routes, *requests}:
            self.route(route).in_flight.set(requests.get(route, 0))

    def targets(self, up: Mapping[tuple[str, str], bool]) -> None:
        """Which targets get requests now, by route and URL. There are no others, whatever there was before."""
        for route, target in self._targets - up.keys():
            self._series.drop_gauge("upstream_target_up", route=route, target=target)
        self._targets = set(up)
        for (route, target), is_up in up.items():
            self.gauge("upstream_target_up", "Whether requests go to a target.", route=route, target=target).set(is_up)

    def route(self, name: str) -> "_Route":
        """The series of one route of the configuration."""
        found = self._routes.get(name)
        if found is None:
            found = self._routes[name] = _Route(self._series, name or "none")
        return found

    def reloaded(self, at: float) -> None:
        """The configuration was read and is in force since `at`, in seconds since the epoch. The first one counts."""
        self._reloads("success").inc()
        self._last_reload().set(1)
        self.gauge("config_last_reload_success_timestamp_seconds", "When the configuration in force was read.").set(at)

    def reload_failed(self) -> None:
        """The configuration on disk is not valid; the one before stays in force."""
        self._reloads("failure").inc()
        self._last_reload().set(0)

    def text(self) -> str:
        """Everything, in Prometheus' text format (version 0.0.4)."""
        return generate_latest(self._registry).decode()

    def _known(self, code: str) -> str:
        if code in self._codes:
            return code
        if not code:
            return "unnamed"
        if len(self._codes) >= MOST_CODES or not CODE.fullmatch(code):
            return "other"
        self._codes.add(code)
        return code

    def _reloads(self, result: str) -> Count:
        return self.counter("config_reloads", "Times the configuration was read, by how it went.", result=result)

    def _last_reload(self) -> Level:
        return self.gauge("config_last_reload_successful", "Whether the configuration on disk is the one in force.")


class _Route:
    """The series of one route, each looked up once."""

    def __init__(self, series: SeriesCollector, name: str) -> None:
        self._series = series
        self._name = name
        self._answers: dict[tuple[str, int], Count] = {}
        self._decisions: dict[str, Count] = {}
        self._refusals: dict[str, Count] = {}
        self.duration = self._seconds("http_request", "From a request's first byte to its answer's last.")
        self.upstream = self._seconds("upstream_request", "From the connection upstream to its answer's last byte.")
        self.decision = self._seconds("decision", "What the policies took to decide.")
        self.in_flight = series.gauge("http_requests_in_flight", "Requests under way.", route=name)

    def answered(self, method: str, status: int) -> Count:
        """Requests with this method and status. What is not registered is counted together: a caller chooses the
        method, an upstream the status, and neither may make series.
        """
        found = self._answers.get((method, status))
        if found is None:
            key = (method if method in METHODS else "OTHER", status if status in STATUSES else -1)
            found = self._answers.get(key)
        if found is None:
            code = STATUSES.get(key[1], "other")
            found = self._answers[key] = self._count("http_requests", "Requests.", method=key[0], code=code)
        return found

    def decided(self, result: str) -> Count:
        """Requests with this result; `none` where no policy was asked. Together they are all requests."""
        found = self._decisions.get(result or "none")
        if found is None:
            result = result if result in RESULTS else "none"
            described = "Requests by what the policies said; none where they were not asked."
            found = self._decisions[result] = self._count("decisions", described, result=result)
        return found

    def refused(self, code: str) -> Count:
        """Answers that are ours and not the upstream's, by why."""
        found = self._refusals.get(code)
        if found is None:
            described = "Requests that were refused or failed, by the code that the answer gives."
            found = self._refusals[code] = self._count("refusals", described, code=code)
        return found

    def would_refuse(self, policy: str, code: str) -> Count:
        """Requests that a policy in report-only mode would have refused."""
        return self._count("would_refuse", "Requests that a report-only policy would refuse.", policy=policy, code=code)

    def _count(self, name: str, description: str, **labels: str) -> Count:
        return self._series.counter(name, description, route=self._name, **labels)

    def _seconds(self, name: str, description: str) -> Distribution:
        return self._series.histogram(f"{name}_duration_seconds", description, route=self._name)
