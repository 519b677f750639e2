"""Runs what a console block shows, and compares what comes out with what the page says comes out."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.commands import PROMPT
from tests.docs.pages import Block

PATIENCE = 30.0
"""Seconds that a command may take."""
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and what the page shows below it."""

    command: str
    shown: str


def steps(block: Block) -> Iterator[Step]:
    """The commands of a block, each on one line, with their output."""
    parts = re.split(rf"^{re.escape(PROMPT)}", block.text, flags=re.MULTILINE)
    for part in parts[1:]:
        command, _, shown = part.partition("\n")
        yield Step(command, shown)


async def run(command: str, folder: Path, variables: Mapping[str, str] = {}) -> str:
    """What a shell prints for the command in that folder, errors included."""
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        cwd=folder,
        env=environment(variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE):
        printed, _ = await shell.communicate()
    return printed.decode()


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Our programs first on the path, and no proxy between this machine and itself."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1", **variables}


def fits(shown: str, printed: str) -> bool:
    """Whether this is what the page shows: `…` stands for a part of a line, or, alone on its line, for any lines."""
    pattern = "".join(_line(line) for line in shown.rstrip("\n").split("\n"))
    return re.fullmatch(pattern, printed.rstrip("\n") + "\n") is not None


def _line(shown: str) -> str:
    if shown == ELLIPSIS:
        return r"(?:.*\n)*?"
    return r"[^\n]*?".join(re.escape(part) for part in shown.split(ELLIPSIS)) + r"\n"
