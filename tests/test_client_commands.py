"""Applications, contracts and the store by command: what is done, what is printed where, and how the command ends."""

import asyncio
import json
import logging
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.clients.store import Usage
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import check_key, new_key
from gateway.clock import SystemClock
from gateway.commands import words
from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from tests.clients.registry.strict import strict_provider
from tests.fakes import FakeClock
from tests.gateways import PROGRAM, Config, configuration, free_port, program
from tests.managed import Clerk, managed, registering_at
from tests.servers import recording_upstream

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _undisturbed() -> Iterator[None]:
    """The commands configure the log of the process."""
    root, hook = logging.getLogger(), sys.excepthook
    kept = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], root.level, logging.raiseExceptions = kept
    sys.excepthook = hook
    logging.captureWarnings(False)


@dataclass(frozen=True, slots=True)
class Shell:
    """Somebody who types commands, with a configuration."""

    folder: Path
    config: Config

    async def __call__(self, *typed: str | Path, says: str = "", code: int = 0) -> Result:
        """A command, which ends with that code; what goes wrong in it is raised."""
        file = self.folder / "commands.yaml"
        file.write_text(json.dumps(self.config))
        runner = CliRunner(env={"TOKENWARD_CONFIG": str(file)})
        result = await asyncio.to_thread(runner.invoke, app, list(map(str, typed)), input=says)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    async def says(self, *typed: str | Path, says: str = "", code: int = 0) -> Any:
        """The JSON document that it prints."""
        return json.loads((await self(*typed, "--format", "json", says=says, code=code)).stdout)

    async def contract(self) -> Any:
        """The only one."""
        (contract,) = (await self.says("contracts", "list"))["items"]
        return contract


@pytest.fixture
async def idp() -> AsyncIterator[DemoProvider]:
    async with run_identity_provider() as idp:
        yield idp


@pytest.fixture
def tokenward(idp: DemoProvider, tmp_path: Path) -> Shell:
    admin = {"listen": f"127.0.0.1:{free_port()}"}
    return Shell(tmp_path, managed(idp.issuer, NOBODY, tmp_path, admin=admin))


# Applications


@pytest.mark.case("C296")
async def test_a_secret_is_printed_by_the_registration_and_by_nothing_after_it(
    tokenward: Shell, idp: DemoProvider
) -> None:
    result = await tokenward("clients", "register", "Shop", "--api", "orders:gold", "--owner", "idp:ada")
    client = (await tokenward.says("clients", "list"))["items"][0]
    secret = str(idp.clients[client["client_id"]].client_secret)
    assert f"client_secret  {secret}\n" in result.stdout
    assert secret not in result.stderr
    assert "shown this once" in result.stderr
    for later in (("clients", "list"), ("clients", "show", "Shop"), ("audit",), ("contracts", "list")):
        assert secret not in (await tokenward(*later)).output
    refused = await tokenward("clients", "reveal", "Shop", code=1)
    assert (refused.stdout, "shown before" in refused.stderr) == ("", True)
    assert (client["owner"]["subject"], (await tokenward.contract())["state"]) == ("ada", "active")


async def test_a_new_secret_is_printed_once(tmp_path: Path) -> None:
    async with strict_provider(FakeClock()) as (provider, _):
        config = registering_at(managed(provider.url, NOBODY, tmp_path), f"{provider.url}/register")
        tokenward = Shell(tmp_path, config)
        before = await tokenward.says("clients", "register", "Shop")
        after = await tokenward.says("clients", "rotate", "Shop")
        assert after["client_secret"] != before["credentials"]["client_secret"]
        assert after["client_secret"] == provider.clients[after["client_id"]]["client_secret"]


async def test_an_application_is_changed_and_what_is_not_named_stays(tokenward: Shell, idp: DemoProvider) -> None:
    client = (await tokenward.says("clients", "register", "Shop", "--contact", "ada@example.com"))["client"]
    changed = await tokenward.says("clients", "edit", "Shop", "--name", "Market", "--uri", "https://market.example")
    assert changed["metadata"]["contacts"] == ["ada@example.com"]
    assert idp.clients[client["client_id"]].metadata.client_name == "Market"
    emptied = await tokenward.says("clients", "edit", "Market", "--contact", "", "--uri", "")
    assert (emptied["metadata"]["contacts"], emptied["metadata"]["client_uri"]) == ([], None)


