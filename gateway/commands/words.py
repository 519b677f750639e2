"""How applications and contracts are printed: tables that fit a terminal, and nothing that a terminal would obey."""

import json
import unicodedata
from collections.abc import Iterable, Sequence

from gateway.clients_api.views import View

WIDEST = 100
"""Columns of a table."""
NARROWEST = 8
"""Columns that a cell keeps, however many others there are."""
BETWEEN = "  "


def document(view: View) -> str:
    """For programs. Whatever is not ASCII is escaped, so that no terminal obeys it."""
    return json.dumps(view.model_dump(mode="json"), indent=2)


def plain(text: str) -> str:
    """One line in which nothing changes how it is shown: a name may come from a provider, which checks nothing."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_obeyed(each) else each for each in text)


def table(heads: Sequence[str], rows: Iterable[Sequence[str | None]], keep: Sequence[int] = (0,)) -> str:
    """Rows in columns. Where they do not fit, the widest give way, but for those of these numbers."""
    cells = [tuple(heads), *(tuple(plain(cell or "-") for cell in row) for row in rows)]
    widths = _fitting([max(map(width, column)) for column in zip(*cells, strict=True)], keep)
    return "\n".join(
        BETWEEN.join(_padded(cell, room) for cell, room in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def details(pairs: Iterable[tuple[str, str | None]]) -> str:
    """What is known of one thing, on a line each."""
    known = [(name, plain(value)) for name, value in pairs if value]
    room = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{name:<{room}}{BETWEEN}{value}" for name, value in known)


def width(text: str) -> int:
    """The columns that a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else not unicodedata.combining(each) for each in text)


def _fitting(widths: list[int], keep: Sequence[int]) -> list[int]:
    room = WIDEST - len(BETWEEN) * (len(widths) - 1)
    while sum(widths) > room:
        giving = [number for number in range(len(widths)) if number not in keep and widths[number] > NARROWEST]
        if not giving:
            break
        widths[max(giving, key=lambda number: widths[number])] -= 1
    return widths


def _padded(text: str, room: int) -> str:
    if width(text) > room:
        while width(text) > room - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (room - width(text))


def _is_obeyed(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "C" or category in {"Zl", "Zp"}
