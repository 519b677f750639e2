"""Commands that the pages show exist, with the options that they are given."""

import pytest
from typer._click.exceptions import UsageError
from typer.main import get_command

from gateway.cli import app
from tests.docs.commands import commands, typed, words_of
from tests.docs.pages import all_blocks

OURS = commands("tokenward", get_command(app))
SHOWN = [words_of(command) for block in all_blocks("console") for command in typed(block)]
SHOWN_OURS = [words for words in SHOWN if words[0] == "tokenward"]


def parse(words: list[str]) -> None:
    """Read the words as the program would. Raises UsageError; nothing is run."""
    name = max((name for name in OURS if words[: len(name.split())] == name.split()), key=len, default="")
    if not name:
        raise UsageError(f"there is no command {' '.join(words)}")
    OURS[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("words", SHOWN_OURS, ids=" ".join)
def test_a_command_of_ours_takes_the_words_that_it_is_given(words: list[str]) -> None:
    parse(words)


@pytest.mark.parametrize(
    "words", [["tokenward", "fly"], ["tokenward", "explain", "GET", "/", "--nothing"]], ids=" ".join
)
def test_a_command_or_option_that_does_not_exist_would_be_found(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse(words)


def test_pages_show_commands_of_ours() -> None:
    assert SHOWN_OURS
