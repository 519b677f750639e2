"""The page about client management: its commands are run, and its tables are those of the source."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.clients.client import ClientState
from gateway.clients.life import LIFE
from gateway.clients.store.sealing import new_key
from gateway.clients_api.routes import OPERATIONS, ROOT
from gateway.demo.identity_provider import run_identity_provider
from tests.docs.codes import find_refusals
from tests.docs.pages import CODE, DOCS, Block, blocks, code, tables
from tests.docs.shell import Step, fits, run, steps
from tests.gateways import SECRET, free_port, program

PAGE = DOCS / "client-management.md"
BLOCKS = list(blocks(PAGE))
ID = "4f7f6c2e-6c5e-4c43-9a52-2f1ac3b7c0de"
ADMIN = "127.0.0.1:9090"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def only(beginning: str) -> Block:
    (block,) = (block for block in BLOCKS if block.text.startswith(beginning))
    return block


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """What the page shows, with a provider, a port and a key of this machine."""
    written = yaml.safe_load(only("store:").text)
    async with run_identity_provider() as idp:
        provider = {"issuer": idp.issuer, "introspection": {"client_id": "gateway", "client_secret": SECRET}}
        written["providers"]["okta"] = {**provider, "registration": {}}
        written["store"]["encryption_keys"] = [new_key()]
        written["admin"] = {"listen": f"127.0.0.1:{free_port()}"}
        yield {**written, "listen": "127.0.0.1:0", "drain": {"delay": 0}, "access_log": {"to": "off"}}


async def test_the_commands_of_the_page_print_what_it_shows(config: dict[str, Any], tmp_path: Path) -> None:
    async with program(config, tmp_path):
        contract = ""
        for step in [*steps(only("$ tokenward clients register")), *steps(only("$ curl"))]:
            command = step.command.replace(ID, contract).replace(ADMIN, config["admin"]["listen"])
            printed = await run(re.sub(r"^curl\b", "curl --silent", command), tmp_path)
            contract = contract or found(step, printed)
            assert fits(step.shown, printed.replace(contract or ID, ID)), printed


def found(step: Step, printed: str) -> str:
    """The id of the contract, which the page shows for the first time where it lists them."""
    return re.findall(UUID, printed)[0] if ID in step.shown else ""


def test_the_page_lists_every_request_of_the_api_in_the_words_of_its_document() -> None:
    listed = {code(row[0]): row[1] for row in tables(PAGE, "The API")[0]}
    assert listed.pop(f"GET {ROOT}/openapi.json")
    assert listed == {f"{each.method} {ROOT}{each.path}": each.summary for each in OPERATIONS}


def test_the_page_lists_every_code_of_a_refusal_with_its_status() -> None:
    listed = {code(name): {int(status)} for name, status, _ in tables(PAGE, "What is refused")[0]}
    assert listed == find_refusals()


def test_the_page_lists_every_state_and_every_step() -> None:
    states, life = tables(PAGE, "States")
    assert {code(row[0]) for row in states} == set(ClientState)
    listed = {(code(before), code(after), CODE.findall(by)[0]) for before, after, by in life}
    assert listed == {(before, after, verb) for (before, verb), after in LIFE.items()}
