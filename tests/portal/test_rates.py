"""How often somebody may come."""

from gateway.portal import rates
from gateway.portal.rates import Counts, Limiter
from tests.fakes import FakeClock


def test_so_many_a_minute_and_no_more() -> None:
    clock = FakeClock()
    limiter = Limiter(clock)
    assert [limiter.wait("changes", "a", 2) for _ in range(3)] == [0, 0, 60]
    clock.move(59.5)
    assert limiter.wait("changes", "a", 2) == 1
    clock.move(0.5)
    assert limiter.wait("changes", "a", 2) == 0


def test_each_is_counted_apart() -> None:
    limiter = Limiter(FakeClock())
    assert limiter.wait("changes", "a", 1) == 0
    assert limiter.wait("changes", "b", 1) == 0
    assert limiter.wait("requests", "a", 1) == 0
    assert limiter.wait("changes", "a", 1) > 0


def test_who_goes_on_asking_does_not_wait_longer() -> None:
    clock = FakeClock()
    limiter = Limiter(clock)
    limiter.wait("changes", "a", 1)
    for _ in range(30):
        clock.move(1)
        limiter.wait("changes", "a", 1)
    assert 30 <= limiter.wait("changes", "a", 1) <= 31


def test_a_step_of_the_wall_clock_changes_nothing() -> None:
    clock = FakeClock()
    limiter = Limiter(clock)
    limiter.wait("changes", "a", 1)
    clock.step(-3600)
    assert limiter.wait("changes", "a", 1) <= 61


def test_what_is_counted_is_bounded() -> None:
    counts = Counts(FakeClock())
    for number in range(rates.MOST_COUNTED + 10):
        counts.incr(str(number), 60)
    assert counts.reset() == rates.MOST_COUNTED
