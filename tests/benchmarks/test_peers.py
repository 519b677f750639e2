"""Which gateways take part, and how those that are missing are installed."""

from dataclasses import replace
from pathlib import Path

from benchmarks.peers import NEEDS, PEERS, Need, apt_command, chosen
from benchmarks.scenarios import SCENARIOS, Check
from benchmarks.trials.all import TRIALS


def test_one_command_installs_all_that_is_missing_and_nothing_twice() -> None:
    needs = [Need("nginx", "nginx"), Need("wrk", "wrk")]
    peers = [PEERS["nginx"], PEERS["apache"], PEERS["apache-30k"]]
    assert apt_command(needs, peers, lua=False) == (
        "apt-get install nginx wrk apache2 libapache2-mod-oauth2 libnginx-mod-http-lua"
    )


def test_there_is_no_command_where_nothing_is_missing_that_debian_has() -> None:
    assert apt_command([], [PEERS["envoy"]], lua=True) == ""


def test_a_peer_without_its_module_is_not_here() -> None:
    here = replace(PEERS["naive"], module=None)
    assert here.is_here
    assert not replace(here, module=Path("/nowhere/mod_oauth2.so")).is_here
    assert not replace(here, program="no-such-program").is_here


def test_a_variant_is_chosen_with_its_peer() -> None:
    assert [peer.name for peer in chosen(("apache", "nginx"))] == ["nginx", "apache", "apache-30k"]
    assert len(chosen(())) == len(PEERS)


def test_only_a_cache_that_holds_them_is_measured_with_ten_thousand_tokens() -> None:
    taking = [peer.name for peer in PEERS.values() if peer.can(SCENARIOS["opaque10k"])]
    assert taking == ["nginx", "tokenward", "tokenward-ordinary", "tokenward-python", "apache-30k", "naive"]


def test_nginx_passes_the_same_requests_in_every_scenario() -> None:
    assert all(PEERS["nginx"].can(scenario) for scenario in SCENARIOS.values())


def test_a_gateway_without_introspection_takes_no_part_in_it() -> None:
    assert not PEERS["haproxy"].can(SCENARIOS["opaque1"])
    assert PEERS["haproxy"].can(SCENARIOS["rs1"])
    assert not PEERS["haproxy"].can(SCENARIOS["es1"])


def test_a_flood_of_unknown_keys_is_for_those_who_fetch_keys() -> None:
    assert [peer.name for peer in PEERS.values() if TRIALS["keyflood"].suits(peer)] == [
        "tokenward",
        "tokenward-ordinary",
        "tokenward-python",
        "apache",
    ]


def test_every_gateway_can_be_measured_without_a_token() -> None:
    assert all(Check.NOTHING in peer.checks for peer in PEERS.values())
    assert {need.program for need in NEEDS} == {"wrk", "nginx", "taskset"}
