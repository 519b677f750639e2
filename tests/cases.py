"""The acceptance cases and their proofs: checks the numbers in `case` markers, and counts them for `pytest --cases`.

The list in cases.txt has a line per case: its number, its block and its name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("cases.txt")
BLOCKS = {
    "A": "how the token is presented",
    "B": "local verification",
    "C": "keys",
    "D": "introspection",
    "E": "cache",
    "F": "routing and paths",
    "G": "framing",
    "H": "headers and identity",
    "I": "upstreams",
    "J": "exhaustion",
    "K": "reload, drain, clock",
    "L": "portal and admin",
    "M": "evidence and secrecy",
}


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One line of the list."""

    block: str
    number: str
    name: str


def read_cases(path: Path = LIST) -> dict[str, Case]:
    """The list by number."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {number: Case(block, number, name) for number, block, name in lines}


def find_proofs(items: Iterable[pytest.Item]) -> dict[str, set[str]]:
    """Which tests prove which case. A test that is skipped, or expected to fail, proves nothing."""
    proofs: dict[str, set[str]] = {}
    for item in items:
        if runs(item):
            for number in numbers_of(item):
                proofs.setdefault(number, set()).add(item.nodeid.partition("[")[0])
    return proofs


def numbers_of(item: pytest.Item) -> list[str]:
    """The cases that the markers of a test name."""
    return [str(number) for marker in item.iter_markers("case") for number in marker.args]


def runs(item: pytest.Item) -> bool:
    """Whether the test is run and has to pass, as far as its markers say."""
    conditional = ("skipif", "xfail")
    applies = (not marker.args or any(marker.args) for name in conditional for marker in item.iter_markers(name))
    return item.get_closest_marker("skip") is None and not any(applies)


def report(cases: Mapping[str, Case], proofs: Mapping[str, set[str]], *, verbose: bool) -> list[str]:
    """Lines for a person: each block with its count and what is open in it; when verbose, each proof."""
    lines = []
    for block, grouped in groupby(sorted(cases.values()), key=lambda case: case.block):
        members = list(grouped)
        open_cases = [f"{case.number} {case.name}" for case in members if case.number not in proofs]
        lines.append(f"{block} {BLOCKS[block]}: {len(members) - len(open_cases)} of {len(members)}")
        if verbose:
            for case in members:
                lines += [f"  {case.number} {case.name}: {test}" for test in sorted(proofs.get(case.number, ()))]
        if open_cases:
            lines.append(f"  open: {', '.join(open_cases)}")
    return [*lines, f"proven: {len(cases.keys() & proofs.keys())} of {len(cases)}"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cases",
        nargs="?",
        const="summary",
        choices=["summary", "verbose"],
        help="run nothing; print which acceptance cases are proven (`--cases=verbose`: by which tests)",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a marker that names no case of the list."""
    cases = read_cases()
    for item in items:
        for marker in item.iter_markers("case"):
            unknown = [str(number) for number in marker.args if number not in cases]
            if unknown or not marker.args:
                raise pytest.UsageError(f"{item.nodeid}: no such acceptance case: {', '.join(unknown) or '(none)'}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Print the count in place of running the tests, when that was asked for."""
    wanted = session.config.getoption("--cases")
    if wanted is None:
        return None
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    assert terminal is not None
    for line in ["", *report(read_cases(), find_proofs(session.items), verbose=wanted == "verbose")]:
        terminal.write_line(line)
    return True
