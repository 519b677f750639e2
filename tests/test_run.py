"""`tokenward run` as a process: exit codes, signals, and the file that changes under it."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.gateways import (
    DEADLINE,
    PROGRAM,
    Config,
    Program,
    configuration,
    program,
    started,
    until,
    write,
)
from tests.servers import RecordingUpstream, recording_upstream, request

NOBODY = "http://127.0.0.1:9"
HALF = b"half of it"
UPLOAD = request("POST", "/public", f"Content-Length: {2 * len(HALF)}")
both = pytest.mark.parametrize("workers", [1, 2])


async def run(config: Config | str, folder: Path) -> tuple[int, str]:
    """The exit code of a program that ends by itself, and its stderr."""
    write(folder / "tokenward.yaml", config)
    async with started(folder) as process, asyncio.timeout(DEADLINE):
        return await process.wait(), (folder / "stderr").read_text()


@asynccontextmanager
async def running(folder: Path, **options: object) -> AsyncIterator[tuple[Program, RecordingUpstream]]:
    """The program in front of an upstream."""
    async with (
        recording_upstream() as upstream,
        program(configuration(NOBODY, upstream.url, **options), folder) as gateway,
    ):
        yield gateway, upstream


# It does not start


async def test_a_configuration_with_mistakes_ends_it_with_78_and_every_mistake(tmp_path: Path) -> None:
    code, told = await run("listn: 127.0.0.1:0\nroutes: []\n", tmp_path)
    assert code == 78
    assert told.splitlines() == [
        f"{tmp_path}/tokenward.yaml:1:1: listn: is not known here; did you mean listen?",
        f"{tmp_path}/tokenward.yaml:2:1: routes: must be a mapping; write name: value",
    ]


@both
@pytest.mark.parametrize("option", ["listen", "admin.listen"])
async def test_a_port_that_is_taken_ends_it_with_one_sentence(option: str, workers: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        config = configuration(NOBODY, NOBODY, workers=workers)
        config.update({"listen": address} if option == "listen" else {"admin": {"listen": address}})
        assert await run(config, tmp_path) == (
            1,
            f"cannot listen on {address}: address already in use; write another address under {option}\n",
        )


@both
async def test_a_certificate_that_is_none_ends_it(workers: int, tmp_path: Path) -> None:
    (tmp_path / "server.pem").write_text("no certificate")
    tls = {"certificate_file": "server.pem", "key_file": "server.pem"}
    code, told = await run(configuration(NOBODY, NOBODY, workers=workers, tls=tls), tmp_path)
    assert code == 1
    assert "PEM" in told
    assert "Traceback" not in told


@both
async def test_without_the_parser_in_c_it_does_not_start(workers: int, tmp_path: Path) -> None:
    write(tmp_path / "tokenward.yaml", configuration(NOBODY, NOBODY, workers=workers))
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "run", "--config", tmp_path / "tokenward.yaml"),
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "AIOHTTP_NO_EXTENSIONS": "1"},
    )
    async with asyncio.timeout(DEADLINE):
        _, told = await process.communicate()
    assert process.returncode == 1
    assert told.startswith(b"aiohttp's HTTP parser in C is missing, and the one in Python lets ambiguous requests")
    assert told.count(b"\n") == 1


@both
async def test_the_metrics_tell_which_parser_is_in_use(workers: int, tmp_path: Path) -> None:
    async with running(tmp_path, workers=workers) as (gateway, _):
        assert await gateway.operator.metric("tokenward_http_parser_info parser=llhttp") == 1


# Signals


@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_0(number: signal.Signals, workers: int, tmp_path: Path) -> None:
    async with running(tmp_path, workers=workers) as (gateway, _):
        assert await gateway.caller.get("/public") == 200
        gateway.tell(number)
        assert await gateway.ended() == 0
        assert '"level": "error"' not in gateway.stderr
        assert gateway.family() == []


@both
async def test_the_second_signal_ends_it_at_once(workers: int, tmp_path: Path) -> None:
    async with running(tmp_path, workers=workers, drain={"delay": 600, "timeout": 600}) as (gateway, _):
        caller = await gateway.caller.raw()
        caller.send(UPLOAD + HALF)
        gateway.tell(signal.SIGTERM)
        await until_draining(gateway)
        gateway.tell(signal.SIGTERM)
        assert await gateway.ended() == 1


async def until_draining(gateway: Program) -> None:
    async def says_so() -> bool:
        return await gateway.operator.readiness() == "not ready: draining"

    await until(says_so)


@both
async def test_sighup_reads_the_configuration_again(workers: int, tmp_path: Path) -> None:
    async with running(tmp_path, workers=workers) as (gateway, upstream):
        gateway.write(configuration(NOBODY, upstream.url, workers=workers, routes={}))
        gateway.tell(signal.SIGHUP)
        await gateway.until_logged("the configuration was reloaded", workers)
        for _ in range(10):
            assert await gateway.caller.get("/public") == 404


@both
async def test_sighup_opens_the_access_log_anew(workers: int, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    async with running(tmp_path, workers=workers, access_log={"to": str(log)}) as (gateway, _):
        assert await gateway.caller.get("/public?before") == 200
        await until_lines(log, 1)
        log.rename(tmp_path / "access.log.1")
        gateway.tell(signal.SIGHUP)
        await gateway.until_logged("the configuration was reloaded", workers)
        for _ in range(10):
            assert await gateway.caller.get("/public?after") == 200
        await until_lines(log, 10)
        assert len((tmp_path / "access.log.1").read_text().splitlines()) == 1


async def until_lines(path: Path, count: int) -> None:
    async def are_there() -> bool:
        return path.exists() and len(path.read_text().splitlines()) >= count

    await until(are_there, f"{path.name} has too few lines")


@both
async def test_sighup_leaves_a_configuration_with_mistakes_alone(workers: int, tmp_path: Path) -> None:
    async with running(tmp_path, workers=workers) as (gateway, _):
        gateway.write("routes: {")
        gateway.tell(signal.SIGHUP)
        await gateway.until_logged("the configuration was not reloaded", workers)
        assert await gateway.caller.get("/public") == 200
        assert await gateway.operator.metric("tokenward_config_last_reload_successful") == 0


# The file


@both
async def test_a_file_that_is_replaced_is_in_force_soon(workers: int, tmp_path: Path) -> None:
    async with running(tmp_path, workers=workers, reload={"watch": True}) as (gateway, upstream):
        gateway.write(configuration(NOBODY, upstream.url, workers=workers, routes={}))
        await gateway.until_logged("the configuration was reloaded", workers)
        assert await gateway.caller.get("/public") == 404


async def test_a_config_map_that_is_swapped_is_in_force_soon(tmp_path: Path) -> None:
    async with recording_upstream() as upstream:
        config = configuration(NOBODY, upstream.url, reload={"watch": True})
        mount(tmp_path, "..2026_01", config)
        (tmp_path / "tokenward.yaml").symlink_to("..data/tokenward.yaml")
        async with program(None, tmp_path) as gateway:
            mount(tmp_path, "..2026_02", {**config, "routes": {}})
            await gateway.until_logged("the configuration was reloaded")
            assert await gateway.caller.get("/public") == 404


def mount(folder: Path, version: str, config: Config) -> None:
    """As the kubelet does: a new directory, and a link to it that replaces the one before."""
    (folder / version).mkdir()
    (folder / version / "tokenward.yaml").write_text(json.dumps(config))
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")
