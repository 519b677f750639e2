"""The checklist: every feature and every opening has its row, an answer, and a test that exists."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import CHECKOUT, DOCS, rows

PAGE = DOCS / "checklist.md"
FEATURES = rows(PAGE, "Features")
OPENINGS = rows(PAGE, "Openings")
TEST = re.compile(r"`(tests/[\w/]+\.py::test_\w+)`")
NOT_DONE = re.compile(r"no\b")
NOTHING = "nothing to show"


def named(row: list[str]) -> list[str]:
    """The tests that a row names."""
    return TEST.findall(row[-1])


def names_of_tests() -> Iterator[str]:
    """Every test that there is."""
    for path in sorted((CHECKOUT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield f"{path.relative_to(CHECKOUT).as_posix()}::{node.name}"


def test_each_of_the_79_features_has_one_row() -> None:
    assert len(FEATURES) == len({row[0] for row in FEATURES}) == 79


def test_each_of_the_42_openings_has_one_row() -> None:
    assert len(OPENINGS) == len({row[0] for row in OPENINGS}) == 42


def test_no_row_lacks_an_answer() -> None:
    assert {len(row) for row in FEATURES} == {4}
    assert {len(row) for row in OPENINGS} == {3}
    assert [row for row in (*FEATURES, *OPENINGS) if not all(row)] == []


def test_every_test_that_is_named_exists() -> None:
    assert {name for row in (*FEATURES, *OPENINGS) for name in named(row)} - set(names_of_tests()) == set()


@pytest.mark.parametrize("row", [*FEATURES, *OPENINGS], ids=lambda row: row[0])
def test_what_is_done_is_shown_by_a_test_and_by_nothing_else(row: list[str]) -> None:
    shown = row[-1]
    if shown == NOTHING:
        assert NOT_DONE.match(row[-2])
    else:
        assert TEST.sub("", shown).replace(", ", "") == ""
        assert named(row)
