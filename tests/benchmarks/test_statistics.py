"""Medians, spreads and ratios."""

import pytest

from benchmarks.statistics import Spread, ratio


def test_a_spread_has_the_median_and_both_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0, 10.0]) == Spread(2.5, 1.0, 10.0)


def test_nothing_has_no_spread() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


def test_a_ratio_is_taken_within_each_repetition_and_not_between_medians() -> None:
    # The machine was twice as fast in the second repetition and four times in the third: the ratio stays the same.
    ours, theirs = {1: 50.0, 2: 100.0, 3: 200.0}, {1: 100.0, 2: 200.0, 3: 400.0}
    assert ratio(ours, theirs) == Spread(0.5, 0.5, 0.5)
    assert ratio({1: 1.0, 2: 9.0, 3: 4.0}, {1: 1.0, 2: 3.0, 3: 2.0}) == Spread(2.0, 1.0, 3.0)


def test_a_repetition_that_only_one_has_does_not_count() -> None:
    assert ratio({1: 1.0, 2: 4.0}, {2: 2.0, 3: 5.0}) == Spread(2.0, 2.0, 2.0)


def test_a_gateway_that_answered_nothing_is_no_measure_of_others() -> None:
    assert ratio({1: 1.0}, {1: 0.0}) is None
