"""`tokenward doctor` as it is called: what it prints, and its exit code."""

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.doctor.registering import Registering, registering

CONFIGURATION = """\
listen: 127.0.0.1:0
admin: {{listen: "127.0.0.1:0"}}
routes:
  orders: {{path: /orders, upstream: "http://127.0.0.1:{port}", policies: []}}
"""


@pytest.fixture
def port() -> Iterator[int]:
    """An upstream that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def doctor(folder: Path, port: int, *options: str) -> tuple[int, str]:
    path = folder / "tokenward.yaml"
    path.write_text(CONFIGURATION.format(port=port))
    result = CliRunner().invoke(app, ["doctor", str(path), *options])
    return result.exit_code, result.stdout


def test_a_healthy_configuration_ends_with_zero(tmp_path: Path, port: int) -> None:
    code, printed = doctor(tmp_path, port)
    assert code == 0
    assert printed.endswith("\n3 checks: 3 ok, 0 warnings, 0 failures, 0 skipped\n")


def test_a_failure_ends_with_one(tmp_path: Path, port: int) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        code, printed = doctor(tmp_path, bound.getsockname()[1])
    assert code == 1
    assert "  XX  reachable       127.0.0.1:" in printed


def test_nobody_signs_in_without_a_portal(tmp_path: Path, port: int) -> None:
    assert doctor(tmp_path, port, "--sign-in") == (2, "")


REGISTERING = """\
listen: 127.0.0.1:0
admin: {{listen: "127.0.0.1:0"}}
providers:
  idp:
    issuer: "{issuer}"
    dialect: {{order: keys_only}}
    registration: {{}}
routes:
  orders: {{path: /orders, upstream: "{issuer}", policies: [token-enforcement: {{provider: idp}}]}}
"""


async def called(folder: Path, provider: Registering, *options: str) -> Process:
    """The command, under way."""
    path = folder / "tokenward.yaml"
    path.write_text(REGISTERING.format(issuer=provider.issuer))
    program = (sys.executable, "-c", "from gateway.cli import main; main()")
    return await asyncio.create_subprocess_exec(*program, "doctor", str(path), *options, stdout=DEVNULL)


@pytest.mark.parametrize("signal", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_command_without_leaving_a_client(tmp_path: Path, signal: int) -> None:
    async with registering() as provider:
        provider.may_answer.clear()
        command = await called(tmp_path, provider)
        await provider.registering.wait()
        command.send_signal(signal)
        provider.may_answer.set()
        assert await command.wait() != 0
        assert (len(provider.wishes), provider.clients) == (1, {})


async def test_without_registration_none_is_tried(tmp_path: Path) -> None:
    async with registering() as provider:
        command = await called(tmp_path, provider, "--without-registration")
        assert (await command.wait(), provider.wishes) == (0, [])


def test_json_is_all_that_is_printed(tmp_path: Path, port: int) -> None:
    code, printed = doctor(tmp_path, port, "--format", "json")
    assert (code, json.loads(printed)["healthy"]) == (0, True)