async def test_what_an_application_called_is_counted(tokenward: Shell) -> None:
    client = (await tokenward.says("clients", "register", "Shop"))["client"]
    assert (await tokenward("clients", "usage", "Shop")).stdout == "It called nothing in the last 24h.\n"
    hour = int(SystemClock().time() // 3600)
    of = {"provider": "idp", "client_id": client["client_id"], "api": "orders"}
    options = StoreOptions(
        url=SecretStr(tokenward.config["store"]["url"]),
        encryption_keys=tuple(map(SecretStr, tokenward.config["store"]["encryption_keys"])),
    )
    async with open_store(options, SystemClock()) as store:
        rows = [(hour, "allowed", 2), (hour - 20, "allowed", 3), (hour, "rate_limited", 1), (hour - 30, "allowed", 9)]
        await store.add_usage(Usage(hour=at, code=code, calls=calls, **of) for at, code, calls in rows)
    lines = (await tokenward("clients", "usage", "Shop")).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["orders", "allowed", "5"], ["orders", "rate_limited", "1"]]
    items = (await tokenward.says("clients", "usage", client["id"], "--since", "2d", "--api", "orders"))["items"]
    assert sorted(each["calls"] for each in items) == [1, 2, 3, 9]
    assert (await tokenward.says("clients", "usage", "Shop", "--api", "other"))["items"] == []


@pytest.mark.parametrize(("since", "code"), [("a day", 2), ("0h", 2), ("24", 2), ("999d", 1)])
async def test_a_time_that_is_none_or_too_long_is_told(tokenward: Shell, since: str, code: int) -> None:
    await tokenward("clients", "register", "Shop")
    assert (await tokenward("clients", "usage", "Shop", "--since", since, code=code)).stderr


async def test_an_application_is_deleted_when_that_is_meant(tokenward: Shell, idp: DemoProvider) -> None:
    client = (await tokenward.says("clients", "register", "Shop"))["client"]
    result = await tokenward("clients", "delete", "Shop", says="n\n", code=1)
    assert f"Delete 'Shop' ({client['id']}) for ever?" in result.stderr
    assert client["client_id"] in idp.clients
    assert (await tokenward.says("clients", "delete", "Shop", "--yes"))["state"] == "deleted"
    assert client["client_id"] not in idp.clients


async def test_an_application_goes_by_its_name_our_id_and_its_client_id(tokenward: Shell) -> None:
    client = (await tokenward.says("clients", "register", "Shop"))["client"]
    await tokenward("clients", "register", "Shop 2")
    for word in ("Shop", client["id"], client["client_id"]):
        assert (await tokenward.says("clients", "show", word))["id"] == client["id"]
    missing = await tokenward("clients", "show", "Sho", code=1)
    assert missing.stderr == "There is no application 'Sho'; `tokenward clients list` shows those that there are.\n"


async def test_a_name_that_two_have_does_for_neither(tokenward: Shell) -> None:
    ids = [
        (await tokenward.says("clients", "register", "Shop", "--owner", f"idp:{name}"))["client"]["id"]
        for name in ("ada", "bob")
    ]
    result = await tokenward("clients", "show", "Shop", code=1)
    assert "Several applications are called 'Shop'" in result.stderr
    assert all(id_ in result.stderr for id_ in ids)


@pytest.mark.case("C296", "C301")
async def test_a_client_is_adopted_with_its_record_and_whatever_it_is_called_the_terminal_obeys_nothing(
    tokenward: Shell, idp: DemoProvider
) -> None:
    idp.add_client("legacy", "of-the-legacy", scope="orders.read", client_name="\x1b[31mEvil\u202eeman\x1b]0;x\x07")
    record = {"client_secret": "of-the-legacy", "client_name": "is not needed"}
    result = await tokenward("clients", "adopt", "legacy", "--record", "-", says=json.dumps(record))
    assert "of-the-legacy" not in result.output
    listed = await tokenward("clients", "list")
    shown = await tokenward("clients", "list", "--format", "json")
    for each in (result, listed, shown):
        assert not {"\x1b", "\u202e", "\x07"} & set(each.output)


async def test_clients_of_a_provider_that_registers_none_are_adopted_and_get_contracts(tokenward: Shell) -> None:
    tokenward.config["providers"]["idp"].pop("registration")
    adopted = await tokenward.says("clients", "adopt", "app-7", "--provider", "idp")
    assert not adopted["manageable"]
    asked = await tokenward.says("contracts", "ask", "app-7", "orders", "--tier", "gold", "--accept-terms")
    assert (await tokenward.says("contracts", "approve", asked["id"]))["state"] == "active"
    assert "provider registers clients" in (await tokenward("clients", "register", "Shop", code=1)).stderr
    refused = await tokenward("clients", "adopt", "app-8", "--provider", "nobody", code=1)
    assert refused.stderr == "Name a provider of the configuration: --provider idp.\n"
    assert (await tokenward.says("clients", "adopt", "app-8"))["provider"] == "idp"


