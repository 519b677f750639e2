"""How wrk is called, and what it says is read."""

from pathlib import Path

import pytest

from benchmarks.load import WrkSays, read_wrk, token_words, wrk_command, wrong_answers
from benchmarks.scenarios import SCENARIOS

FOLDER = Path("/run/benchmark")
SAID: WrkSays = {
    "requests": 100,
    "microseconds": 2_000_000,
    "bytes": 130_000,
    "p50": 900,
    "p99": 2_000,
    "refused": 0,
    "broken": 0,
}


def test_wrk_gets_the_connections_that_were_asked_for_or_those_of_the_scenario() -> None:
    command = wrk_command(SCENARIOS["plain"], 8080, 32, 2, ["none"])
    assert command[command.index("--connections") + 1] == "32"
    assert command[-5:] == ["http://127.0.0.1:8080/plain/1k", "--", "GET", "0", "none"]
    command = wrk_command(SCENARIOS["dl"], 8080, 32, 2, ["none"])
    assert command[command.index("--connections") + 1] == "8"


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("plain", ["none"]),
        ("opaque1", ["file", "/run/benchmark/opaque.txt", "1"]),
        ("opaque10k", ["file", "/run/benchmark/opaque.txt", "10000"]),
        ("rs1", ["file", "/run/benchmark/rs256.txt", "1"]),
        ("cold", ["new", "ok-7-x"]),
        ("rsfresh", ["file", "/run/benchmark/rs256.txt", "20000"]),
    ],
)
def test_wrk_is_told_which_tokens_to_send(scenario: str, words: list[str]) -> None:
    assert token_words(SCENARIOS[scenario], FOLDER, 2, "-7-") == words


def test_the_line_of_json_is_found_among_what_wrk_prints() -> None:
    printed = 'Running 2s test\n  1 threads\nJSON {"requests": 7, "p50": 1}\n'
    assert read_wrk(printed) == {"requests": 7, "p50": 1}


def test_a_wrk_that_failed_is_told_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        read_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_answers_are_wrong_that_were_refused_or_did_not_come() -> None:
    assert wrong_answers(SAID, SCENARIOS["plain"]) == 0
    assert wrong_answers({**SAID, "refused": 2, "broken": 3}, SCENARIOS["plain"]) == 5


def test_all_answers_are_wrong_where_bytes_are_missing() -> None:
    assert wrong_answers({**SAID, "bytes": 100 * 1024 - 1}, SCENARIOS["plain"]) == 100
