"""A chart is rectangles in their places."""

import pytest

from gateway.portal.pages.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Column, ceiling, chart


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 2), (1, 2), (2, 2), (3, 4), (4, 4), (5, 10), (10, 10), (11, 20), (41, 100), (101, 200)]
)
def test_the_axis_ends_at_a_round_and_even_number(highest: int, top: int) -> None:
    assert ceiling(highest) == top


def test_refused_calls_stand_upon_the_allowed_ones() -> None:
    bar = chart([Column("a", "a", 6, 4)]).bars[0]
    assert bar.allowed_y + bar.allowed_height == pytest.approx(HEIGHT - BOTTOM)
    assert bar.refused_y + bar.refused_height == pytest.approx(bar.allowed_y)
    assert bar.refused_y == pytest.approx(TOP)


def test_every_bar_stays_within_the_chart() -> None:
    bars = chart([Column(str(place), str(place), place * 7, place) for place in range(30)]).bars
    assert all(bar.x >= LEFT and bar.x + bar.width <= WIDTH - RIGHT for bar in bars)
    assert all(bar.refused_y >= TOP - 0.1 for bar in bars)


def test_nothing_is_drawn_where_nothing_happened() -> None:
    bar = chart([Column("a", "a", 0, 0)]).bars[0]
    assert (bar.allowed_height, bar.refused_height) == (0, 0)


def test_a_bar_tells_its_numbers() -> None:
    assert chart([Column("23 November", "23 Nov", 1_200, 3)]).bars[0].title == "23 November: 1,200 allowed, 3 refused"


def test_labels_do_not_crowd_each_other() -> None:
    assert len(chart([Column(str(place), str(place), 1, 0) for place in range(30)]).across) == 6
