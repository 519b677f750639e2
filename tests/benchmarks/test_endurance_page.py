"""docs/endurance.md, held against the programs that it speaks of."""

from collections.abc import Callable

import pytest

from benchmarks import bulk
from benchmarks.chaos import __main__ as chaos
from benchmarks.soak import __main__ as soak
from benchmarks.soak import health
from tests.docs.commands import typed, words_of
from tests.docs.pages import DOCS, blocks

PAGE = DOCS / "endurance.md"
PROGRAMS: dict[str, Callable[[list[str]], object]] = {
    "benchmarks.soak": soak.parse,
    "benchmarks.chaos": chaos.parse,
    "benchmarks.bulk": bulk.parse,
}
SHOWN = [words_of(command) for block in blocks(PAGE) for command in typed(block)]


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_a_command_of_the_page_is_taken(words: list[str]) -> None:
    assert words[:2] == ["python", "-m"]
    PROGRAMS[words[2]](words[3:])


def test_every_program_is_shown() -> None:
    assert {words[2] for words in SHOWN} == set(PROGRAMS)


def test_what_may_grow_is_what_the_page_says() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"may grow by {health.MOST_SLOPE:.0f} MB an hour, and by {health.UNREST:.0f} MB of unrest" in text
    assert "a third of the time" in text
    assert health.WARM_UP == 1 / 3
    assert f"more than {bulk.MOST:.0f} MB" in text
