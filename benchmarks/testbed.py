"""What stands around the gateways of a run: an upstream, an identity provider, tokens; and the gateways themselves."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tokens
from benchmarks.peers import Peer
from benchmarks.processes import Crew, Program, StartError, free_ports
from benchmarks.provider import Provider, fetch, start_provider
from benchmarks.provider_stub import CLIENT_AUTH
from benchmarks.scenarios import PREFIXES, Check
from benchmarks.templates import render, write
from gateway.clock import SystemClock

KB = 1024
DOWNLOAD = 10 << 20
Says = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores do what, as taskset names them."""

    gateway: str
    load: str

    @classmethod
    def of(cls, cores: list[int]) -> "Cores":
        """The last one for the gateway, the others for the rest. Raises ValueError where there is only one."""
        if len(cores) < 2:
            raise ValueError("two cores are needed: one for the gateway, one for the load")
        return cls(str(cores[-1]), ",".join(str(core) for core in cores[:-1]))


@dataclass(slots=True)
class Gateway:
    """A peer that listens."""

    peer: Peer
    port: int
    command: str
    program: Program


@dataclass(slots=True)
class Testbed:
    """A run's servers."""

    crew: Crew
    cores: Cores
    folder: Path
    provider: Provider
    upstream: Program
    values: dict[str, object]
    gateways: dict[str, Gateway] = field(default_factory=dict)

    def start(self, peer: Peer) -> Gateway:
        """Start a gateway, and see that it does what it should. Raises StartError."""
        port, admin = free_ports(2)
        values = {**self.values, **peer.values, "PORT": port, "ADMIN": admin}
        if peer.template:
            write(peer.template, self.folder / f"{peer.name}.{peer.template}", values)
        command = render(peer.command, values)
        program = self.crew.start(peer.name, command, cpus=self.cores.gateway, port=port)
        gateway = Gateway(peer, port, command, program)
        self.gateways[peer.name] = gateway
        self._see_that_it_checks(gateway)
        return gateway

    def restart(self, gateway: Gateway) -> None:
        """Make it forget everything."""
        self.crew.end(gateway.program)
        gateway.program = self.crew.start(
            gateway.peer.name, gateway.command, cpus=self.cores.gateway, port=gateway.port
        )

    def end_gateways(self) -> None:
        """End all of them."""
        for gateway in self.gateways.values():
            self.crew.end(gateway.program)
        self.gateways.clear()

    def token(self, check: Check) -> str:
        """One that is good."""
        return "" if check is Check.NOTHING else tokens.first_token(self.folder, check)

    def _see_that_it_checks(self, gateway: Gateway) -> None:
        for check in gateway.peer.checks:
            path = f"{PREFIXES[check]}/1k"
            self._expect(gateway, path, self.token(check), 200)
            if check is not Check.NOTHING:
                self._expect(gateway, path, "", 401)
                self._expect(gateway, path, "not.a.token", 401)

    def _expect(self, gateway: Gateway, path: str, token: str, status: int) -> None:
        got, body = fetch(gateway.port, path, token)
        if got != status or (status == 200 and len(body) != KB):
            sent = "a good token" if status == 200 else "no good token"
            raise StartError(f"{gateway.peer.name} answers {path} with {sent} by {got}, {len(body)} bytes")


@contextmanager
def testbed(crew: Crew, cores: Cores) -> Iterator[Testbed]:
    """An upstream and a provider; gateways are started by whoever needs them."""
    upstream_port, provider_port = free_ports(2)
    folder = crew.folder
    keys = tokens.write_keys(folder)
    issuer = f"http://127.0.0.1:{provider_port}"
    values: dict[str, object] = {
        "FOLDER": folder,
        "UPSTREAM": upstream_port,
        "PROVIDER": provider_port,
        "ISSUER": issuer,
        "AUDIENCE": tokens.AUDIENCE,
        "CLIENT": tokens.CLIENT,
        "SCOPE": tokens.SCOPE,
        "LIFE": tokens.LIFE,
        "CLIENT_AUTH": CLIENT_AUTH,
        "JWKS": (folder / "jwks.json").read_text(),
        "BODY": body_of(KB),
    }
    _write_tokens(folder, keys, issuer)
    (folder / "10m.bin").write_bytes(os.urandom(DOWNLOAD))
    write("upstream.conf", folder / "upstream.conf", values)
    upstream = crew.start("upstream", f"nginx -c {folder}/upstream.conf", cpus=cores.load, port=upstream_port)
    provider = start_provider(crew, cores.load, values, provider_port)
    yield Testbed(crew, cores, folder, provider, upstream, values)


def body_of(size: int) -> str:
    """An answer of the protected API with so many bytes."""
    around = json.dumps({"name": "benchmark", "text": ""})
    return json.dumps({"name": "benchmark", "text": "y" * (size - len(around))})


def add_signed_tokens(bed: Testbed, algorithm: str, count: int, says: Says) -> None:
    """Make tokens that no gateway has seen."""
    now = int(SystemClock().time())
    key = (bed.folder / f"{algorithm.lower()}.key").read_bytes()
    began, made = time.monotonic(), 0
    with tokens.token_file(bed.folder, algorithm).open("a") as file:
        for batch in tokens.sign(key, algorithm, bed.provider.issuer, now, count, len(os.sched_getaffinity(0))):
            file.writelines(f"{token}\n" for token in batch)
            made += len(batch)
            says(f"signing {algorithm} tokens: {made:,} of {count:,}, {time.monotonic() - began:.0f} s")


def _write_tokens(folder: Path, keys: dict[str, bytes], issuer: str) -> None:
    now = int(SystemClock().time())
    tokens.write_opaque(folder)
    tokens.write_unknown(folder, issuer, now)
    for algorithm, key in keys.items():
        (folder / f"{algorithm.lower()}.key").write_bytes(key)
        # The first one is the token that has been seen; those to come must have other numbers.
        first = tokens.sign_one(key, algorithm, issuer, now, -1)
        tokens.token_file(folder, algorithm).write_text(f"{first}\n")
