"""Configurations of the gateways and servers."""

import json
import re
from pathlib import Path

import pytest
import yaml

from benchmarks.peers import PEERS, Peer
from benchmarks.templates import FOLDER, PLACE, render, write
from gateway.settings import load

VALUES: dict[str, object] = {
    "FOLDER": "/run/benchmark",
    "PORT": 1001,
    "ADMIN": 1002,
    "UPSTREAM": 1003,
    "PROVIDER": 1004,
    "ISSUER": "http://127.0.0.1:1004",
    "AUDIENCE": "https://api.example",
    "CLIENT": "app",
    "SCOPE": "read",
    "LIFE": 60,
    "CLIENT_AUTH": "Basic eA==",
    "JWKS": "{}",
    "BODY": "{}",
    "NAME": "apache",
    "EXPRESS": "true",
    "ENTRIES": 1000,
}


def test_every_place_is_filled_in() -> None:
    assert render("listen @PORT@; root @FOLDER@/x; $host", VALUES) == "listen 1001; root /run/benchmark/x; $host"


def test_a_place_without_a_value_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="ELSEWHERE"):
        render("@ELSEWHERE@", VALUES)


def test_an_address_of_a_person_is_no_place() -> None:
    assert render("me@example.com you@example.com", {}) == "me@example.com you@example.com"


@pytest.mark.parametrize("template", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_a_run_has_a_value_for_every_place_of_every_configuration(template: Path, tmp_path: Path) -> None:
    write(template.name, tmp_path / "out", VALUES)
    assert not PLACE.search((tmp_path / "out").read_text())


@pytest.mark.parametrize("template", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_nothing_listens_elsewhere_than_on_loopback(template: Path) -> None:
    text = template.read_text()
    ports = re.findall(r"\S*@(?:PORT|ADMIN)@", text)
    assert all("127.0.0.1" in port or "port_value" in text for port in ports)
    assert "0.0.0.0" not in text


def test_tokenward_takes_its_configuration_with_nothing_to_warn_of(tmp_path: Path) -> None:
    write("tokenward.yaml", tmp_path / "tokenward.yaml", {**VALUES, "FOLDER": tmp_path})
    settings = load(tmp_path / "tokenward.yaml")
    assert settings.warnings == ()
    assert settings.workers == 1
    assert [settings.routes[name].policies != () for name in ("plain", "opaque", "short", "jwt")] == [
        False,
        True,
        True,
        True,
    ]


def test_tokenward_is_measured_with_its_features_on() -> None:
    opaque = yaml.safe_load((FOLDER / "tokenward.yaml").read_text().replace("@", ""))["routes"]["opaque"]
    (policy,) = opaque["policies"]
    options = policy["token-enforcement"]
    assert options["scopes"]
    assert options["audience"]
    assert options["identity_headers"]
    assert options["contract"] == "required"


def test_the_configurations_of_caddy_and_envoy_can_be_read() -> None:
    assert json.loads(render((FOLDER / "caddy.json").read_text(), VALUES))["apps"]
    assert yaml.safe_load(render((FOLDER / "envoy.yaml").read_text(), VALUES))["static_resources"]


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_a_command_names_the_configuration_of_its_gateway(peer: Peer) -> None:
    command = render(peer.command, VALUES)
    assert not peer.template or f"/run/benchmark/{peer.name}.{peer.template}" in command
