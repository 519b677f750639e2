"""`tokenward doctor` as it is called: what it prints, and its exit code."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app

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


def test_json_is_all_that_is_printed(tmp_path: Path, port: int) -> None:
    code, printed = doctor(tmp_path, port, "--format", "json")
    assert (code, json.loads(printed)["healthy"]) == (0, True)
