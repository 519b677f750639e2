"""Each code that a caller may see has a page, and the pages say of it what the source says."""

from pathlib import Path

import pytest

from tests.docs.codes import Findings, find_codes
from tests.docs.pages import DOCS, code, prose, rows, sentences

PROBLEMS = DOCS / "problems"
INDEX = PROBLEMS / "README.md"
AT_FAULT = {"caller", "gateway", "provider", "upstream"}
PARTS = ("What the caller sees.", "Why.", "What the caller does.", "What the operator does.")

FOUND: Findings = find_codes()
PAGES = sorted(page for page in PROBLEMS.glob("*.md") if page != INDEX)


def code_of(page: Path) -> str:
    return page.stem.replace("-", "_")


def head(page: Path) -> list[str]:
    """Status, OAuth error and whose fault it is."""
    return rows(page)[0]


def test_every_code_in_the_source_can_be_read_off() -> None:
    assert FOUND.unread == []


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {code_of(page) for page in PAGES} == set(FOUND.problems)


def test_the_index_lists_every_page_once() -> None:
    listed = [code(row[0]) for row in rows(INDEX)]
    assert sorted(listed) == sorted(FOUND.problems)


@pytest.mark.parametrize("page", PAGES, ids=code_of)
def test_a_page_is_called_after_its_code_and_answers_the_four_questions(page: Path) -> None:
    text = prose(page)
    assert text.startswith(f"# `{code_of(page)}`\n")
    assert [part for part in PARTS if f"**{part}**" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=code_of)
def test_a_page_names_the_status_and_the_oauth_error_of_the_source(page: Path) -> None:
    problem = FOUND.problems[code_of(page)]
    status, error, _ = head(page)
    assert status == ", ".join(map(str, sorted(problem.statuses)))
    assert code(error) == (", ".join(sorted(problem.errors)) or "none")


@pytest.mark.parametrize("page", PAGES, ids=code_of)
def test_the_index_says_of_a_code_what_its_page_says(page: Path) -> None:
    (row,) = (row for row in rows(INDEX) if code(row[0]) == code_of(page))
    status, _, at_fault = head(page)
    assert row[1:] == [status, at_fault]
    assert at_fault in AT_FAULT


@pytest.mark.parametrize("page", PAGES, ids=code_of)
def test_a_refusal_with_an_oauth_error_shows_its_challenge(page: Path) -> None:
    errors = FOUND.problems[code_of(page)].errors
    assert all(f'error="{error}"' in sentences(page) for error in errors)
