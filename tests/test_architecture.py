"""The directions of imports and the banned calls are enforced: what breaks one on purpose is refused by name."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CHECKOUT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
PURE = {
    "gateway": ["answer_head", "answers", "chain", "conditions", "correlation", "headers", "paths", "policy", "router"],
    "gateway.portal": ["attempt", "forms", "identity", "return_address", "tokens"],
    "policies.token_enforcement": ["bearer", "claims", "credential", "rules", "signature"],
}


class Break(NamedTuple):
    """A line that breaks a contract, and the file it is appended to."""

    file: str
    line: str
    contract: str


BREAKS = [
    Break("gateway/policy.py", "import gateway.services", "layers"),
    Break("gateway/breaker.py", "import gateway.flights", "layers"),
    Break("gateway/flights.py", "import gateway.breaker", "layers"),
    Break("gateway/without_a_place.py", "", "layers"),
    Break("gateway/fetch.py", "import policies.opening_hours", "gateway-knows-no-policy"),
    Break("policies/opening_hours.py", "import gateway.fetch", "policies-use-the-interface"),
    Break("policies/opening_hours.py", "import gateway.clock", "policies-use-the-interface"),
    Break("gateway/chain.py", "import asyncio", "pure"),
    Break("gateway/chain.py", "import aiohttp", "pure"),
    Break("gateway/chain.py", "import socket", "pure"),
    Break("gateway/chain.py", "import sqlalchemy", "pure"),
    Break("policies/token_enforcement/rules.py", "import time", "pure"),
    Break("policies/token_enforcement/bearer.py", "import gateway.flights", "pure"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and the contracts, to be spoiled."""
    for package in ("gateway", "policies"):
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: f"{broken.contract}: {broken.file}, {broken.line}")
def test_an_import_in_the_wrong_direction_fails_and_names_the_contract(broken: Break, copy: Path) -> None:
    with (copy / broken.file).open("a") as file:
        file.write(f"\n{broken.line}\n")
    status, output = run("lint-imports", "--no-cache", "--no-logo", folder=copy)
    assert status == 1
    assert f"{contract(broken.contract)['name']} BROKEN" in output


@pytest.mark.parametrize(("package", "module"), [(package, name) for package in PURE for name in PURE[package]])
def test_every_pure_module_is_under_contract(package: str, module: str) -> None:
    if (CHECKOUT / package.replace(".", "/") / f"{module}.py").exists():
        assert f"{package}.{module}" in contract("pure")["source_modules"]


@pytest.mark.parametrize(
    "source",
    [
        "import time\n\nNOW = time.time()\n",
        "from time import time\n\nNOW = time()\n",
        "import datetime\n\nNOW = datetime.datetime.now(datetime.UTC)\n",
        "import asyncio\n\nasyncio.create_task(asyncio.sleep(1))\n",
    ],
)
def test_reading_the_time_or_starting_a_task_is_refused(source: str) -> None:
    status, output = run("ruff", "check", "--stdin-filename", "gateway/router.py", "-", folder=CHECKOUT, source=source)
    assert status == 1
    assert "TID251" in output


def test_one_file_may_read_the_time_and_one_may_start_tasks() -> None:
    files = [file for package in ("gateway", "policies") for file in sorted((CHECKOUT / package).rglob("*.py"))]
    exempt = [file.relative_to(CHECKOUT).as_posix() for file in files if "TID251" in file.read_text()]
    assert exempt == ["gateway/clock.py", "gateway/tasks.py"]


def contract(identifier: str) -> dict[str, Any]:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    contracts: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return next(each for each in contracts if each["id"] == identifier)


def run(program: str, *arguments: str, folder: Path, source: str = "") -> tuple[int, str]:
    """The exit status of one of our tools, and what it printed."""
    ended = subprocess.run(
        [PROGRAMS / program, *arguments], cwd=folder, input=source, capture_output=True, text=True, timeout=60
    )
    return ended.returncode, ended.stdout + ended.stderr