async def test_a_record_that_is_none_is_not_repeated(tokenward: Shell) -> None:
    result = await tokenward("clients", "adopt", "legacy", "--record", "-", says="s3cret", code=1)
    assert "must be a JSON object" in result.stderr
    assert "s3cret" not in result.output


async def test_reconciling_ends_with_1_while_something_is_left_to_put_right(
    tokenward: Shell, idp: DemoProvider
) -> None:
    client = (await tokenward.says("clients", "register", "Shop"))["client"]
    assert (await tokenward("clients", "reconcile")).stdout == "The providers' records are as ours.\n"
    idp.delete_client(client["client_id"])
    assert "deleted_there  not repaired" in (await tokenward("clients", "reconcile", code=1)).stdout
    (drift,) = (await tokenward.says("clients", "reconcile", "--repair"))["items"]
    assert drift["repaired"] is True


# Contracts


async def test_a_contract_goes_through_its_life(tokenward: Shell) -> None:
    await tokenward("clients", "register", "Shop")
    asked = await tokenward.says("contracts", "ask", "Shop", "orders", "--tier", "tin", "--accept-terms")
    assert asked["state"] == "requested"
    contract = asked["id"]
    assert (await tokenward.says("contracts", "approve", contract, "--tier", "gold"))["tier"] == "gold"
    assert (await tokenward.says("contracts", "revoke", contract, "--reason", "Unpaid."))["state"] == "revoked"
    assert (await tokenward.says("contracts", "restore", contract))["state"] == "active"
    assert (await tokenward.says("contracts", "tier", contract, "tin"))["tier"] == "tin"
    shown = (await tokenward("contracts", "show", contract)).stdout
    assert f"id           {contract}\n" in shown
    impossible = await tokenward("contracts", "refuse", contract, "--reason", "No.", code=1)
    assert "a contract that is active takes revoke" in impossible.stderr


async def test_contracts_are_listed_with_the_names_of_their_applications(tokenward: Shell) -> None:
    await tokenward("clients", "register", "Shop", "--api", "orders:gold")
    rows = (await tokenward("contracts", "list", "--application", "Shop", "--state", "active")).stdout.splitlines()
    assert rows[0].split() == ["ID", "APPLICATION", "API", "TIER", "STATE"]
    assert rows[1].split()[1:] == ["Shop", "orders", "gold", "active"]
    none = await tokenward("contracts", "list", "--state", "refused")
    assert none.stdout == "There are no such contracts.\n"


async def test_saying_no_takes_a_reason(tokenward: Shell) -> None:
    assert "--reason" in (await tokenward("contracts", "revoke", "7", code=2)).stderr


# A gateway that runs


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_gateway_that_runs_knows_before_the_command_ends(
    workers: int, idp: DemoProvider, tmp_path: Path
) -> None:
    async with recording_upstream() as upstream:
        admin = {"listen": "127.0.0.1:0", "token": "a-token-for-operators-only"}
        config = managed(idp.issuer, upstream.url, tmp_path, admin=admin, workers=workers)
        config["store"]["poll"] = 600  # it would not find out by itself
        async with program(config, tmp_path) as it:
            listen = f"127.0.0.1:{it.operator.ask.port}"
            tokenward = Shell(tmp_path, {**config, "admin": {**admin, "listen": listen}})
            result = await tokenward("clients", "register", "Shop", "--api", "orders:gold", "--format", "json")
            assert "within" not in result.stderr
            token = idp.issue(json.loads(result.stdout)["client"]["client_id"], "orders.read")
            assert await it.caller.get("/orders", token) == 200
            contract = (await tokenward.contract())["id"]
            await tokenward("contracts", "revoke", contract, "--reason", "Unpaid.")
            assert await it.caller.get("/orders", token) == 403
            clerk = Clerk(it.operator, admin["token"])
            assert (await clerk.says("GET", f"/contracts/{contract}"))["state"] == "revoked"


async def test_where_no_gateway_listens_the_command_says_when_others_know(tokenward: Shell) -> None:
    result = await tokenward("clients", "register", "Shop")
    address = tokenward.config["admin"]["listen"]
    assert f"no gateway listens on {address} (admin.listen): gateways that run take this over within 30 seconds\n" in (
        result.stderr
    )
    assert "no gateway" not in (await tokenward("clients", "list")).stderr


async def test_a_gateway_that_takes_another_token_is_told_of(tokenward: Shell, idp: DemoProvider) -> None:
    admin = {"listen": "127.0.0.1:0", "token": "a-token-for-operators-only"}
    running = {**tokenward.config, "admin": admin, "store": tokenward.config["store"]}
    (tokenward.folder / "runs").mkdir()
    async with program(running, tokenward.folder / "runs") as it:
        tokenward.config["admin"] = {"listen": f"127.0.0.1:{it.operator.ask.port}", "token": "another-token-of-ours"}
        result = await tokenward("clients", "register", "Shop")
        assert "answered 401: gateways that run take this over within 30 seconds" in result.stderr
        assert "another-token" not in result.output


