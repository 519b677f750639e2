"""Options, the order of a run and its forecast."""

from pathlib import Path

import pytest

from benchmarks.options import Options, parse
from benchmarks.peers import PEERS
from benchmarks.plan import Plan
from benchmarks.progress import clock, to_go
from benchmarks.testbed import KB, Cores, body_of


def plan(*arguments: str) -> Plan:
    return Plan.of([PEERS[name] for name in ("nginx", "tokenward", "apache", "apache-30k")], parse(arguments))


def test_without_options_everything_is_measured() -> None:
    assert parse([]) == Options(only=(), peers=(), reps=5, secs=2, conc=32, out=None, draw=None)


def test_names_are_separated_by_commas() -> None:
    options = parse(["--only", "plain, cold,stampede", "--peers", "nginx", "--out", "x"])
    assert (options.only, options.peers, options.out) == (("plain", "cold", "stampede"), ("nginx",), Path("x"))


@pytest.mark.parametrize("arguments", [["--only", "fast"], ["--peers", "iis"], ["--reps", "0"], ["--secs", "x"]])
def test_what_is_not_known_is_a_mistake(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(arguments)
    assert arguments[1] in capsys.readouterr().err


def test_what_fills_caches_comes_last_whatever_the_order_that_is_asked_for() -> None:
    assert [each.name for each in plan("--only", "opaque10k,cold,plain").scenarios] == ["plain", "cold", "opaque10k"]


def test_a_gateway_that_has_nothing_to_do_is_not_started() -> None:
    assert [peer.name for peer in plan("--only", "plain").peers] == ["nginx", "tokenward", "apache"]
    assert [peer.name for peer in plan("--only", "memory").peers] == ["tokenward", "apache-30k"]


def test_another_gateway_is_the_first_each_time() -> None:
    made = plan("--only", "plain")
    names = [[peer.name for peer in made.turns(made.peers, number)] for number in range(3)]
    assert names == [
        ["nginx", "tokenward", "apache"],
        ["tokenward", "apache", "nginx"],
        ["apache", "nginx", "tokenward"],
    ]


def test_many_tokens_are_signed_only_where_they_are_needed() -> None:
    assert plan("--only", "plain,rs1").algorithms == []
    assert plan("--only", "rsfresh,esfresh").algorithms == ["RS256", "ES256"]
    assert plan("--only", "rsfresh", "--secs", "3").signed == 30_000


def test_twice_the_repetitions_take_twice_as_long() -> None:
    assert plan("--only", "plain", "--reps", "6").forecast == 2 * plan("--only", "plain", "--reps", "3").forecast


def test_what_is_left_is_reckoned_from_how_the_plan_was_kept() -> None:
    assert to_go(100, 0, 0) == 100
    assert to_go(100, 25, 50) == 150
    assert clock(125.9) == "2:05"


def test_the_gateway_has_a_core_of_its_own() -> None:
    assert Cores.of([0, 1]) == Cores(gateway="1", load="0")
    assert Cores.of([0, 2, 3]) == Cores(gateway="3", load="0,2")
    with pytest.raises(ValueError, match="two cores"):
        Cores.of([0])


def test_the_answer_of_the_upstream_has_the_size_that_it_should() -> None:
    assert len(body_of(KB)) == KB
