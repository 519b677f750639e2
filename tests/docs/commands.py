"""The command line as the program declares it, and commands as pages write them."""

import shlex
from collections.abc import Iterator
from typing import Any

from tests.docs.pages import Block

PROMPT = "$ "


def commands(name: str, command: Any) -> dict[str, Any]:
    """The commands below one of typer's, by all their words."""
    return dict(_walk(name, command))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _walk(f"{name} {word}", inner)


def typed(block: Block) -> Iterator[str]:
    """What somebody types in a console block: lines after a prompt, and those that they go on with."""
    waiting = ""
    for line in block.text.splitlines():
        if waiting or line.startswith(PROMPT):
            waiting += line.removeprefix(PROMPT) if not waiting else line.strip()
            if waiting.endswith("\\"):
                waiting = waiting[:-1]
                continue
            yield waiting
            waiting = ""


def words_of(command: str) -> list[str]:
    """The words of a command up to a pipe or redirection, without variables that are set for it alone."""
    words = shlex.split(command, comments=True)
    while words and "=" in words[0] and not words[0].startswith("-"):
        words.pop(0)
    ends = [index for index, word in enumerate(words) if word in {"|", "<", ">", "&", "&&"}]
    return words[: ends[0]] if ends else words
