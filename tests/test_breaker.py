"""A server that keeps failing is left alone for a while."""

import pytest

from gateway.breaker import Breaker, State
from tests.fakes import FakeClock


def breaker(clock: FakeClock, *, failures: int = 3, cool_down: float = 5.0) -> Breaker:
    return Breaker(clock, failures=failures, cool_down=cool_down)


def opened(clock: FakeClock) -> Breaker:
    opened = breaker(clock)
    for _ in range(3):
        assert opened.admit()
        opened.failed()
    return opened


def test_it_opens_at_the_last_of_the_failures_in_a_row() -> None:
    circuit = breaker(FakeClock())
    circuit.failed()
    circuit.failed()
    assert circuit.admit()
    circuit.failed()
    assert circuit.state is State.OPEN
    assert not circuit.admit()


def test_a_success_in_between_starts_the_count_anew() -> None:
    circuit = breaker(FakeClock())
    circuit.failed()
    circuit.failed()
    circuit.succeeded()
    circuit.failed()
    circuit.failed()
    assert circuit.admit()


@pytest.mark.case("C132")
def test_one_request_finds_out_at_the_end_of_the_cool_down_and_not_before() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.move(4.999)
    assert not circuit.admit()
    clock.move(0.001)
    assert circuit.admit()
    assert circuit.state is State.PROBING
    assert not circuit.admit()


@pytest.mark.case("C132")
def test_a_probe_that_succeeds_closes_it() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.move(5)
    circuit.admit()
    circuit.succeeded()
    assert circuit.state is State.CLOSED
    assert circuit.admit()


@pytest.mark.case("C132")
def test_a_probe_that_hangs_is_followed_by_the_next_one_as_soon_as_it_has_failed() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.move(5)
    assert circuit.admit()
    clock.move(4.999)
    assert not circuit.admit()
    clock.move(0.001)
    circuit.failed()
    assert circuit.admit()


def test_what_was_asked_before_it_opened_and_fails_late_does_not_keep_it_open() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.move(4)
    circuit.failed()
    clock.move(1)
    assert circuit.admit()


def test_a_probe_that_fails_opens_it_for_another_cool_down() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.move(5)
    circuit.admit()
    circuit.failed()
    clock.move(4.999)
    assert not circuit.admit()
    clock.move(0.001)
    assert circuit.admit()


def test_a_probe_that_never_reports_is_followed_by_another_after_the_cool_down() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.move(5)
    assert circuit.admit()
    clock.move(4.999)
    assert not circuit.admit()
    clock.move(0.001)
    assert circuit.admit()


def test_looking_changes_nothing() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    assert circuit.refuses
    clock.move(5)
    assert not circuit.refuses
    assert not circuit.refuses
    assert circuit.state is State.OPEN


@pytest.mark.parametrize(("passed", "seconds"), [(0.0, 5), (1.0, 4), (4.9, 1), (6.0, 1)])
def test_it_says_when_to_come_back_in_whole_seconds_and_at_least_one(passed: float, seconds: int) -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.move(passed)
    assert circuit.retry_after == seconds


@pytest.mark.case("C279")
def test_a_wall_clock_that_is_set_back_does_not_prolong_the_cool_down() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.step(-3600)
    clock.move(5)
    assert circuit.admit()
