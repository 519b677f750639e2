"""The whole gateway for tests: in this process, or as the program that operators run; and how both are asked."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from prometheus_client.parser import text_string_to_metric_families

from gateway.ports import Clock
from gateway.serve import Serving, serve
from gateway.settings import parse
from tests.servers import LANES, RawCaller

Config = dict[str, Any]
DEADLINE = 20.0
INTENT = {"X-Requested-With": "tokenward"}
PROGRAM = Path(sys.executable).with_name("tokenward")
SECRET = "gateway-secret"
"""Of the client that the development provider gives every gateway."""


def configuration(issuer: str, upstream: str, **options: Any) -> Config:
    """A gateway in front of one upstream: `/orders` for tokens with orders.read, `/public` for everybody.

    It listens where the system chooses, stops without delay, and reloads when it is told to.
    """
    enforcement = {"provider": "idp", "scopes": ["orders.read"], "identity_headers": {"X-Client": "client_id"}}
    return {
        "listen": "127.0.0.1:0",
        "admin": {"listen": "127.0.0.1:0"},
        "drain": {"delay": 0, "timeout": 5},
        "access_log": {"to": "off"},
        "reload": {"watch": False},
        "express": LANES.express,
        "providers": {
            "idp": {"issuer": issuer, "introspection": {"client_id": "gateway", "client_secret": SECRET}},
        },
        "routes": {
            "orders": {"path": "/orders", "upstream": upstream, "policies": [{"token-enforcement": enforcement}]},
            "public": {"path": "/public", "upstream": upstream, "policies": []},
        },
        **options,
    }


def enforcement(config: Config) -> Config:
    """The options of the policy on `/orders`."""
    options: Config = config["routes"]["orders"]["policies"][0]["token-enforcement"]
    return options


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def code(self) -> str:
        """Of the problem document that a refusal is."""
        return str(json.loads(self.text)["code"])


class Caller:
    """Asks one server, on connections that it keeps."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self.port = port

    async def __call__(self, method: str, path: str, token: str | None = None, **options: Any) -> Answer:
        headers = {**options.pop("headers", {}), **({} if token is None else {"Authorization": f"Bearer {token}"})}
        async with self._session.request(
            method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **options
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def get(self, path: str, token: str | None = None) -> int:
        """The status alone."""
        return (await self("GET", path, token)).status

    async def raw(self) -> RawCaller:
        """A connection of one's own."""
        return RawCaller(*await asyncio.open_connection("127.0.0.1", self.port))


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Caller]:
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as session:
        yield Caller(session, port)


class Operator:
    """Asks a gateway's admin port, with the token that it may take."""

    def __init__(self, caller: Caller, token: str | None = None) -> None:
        self.ask = caller
        self._token = token

    async def reload(self) -> Answer:
        return await self.ask("POST", "/-/reload", self._token, headers=INTENT)

    async def readiness(self) -> str:
        return (await self.ask("GET", "/readyz")).text.strip()

    async def page(self, path: str) -> str:
        """What it shows there."""
        return (await self.ask("GET", path, self._token)).text

    async def metrics(self) -> Mapping[str, float]:
        """Each sample, as `name label=value …`."""
        return samples(await self.page("/metrics"))

    async def metric(self, name: str) -> float:
        return (await self.metrics()).get(name, 0.0)


def samples(text: str) -> Mapping[str, float]:
    """What a page of metrics says."""
    return {
        sample.name + "".join(f" {label}={value}" for label, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def until(is_so: Callable[[], Awaitable[object]], what: str = "") -> None:
    """Wait until that is so; raises TimeoutError when it takes too long."""
    try:
        async with asyncio.timeout(DEADLINE):
            while not await is_so():  # noqa: ASYNC110 - of another process there is no event to wait for
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise TimeoutError(what or "it did not come true") from None


# In this process


@dataclass
class Served:
    """A gateway in this process. What `config` says is what a reload reads."""

    serving: Serving
    caller: Caller
    operator: Operator

    @property
    def port(self) -> int:
        return self.caller.port


@asynccontextmanager
async def served(config: Config, *, clock: Clock | None = None) -> AsyncIterator[Served]:
    """That gateway, until the end of the block."""

    def read() -> Any:
        return parse(json.dumps(config), environment={})

    async with serve(read(), read=read, clock=clock) as serving:
        (_, port), (_, admin) = serving.addresses[0], serving.admin_addresses[0]
        async with calling(port) as caller, calling(admin) as operator:
            yield Served(serving, caller, Operator(operator, config["admin"].get("token")))


# As a process

LISTENS = re.compile(r"listening on 127\.0\.0\.1:(\d+), for operators on 127\.0\.0\.1:(\d+)")


@dataclass
class Program:
    """`tokenward run`, and where it writes."""

    process: asyncio.subprocess.Process
    folder: Path
    caller: Caller
    operator: Operator

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def config(self) -> Path:
        return self.folder / "tokenward.yaml"

    def write(self, config: Config | str) -> None:
        """Replace the configuration, as an editor does: in one step."""
        write(self.config, config)

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(DEADLINE):
            return await self.process.wait()

    def family(self) -> list[int]:
        """The processes that it started, the oldest first."""
        return _children(self.process.pid)

    async def until_logged(self, text: str, times: int = 1) -> None:
        """Wait until stderr says so, that often."""

        async def is_there() -> bool:
            assert self.process.returncode is None, self.stderr
            return self.stderr.count(text) >= times

        await until(is_there, f"not logged: {text}")


def write(path: Path, config: Config | str) -> None:
    new = path.with_suffix(".new")
    new.write_text(config if isinstance(config, str) else json.dumps(config))
    new.rename(path)


@asynccontextmanager
async def program(config: Config | None, folder: Path, *, through: Sequence[str] = ()) -> AsyncIterator[Program]:
    """`tokenward run` with that configuration, or the one that is there, once it is ready.

    `through` is a command that becomes the one behind it, such as `prlimit`. Nothing of it outlives the block.
    """
    if config is not None:
        write(folder / "tokenward.yaml", config)
    async with started(folder, through) as process:
        port, admin = await _ports(process, folder / "stderr")
        async with calling(port) as caller, calling(admin) as operator:
            token = json.loads((folder / "tokenward.yaml").read_text())["admin"].get("token")
            running = Program(process, folder, caller, Operator(operator, token))
            await until(is_ready(running), "it did not become ready")
            yield running


def is_ready(running: Program) -> Callable[[], Awaitable[bool]]:
    """Whether every process of it serves."""
    workers = json.loads(running.config.read_text()).get("workers", 1)

    async def is_so() -> bool:
        if await running.operator.readiness() != "ready":
            return False
        return workers == 1 or await running.operator.metric("tokenward_workers") >= float(workers)

    return is_so


@asynccontextmanager
async def started(folder: Path, through: Sequence[str] = ()) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tokenward run` in a session of its own, with the configuration in that folder."""
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *through,
            PROGRAM,
            "run",
            "--config",
            folder / "tokenward.yaml",
            stdout=stdout,
            stderr=stderr,
            env={"PATH": os.environ["PATH"]},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _kill_session(process.pid)
        await process.wait()


async def _ports(process: asyncio.subprocess.Process, stderr: Path) -> tuple[int, int]:
    found: list[re.Match[str]] = []

    async def says() -> bool:
        assert process.returncode is None, stderr.read_text()
        found.extend(LISTENS.finditer(stderr.read_text()))
        return bool(found)

    await until(says, "it does not say where it listens")
    return int(found[0][1]), int(found[0][2])


def _children(pid: int) -> list[int]:
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except FileNotFoundError:
        return []


def _kill_session(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