# The store


@pytest.mark.case("C298")
def test_a_key_is_made_that_the_store_takes() -> None:
    result = CliRunner().invoke(app, ["store", "key"])
    assert check_key(result.stdout.strip())


async def test_the_audit_log_is_printed_and_verified(tokenward: Shell) -> None:
    await tokenward("clients", "register", "Shop")
    rows = (await tokenward("audit", "--application", "Shop", "--actor", "operator")).stdout.splitlines()
    assert [row.split()[3] for row in rows[1:]] == ["client.registered", "client.registering", "client.described"]
    assert (await tokenward("store", "verify")).stdout == "The audit log is as it was written.\n"
    with sqlite3.connect(tokenward.folder / "store.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE audit SET actor = 'nobody' WHERE number = 2")
    assert await tokenward.says("store", "verify", code=1) == {"genuine": False, "first_wrong": 2}


async def test_tables_are_brought_up_to_date_by_command(tokenward: Shell) -> None:
    tokenward.config["store"]["migrate"] = False
    assert "store upgrade" in (await tokenward("clients", "list", code=1)).stderr
    assert (await tokenward.says("store", "upgrade"))["version"]
    await tokenward("clients", "list")


async def test_a_key_is_replaced_and_the_old_one_taken_away(tokenward: Shell) -> None:
    await tokenward("clients", "register", "Shop")
    old, new = tokenward.config["store"]["encryption_keys"][0], new_key()
    tokenward.config["store"]["encryption_keys"] = [new, old]
    assert await tokenward.says("store", "reseal") == {"resealed": 2}
    tokenward.config["store"]["encryption_keys"] = [new]
    assert (await tokenward("store", "verify")).exit_code == 0
    tokenward.config["store"]["encryption_keys"] = [old]
    assert "None of the configured encryption keys" in (await tokenward("store", "verify", code=1)).stderr


# What is wrong


async def test_without_a_store_the_command_says_what_to_write(tmp_path: Path) -> None:
    result = await Shell(tmp_path, configuration(NOBODY, NOBODY))("clients", "list", code=1)
    assert "there is no store" in result.stderr
    assert "encryption_keys:" in result.stderr


async def test_a_provider_that_registers_nobody_is_told_of(tokenward: Shell) -> None:
    result = await tokenward("clients", "register", "Shop", "--provider", "ipd", code=1)
    assert result.stderr == "Name a provider that registers clients: --provider idp.\n"


async def test_a_state_that_there_is_not_is_misspelled(tokenward: Shell) -> None:
    result = await tokenward("clients", "list", "--state", "alive", code=2)
    assert "write one of draft, registering, registered, deleted" in result.stderr


async def test_a_tier_that_there_is_not_is_answered_with_those_that_there_are(tokenward: Shell) -> None:
    result = await tokenward("clients", "register", "Shop", "--api", "orders", code=1)
    assert "choose from gold, tin" in result.stderr


async def test_while_the_provider_is_away_the_command_ends_with_1_and_can_be_tried_again(tmp_path: Path) -> None:
    result = await Shell(tmp_path, managed(NOBODY, NOBODY, tmp_path))("clients", "register", "Shop", code=1)
    assert "Try again" in result.stderr


async def test_while_the_database_is_away_the_command_says_so(tokenward: Shell) -> None:
    tokenward.config["store"]["url"] = "sqlite:////proc/no-such-folder/store.db"
    assert "(store_unavailable)" in (await tokenward("clients", "list", code=1)).stderr


# How it is printed


def test_a_table_fits_whatever_stands_in_it() -> None:
    text = words.table(("ID", "NAME", "OF"), [("7" * 36, "日本語" * 40, "x" * 300), ("8", "short", None)])
    assert max(map(words.width, text.splitlines())) <= 100
    assert "7" * 36 in text


def test_what_a_terminal_would_obey_is_replaced() -> None:
    assert words.plain("a\x1b[31mb\nc\u202ed\u2028e") == "a�[31mb�c�d�e"


async def test_the_serving_process_loads_none_of_it() -> None:
    code = "import sys, gateway.cli; print(sorted(n for n in sys.modules if 'sqlalchemy' in n or 'clients_api' in n))"
    process = await asyncio.create_subprocess_exec(
        PROGRAM.with_name("python"), "-c", code, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert printed.decode() == "[]\n"
