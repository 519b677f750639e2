"""The metrics of several workers, read as those of one process."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.build import Build
from gateway.exchange import Exchange
from gateway.metrics_merge import Ledger
from gateway.telemetry import Telemetry
from tests.fakes import NOON

BUILD = Build(version="1", revision="r", http_parser="llhttp", compiled=False)


def a_worker(requests: int) -> Telemetry:
    telemetry = Telemetry(BUILD)
    for _ in range(requests):
        telemetry.record(
            Exchange(request_id="1", received_at=NOON, route="orders", method="GET", status=200, duration=0.3)
        )
    return telemetry


def read(text: str) -> dict[str, float]:
    """Values by name and labels, as they are written."""
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def merged(*workers: Telemetry) -> dict[str, float]:
    ledger = Ledger()
    for number, worker in enumerate(workers):
        ledger.update(number, worker.text())
    return read(ledger.text(len(workers)))


REQUESTS = "tokenward_http_requests_total code=200 method=GET route=orders"


def test_counters_and_histograms_are_added_up() -> None:
    values = merged(a_worker(2), a_worker(3))
    assert values[REQUESTS] == 5
    assert values["tokenward_http_request_duration_seconds_bucket le=0.25 route=orders"] == 0
    assert values["tokenward_http_request_duration_seconds_bucket le=0.5 route=orders"] == 5
    assert values["tokenward_http_request_duration_seconds_sum route=orders"] == pytest.approx(1.5)


def test_amounts_are_added_up_and_of_states_the_worst_is_shown() -> None:
    healthy, sick = a_worker(0), a_worker(0)
    healthy.reloaded(NOON + 60)
    sick.reloaded(NOON)
    sick.reload_failed()
    for worker, entries, is_open in ((healthy, 10, 0), (sick, 5, 1)):
        worker.gauge("token_cache_entries", "Entries.").set(entries)
        worker.gauge("circuit_open", "Open.", target="okta").set(is_open)
        worker.targets({("orders", "http://a"): not is_open})
    values = merged(healthy, sick)
    assert values["tokenward_token_cache_entries"] == 15
    assert values["tokenward_circuit_open target=okta"] == 1
    assert values["tokenward_upstream_target_up route=orders target=http://a"] == 0
    assert values["tokenward_config_last_reload_successful"] == 0
    assert values["tokenward_config_last_reload_success_timestamp_seconds"] == NOON


def test_what_is_alike_everywhere_is_shown_once() -> None:
    values = merged(a_worker(0), a_worker(0))
    assert values["tokenward_build_info compiled=no revision=r version=1"] == 1
    assert values["tokenward_workers"] == 2


def test_a_series_that_one_worker_has_is_shown_as_it_is() -> None:
    assert merged(a_worker(0), a_worker(4))[REQUESTS] == 4


@pytest.mark.case("C311")
def test_a_worker_that_ends_and_is_replaced_makes_no_counter_fall() -> None:
    ledger = Ledger()
    ledger.update(1, a_worker(5).text())
    ledger.update(2, a_worker(7).text())
    ledger.retire(1)
    assert read(ledger.text(1))[REQUESTS] == 12
    ledger.update(3, a_worker(1).text())
    values = read(ledger.text(2))
    assert values[REQUESTS] == 13
    assert values["tokenward_http_request_duration_seconds_count route=orders"] == 13
    assert values["tokenward_worker_exits_total"] == 1


def test_the_gauges_of_a_worker_end_with_it() -> None:
    ledger, worker = Ledger(), a_worker(0)
    worker.under_way({"orders": 9})
    ledger.update(1, worker.text())
    ledger.retire(1)
    assert "tokenward_http_requests_in_flight route=orders" not in read(ledger.text(0))


def test_a_worker_that_never_said_anything_may_end() -> None:
    ledger = Ledger()
    ledger.retire(1)
    assert read(ledger.text(0))["tokenward_worker_exits_total"] == 1


def test_text_that_is_not_of_prometheus_is_refused() -> None:
    with pytest.raises(ValueError):
        Ledger().update(1, "this is { not it")
