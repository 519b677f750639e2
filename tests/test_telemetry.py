"""What is counted of each exchange, and that nobody outside can make series."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from gateway import chain
from gateway.build import Build, this_build
from gateway.exchange import Exchange
from gateway.ports import Metrics
from gateway.telemetry import MOST_CODES, Telemetry
from tests.fakes import NOON

BUILD = Build(version="1.2.3", revision="abcdef", http_parser="llhttp", compiled=False)


def new() -> Telemetry:
    return Telemetry(BUILD)


def an_exchange(**said: object) -> Exchange:
    exchange = Exchange(request_id="1", received_at=NOON, route="orders", method="GET", status=200)
    for name, value in said.items():
        setattr(exchange, name, value)
    return exchange


def samples(telemetry: Telemetry) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(telemetry.text()) for sample in family.samples]


def value(telemetry: Telemetry, sample_name: str, **labels: str) -> float | None:
    found = [sample.value for sample in samples(telemetry) if (sample.name, sample.labels) == (sample_name, labels)]
    assert len(found) <= 1
    return found[0] if found else None


def total(telemetry: Telemetry, sample_name: str) -> float:
    return sum(sample.value for sample in samples(telemetry) if sample.name == sample_name)


def series(telemetry: Telemetry) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples(telemetry)}


def test_telemetry_is_what_policies_are_lent_as_metrics() -> None:
    metrics: Metrics = new()
    assert metrics.counter("checks", "Checks.", provider="okta") is metrics.counter(
        "checks", "Checks.", provider="okta"
    )


def test_a_series_is_shown_with_the_prefix_and_a_counter_ends_in_total() -> None:
    telemetry = new()
    telemetry.counter("token_checks", "Checks.", provider="okta").inc(2)
    telemetry.counter("lookups_total", "Lookups.").inc()
    telemetry.gauge("entries", "Entries.").set(7)
    assert value(telemetry, "tokenward_token_checks_total", provider="okta") == 2
    assert value(telemetry, "tokenward_lookups_total") == 1
    assert value(telemetry, "tokenward_entries") == 7


def test_a_name_keeps_its_type_and_its_labels() -> None:
    telemetry = new()
    telemetry.counter("checks", "Checks.", provider="okta")
    with pytest.raises(ValueError, match="labels"):
        telemetry.counter("checks", "Checks.", route="orders")
    with pytest.raises(ValueError, match="another type"):
        telemetry.gauge("checks", "Checks.", provider="okta")


def test_a_counter_does_not_fall() -> None:
    with pytest.raises(ValueError, match="grows"):
        new().counter("checks", "Checks.").inc(-1)


def test_a_bucket_holds_its_bound_and_the_last_one_holds_everything() -> None:
    telemetry = new()
    histogram = telemetry.histogram("wait_seconds", "Waits.")
    for seconds in (0.005, 0.0051, 99):
        histogram.observe(seconds)
    assert value(telemetry, "tokenward_wait_seconds_bucket", le="0.005") == 1
    assert value(telemetry, "tokenward_wait_seconds_bucket", le="0.01") == 2
    assert value(telemetry, "tokenward_wait_seconds_bucket", le="+Inf") == 3
    assert value(telemetry, "tokenward_wait_seconds_count") == 3
    assert value(telemetry, "tokenward_wait_seconds_sum") == pytest.approx(99.0101)


def test_an_exchange_is_counted_and_timed() -> None:
    telemetry = new()
    telemetry.record(
        an_exchange(result="allow", upstream="http://o", duration=0.2, decision_seconds=0.1, upstream_seconds=0.05)
    )
    assert value(telemetry, "tokenward_http_requests_total", route="orders", method="GET", code="200") == 1
    assert value(telemetry, "tokenward_http_request_duration_seconds_sum", route="orders") == 0.2
    assert value(telemetry, "tokenward_decision_duration_seconds_sum", route="orders") == 0.1
    assert value(telemetry, "tokenward_upstream_request_duration_seconds_sum", route="orders") == 0.05
    assert total(telemetry, "tokenward_refusals_total") == 0


def test_what_did_not_happen_is_not_timed() -> None:
    telemetry = new()
    telemetry.record(an_exchange(route="", status=404, code="no_route"))
    assert value(telemetry, "tokenward_decision_duration_seconds_count", route="none") == 0
    assert value(telemetry, "tokenward_upstream_request_duration_seconds_count", route="none") == 0
    assert value(telemetry, "tokenward_refusals_total", route="none", code="no_route") == 1


def test_what_report_only_policies_would_refuse_is_counted_by_policy() -> None:
    telemetry = new()
    telemetry.record(an_exchange(result="allow", reported=(("opening-hours", "closed"),)))
    labels = {"route": "orders", "policy": "opening-hours", "code": "closed"}
    assert value(telemetry, "tokenward_would_refuse_total", **labels) == 1


def test_requests_under_way_go_up_and_down() -> None:
    telemetry = new()
    telemetry.under_way({"orders": 1})
    assert value(telemetry, "tokenward_http_requests_in_flight", route="orders") == 1
    telemetry.under_way({})
    assert value(telemetry, "tokenward_http_requests_in_flight", route="orders") == 0


def test_a_target_is_shown_as_long_as_a_route_has_it() -> None:
    telemetry = Telemetry(BUILD)
    telemetry.targets({("orders", "http://a"): True, ("orders", "http://b"): False})
    telemetry.targets({("orders", "http://a"): False})
    assert [each for each in telemetry.text().splitlines() if "target_up{" in each] == [
        'tokenward_upstream_target_up{route="orders",target="http://a"} 0.0'
    ]


def test_reloads_tell_how_the_last_one_went_and_since_when_the_configuration_is_in_force() -> None:
    telemetry = new()
    telemetry.reloaded(NOON)
    telemetry.reload_failed()
    assert value(telemetry, "tokenward_config_reloads_total", result="success") == 1
    assert value(telemetry, "tokenward_config_reloads_total", result="failure") == 1
    assert value(telemetry, "tokenward_config_last_reload_successful") == 0
    assert value(telemetry, "tokenward_config_last_reload_success_timestamp_seconds") == NOON
    telemetry.reloaded(NOON + 60)
    assert value(telemetry, "tokenward_config_last_reload_successful") == 1


def test_the_build_the_parser_and_the_process_are_shown() -> None:
    telemetry = new()
    assert value(telemetry, "tokenward_build_info", version="1.2.3", revision="abcdef", compiled="no") == 1
    assert value(telemetry, "tokenward_http_parser_info", parser="llhttp") == 1
    assert (value(telemetry, "process_resident_memory_bytes") or 0) > 0


def test_what_is_compiled_is_shown() -> None:
    telemetry = Telemetry(dataclasses.replace(BUILD, compiled=True))
    assert value(telemetry, "tokenward_build_info", version="1.2.3", revision="abcdef", compiled="yes") == 1


def test_a_build_is_compiled_where_its_modules_are_no_files_of_python() -> None:
    assert this_build().compiled is not Path(chain.__file__).name.endswith(".py")


def test_requests_here_are_read_by_llhttp() -> None:
    assert this_build().http_parser == "llhttp"


def test_a_finished_exchange_also_goes_to_the_access_log() -> None:
    logged: list[Exchange] = []
    exchange = an_exchange()
    Telemetry(BUILD, logged.append).record(exchange)
    assert logged == [exchange]


@pytest.mark.case("C266")
def test_methods_and_statuses_that_are_not_registered_are_counted_together() -> None:
    telemetry = new()
    for method, status in (("BREW", 200), ("get", 200), ("GET", 299), ("GET", 777), ("GET", -1), ("PROPFIND", 520)):
        telemetry.record(an_exchange(method=method, status=status, upstream_status=status))
    shown = {
        (sample.labels["method"], sample.labels["code"])
        for sample in samples(telemetry)
        if sample.name == "tokenward_http_requests_total"
    }
    assert shown == {("OTHER", "200"), ("GET", "other"), ("OTHER", "other")}
    assert total(telemetry, "tokenward_http_requests_total") == 6


@pytest.mark.case("C265")
def test_a_hundred_thousand_strangers_make_no_series() -> None:
    telemetry = new()
    fields = ("request_id", "caller_ip", "method", "host", "path", "client_id", "subject", "user_agent", "trace_id")
    telemetry.record(an_exchange(method="ODD"))
    before = series(telemetry)
    for number in range(100_000):
        telemetry.record(an_exchange(**dict.fromkeys(fields, f"X{number}")))
    assert series(telemetry) == before
    assert total(telemetry, "tokenward_http_requests_total") == 100_001


@pytest.mark.case("C265")
def test_a_policy_that_makes_up_codes_cannot_make_series_without_end() -> None:
    telemetry = new()
    for number in range(MOST_CODES + 100):
        telemetry.record(an_exchange(status=403, code=f"made_up_{number}"))
    refused = [sample for sample in samples(telemetry) if sample.name == "tokenward_refusals_total"]
    assert len(refused) == MOST_CODES + 1
    assert value(telemetry, "tokenward_refusals_total", route="orders", code="other") == 100


def test_nothing_of_a_request_is_in_the_text() -> None:
    telemetry = new()
    secret = "eyJhbGciOiJSUzI1NiJ9.Secret.Kid"
    configured = {"route", "api", "upstream", "provider"}
    exchange = an_exchange(status=403)
    for field in dataclasses.fields(Exchange):
        if isinstance(getattr(exchange, field.name), str) and field.name not in configured | {"flag"}:
            setattr(exchange, field.name, secret)
    telemetry.record(exchange)
    assert total(telemetry, "tokenward_http_requests_total") == 1
    assert secret not in telemetry.text()


results = st.sampled_from(["", "allow", "deny", "unavailable", "failed", "invented"])
statuses = st.integers(min_value=-5, max_value=1000)
codes = st.sampled_from(["", "token_expired", "no_route", "Not A Code"])
exchanges = st.builds(
    an_exchange,
    route=st.sampled_from(["", "orders", "payments"]),
    method=st.sampled_from(["GET", "POST", "BREW"]),
    result=results,
    status=statuses,
    upstream_status=st.sampled_from([0, 200, 500]),
    code=codes,
)


@pytest.mark.case("C311")
@given(st.lists(exchanges, max_size=30))
def test_the_results_add_up_to_the_requests_and_every_refusal_of_ours_has_a_code(recorded: list[Exchange]) -> None:
    telemetry = new()
    for exchange in recorded:
        telemetry.record(exchange)
    assert total(telemetry, "tokenward_http_requests_total") == len(recorded)
    assert total(telemetry, "tokenward_decisions_total") == len(recorded)
    assert total(telemetry, "tokenward_http_request_duration_seconds_count") == len(recorded)
    assert total(telemetry, "tokenward_refusals_total") == count_refusals(recorded)


def count_refusals(recorded: Iterable[Exchange]) -> int:
    return sum(1 for exchange in recorded if exchange.code or (exchange.status >= 400 and not exchange.upstream_status))
