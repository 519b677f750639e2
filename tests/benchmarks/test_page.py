"""docs/benchmarks.md, held against the programs that it speaks of."""

import pytest

from benchmarks.options import parse
from benchmarks.peers import NEEDS, PEERS, apt_command
from benchmarks.scenarios import SCENARIOS, Check
from benchmarks.trials.all import TRIALS
from tests.docs.commands import typed, words_of
from tests.docs.pages import CHECKOUT, DOCS, blocks, code, rows

PAGE = DOCS / "benchmarks.md"
CHECKS = {Check.NOTHING: "nothing", Check.OPAQUE: "opaque tokens", Check.RS256: "RS256", Check.ES256: "ES256"}


def listed(heading: str) -> list[str]:
    return [code(row[0]) for row in rows(PAGE, heading)]


def test_the_page_lists_every_load_as_it_is_called() -> None:
    assert listed("Loads") == list(SCENARIOS)
    assert all(row[1].startswith(SCENARIOS[code(row[0])].title) for row in rows(PAGE, "Loads"))


def test_the_page_lists_every_trial() -> None:
    assert listed("Trials") == list(TRIALS)


def test_the_page_lists_every_gateway_and_what_it_checks() -> None:
    assert listed("Who takes part") == list(PEERS)
    for name, _, checks in rows(PAGE, "Who takes part"):
        has = PEERS[code(name)].checks
        assert checks == (", ".join(CHECKS[each] for each in Check if each in has - {Check.NOTHING}) or "nothing")


def test_the_page_lists_every_option_with_its_default() -> None:
    options = parse([])
    assert [name.removeprefix("--") for name in listed("Run them")] == list(options.__dataclass_fields__)
    numbers = {code(row[0]).removeprefix("--"): row[1] for row in rows(PAGE, "Run them") if row[1].isdecimal()}
    assert numbers == {"reps": str(options.reps), "secs": str(options.secs), "conc": str(options.conc)}


@pytest.mark.parametrize("command", [command for block in blocks(PAGE) for command in typed(block)])
def test_a_command_of_the_page_is_taken(command: str) -> None:
    words = words_of(command)
    if words[0] == "apt-get":
        assert command == apt_command(NEEDS[:2], PEERS.values(), lua=False)
        return
    assert words[:2] == ["python", "-m"]
    if words[2] == "benchmarks":
        parse(words[3:])
    else:
        # Each of the others takes minutes: here it is enough that it is there, and is a program.
        assert '__name__ == "__main__"' in (CHECKOUT / f"{words[2].replace('.', '/')}.py").read_text()
