"""The whole demo: started, tried with curl as its text says, and ended."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from gateway.demo import run_demo
from gateway.demo.curls import Curl
from gateway.demo.listening import bind
from gateway.demo.running import Demo, Ports, open_demo

ANYWHERE = Ports(gateway=0, admin=0, provider=0, upstream=0)
ENVIRONMENT = {"PATH": os.environ["PATH"]}
"""Without the proxies that a machine may have."""
START = "import asyncio, sys; from gateway.demo import run_demo; asyncio.run(run_demo(sys.stdout, port=0))"
WITHOUT_AUTHLIB = f"import sys; sys.modules['authlib'] = None; {START}"
IMPORT_ALL_BUT_THE_DEMO = """
import importlib, pathlib, sys
import gateway, gateway.demo, policies
for package in (gateway, policies):
    root = pathlib.Path(package.__file__).parent
    for file in root.rglob("*.py"):
        parts = (package.__name__, *file.relative_to(root).with_suffix("").parts)
        # A migration is no module: alembic runs it.
        if not {"demo", "__main__", "migrations"} & set(parts):
            importlib.import_module(".".join(part for part in parts if part != "__init__"))
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("authlib", "joserfc")))
"""


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with open_demo(ANYWHERE) as demo:
        yield demo


async def answers(curl: Curl) -> str:
    """What a shell prints for the command."""
    shell = await asyncio.create_subprocess_shell(
        curl.command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=ENVIRONMENT
    )
    async with asyncio.timeout(10):
        printed, _ = await shell.communicate()
    return printed.decode()


async def test_every_command_is_answered_as_the_text_says(demo: Demo) -> None:
    for curl in demo.curls:
        printed = await answers(curl)
        assert printed.splitlines()[0] == curl.status_line, curl.about


async def test_a_refusal_has_a_challenge_and_a_problem_document(demo: Demo) -> None:
    printed = (await answers(demo.curls[1])).lower()
    assert "\nwww-authenticate: bearer " in printed
    assert "\ncontent-type: application/problem+json" in printed


async def test_the_api_sees_who_is_asking_and_not_the_token(demo: Demo) -> None:
    printed = await answers(demo.curls[2])
    assert '"X-Token-Client": "shop"' in printed
    assert '"X-Token-Scope": "orders.read"' in printed
    echoed = await answers(Curl("", demo.curls[2].command.replace("/orders", "/echo"), 200))
    assert echoed.startswith("HTTP/1.1 200 ")
    assert '"Authorization"' not in echoed
    assert demo.token not in echoed


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "QUERY"])
async def test_no_method_slips_between_the_two_policies(demo: Demo, method: str) -> None:
    printed = await answers(Curl("", f"curl -i -X {method} {demo.gateway}/orders", 405))
    assert printed.startswith("HTTP/1.1 405 ")


async def test_a_port_that_is_taken_is_replaced_and_the_text_says_so() -> None:
    stop, output = asyncio.Event(), io.StringIO()
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        stop.set()
        async with asyncio.timeout(20):
            await run_demo(output, port=port, stop=stop)
    assert f"Port {port} is taken; http://127.0.0.1:" in output.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            while b"Ctrl-C ends the demo" not in (line := await process.stdout.readline()):
                assert line, "it ended by itself"
            process.send_signal(number)
            printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert (process.returncode, complaints) == (0, b"")
    assert b"The demo has ended" in printed


def test_without_authlib_it_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_AUTHLIB], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "pip install 'tokenward[demo]'" in done.stderr


def test_nothing_but_the_demo_imports_authlib() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL_BUT_THE_DEMO], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
