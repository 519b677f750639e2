"""Calls over time as a chart that needs no script: rectangles with their places. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 8.0, 10.0, 26.0
_ROUND = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Column:
    """What happened in one stretch of time."""

    label: str
    """As the table calls it: `23 November, 14:00`."""
    short: str
    """As the axis calls it: `14:00`."""
    allowed: int
    refused: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One column, drawn: refused calls stand upon the allowed ones."""

    x: float
    width: float
    allowed_y: float
    allowed_height: float
    refused_y: float
    refused_height: float
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at an axis, and where it stands along it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything an SVG of `WIDTH` by `HEIGHT` shows."""

    bars: tuple[Bar, ...]
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    floor: float = HEIGHT - BOTTOM


def chart(columns: Sequence[Column]) -> Chart:
    """The chart of those columns, oldest first. At least one."""
    top = ceiling(max(column.allowed + column.refused for column in columns))
    step = (WIDTH - LEFT - RIGHT) / len(columns)
    bars = tuple(_bar(column, LEFT + step * place, step, top) for place, column in enumerate(columns))
    every = -(-len(columns) // 6)
    across = tuple(
        Mark(round(LEFT + step * (place + 0.5), 1), column.short)
        for place, column in enumerate(columns)
        if place % every == 0
    )
    up = tuple(Mark(round(_y(value, top), 1), f"{value:,}") for value in (0, top // 2, top))
    return Chart(bars, across, up)


def ceiling(highest: int) -> int:
    """The least round and even number that is not below: 2, 4, 10, 20, 40, 100, …"""
    if highest <= 2:
        return 2
    power = 1
    while True:
        for digit in _ROUND:
            if 2 * digit * power >= highest:
                return 2 * digit * power
        power *= 10


def _bar(column: Column, x: float, step: float, top: int) -> Bar:
    allowed_y, all_y, floor = _y(column.allowed, top), _y(column.allowed + column.refused, top), HEIGHT - BOTTOM
    return Bar(
        x=round(x + step * 0.15, 1),
        width=round(step * 0.7, 1),
        allowed_y=round(allowed_y, 1),
        allowed_height=round(floor - allowed_y, 1),
        refused_y=round(all_y, 1),
        refused_height=round(allowed_y - all_y, 1),
        title=f"{column.label}: {column.allowed:,} allowed, {column.refused:,} refused",
    )


def _y(value: int, top: int) -> float:
    floor = HEIGHT - BOTTOM
    return floor - (floor - TOP) * value / top
