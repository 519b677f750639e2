"""The gateways that are measured, each one a row: what it needs, how it is started, what it can check."""

import shutil
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.compiled import COMPILER, PACKAGES, PYTHON
from benchmarks.scenarios import Check, Scenario

APACHE_MODULE = Path("/usr/lib/apache2/modules/mod_oauth2.so")
LARGE = frozenset({"opaque10k", "memory"})
"""What takes a cache for 10,000 tokens."""
OURS = "tokenward"
BASELINE = "nginx"
RIVALS = ("apache", "apache-30k")
TOKENWARD = "-P -c 'from gateway.cli import main; main()'"
"""For Python, which would look into the working directory first: what is compiled is not there."""
PLAIN = frozenset({Check.NOTHING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A gateway. `command` and `template` have `@NAME@` for what a run fills in."""

    name: str
    title: str
    command: str
    template: str = ""
    checks: frozenset[Check] = PLAIN
    program: str = sys.executable
    packages: tuple[str, ...] = ()
    """Debian's, in the order of the apt command."""
    module: Path | None = None
    """A file that must be there beside the program."""
    fetches_keys: bool = True
    """Whether it gets the keys of JWTs from the provider."""
    only: frozenset[str] = frozenset()
    """The scenarios in which it takes part; empty: all that it can."""
    not_in: frozenset[str] = frozenset()
    values: Mapping[str, object] = field(default_factory=dict)
    is_compiled: bool = False
    """Whether what is to be compiled of Tokenward must be, before it is started."""

    @property
    def is_here(self) -> bool:
        """Whether it is installed."""
        return shutil.which(self.program) is not None and (self.module is None or self.module.exists())

    def can(self, scenario: Scenario) -> bool:
        """Whether it takes part. What the others are compared with takes part in all, and passes every token."""
        return (self.name == BASELINE or scenario.check in self.checks) and self.joins(scenario.name)

    def joins(self, name: str) -> bool:
        """Whether it is wanted in a scenario or trial of that name, if it can."""
        return name not in self.not_in and (not self.only or name in self.only)


def _tokenward(name: str, title: str, *, express: str = "true", compiled: bool = True) -> Peer:
    python = PYTHON if compiled else sys.executable
    return Peer(
        name=name,
        title=title,
        program=COMPILER if compiled else sys.executable,
        packages=PACKAGES if compiled else (),
        is_compiled=compiled,
        template="tokenward.yaml",
        command=f"{python} {TOKENWARD} run --config @FOLDER@/{name}.tokenward.yaml",
        checks=frozenset(Check),
        values={"NAME": name, "EXPRESS": express},
    )


def _apache(
    name: str, title: str, entries: int, *, only: frozenset[str] = frozenset(), not_in: frozenset[str] = frozenset()
) -> Peer:
    return Peer(
        name=name,
        title=title,
        program="apache2",
        module=APACHE_MODULE,
        packages=("apache2", "libapache2-mod-oauth2"),
        template="apache.conf",
        command=f"apache2 -DFOREGROUND -f @FOLDER@/{name}.apache.conf",
        checks=frozenset(Check),
        values={"NAME": name, "ENTRIES": entries},
        only=only,
        not_in=not_in,
    )


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="nginx",
            title="nginx (plain proxy)",
            program="nginx",
            packages=("nginx",),
            template="nginx.conf",
            command="nginx -c @FOLDER@/nginx.nginx.conf",
        ),
        _tokenward(OURS, "Tokenward"),
        _tokenward(f"{OURS}-ordinary", "Tokenward, ordinary lane", express="false"),
        _tokenward(f"{OURS}-python", "Tokenward, not compiled", compiled=False),
        _apache("apache", "Apache mod_oauth2", 1_000, not_in=LARGE),
        _apache("apache-30k", "Apache mod_oauth2, cache for 30,000", 30_000, only=LARGE),
        Peer(
            name="haproxy",
            title="HAProxy",
            program="haproxy",
            packages=("haproxy",),
            template="haproxy.cfg",
            command="haproxy -f @FOLDER@/haproxy.haproxy.cfg",
            checks=PLAIN | {Check.RS256},
            fetches_keys=False,
        ),
        Peer(
            name="caddy",
            title="Caddy (plain proxy)",
            program="caddy",
            packages=("caddy",),
            template="caddy.json",
            command="env GOMAXPROCS=1 caddy run --config @FOLDER@/caddy.caddy.json",
        ),
        Peer(
            name="envoy",
            title="Envoy (plain proxy)",
            program="envoy",
            template="envoy.yaml",
            command="envoy --concurrency 1 --log-level error --disable-hot-restart -c @FOLDER@/envoy.envoy.yaml",
        ),
        Peer(
            name="naive",
            title="naive aiohttp proxy",
            command=f"{sys.executable} -m benchmarks.naive @PORT@ http://127.0.0.1:@UPSTREAM@ @ISSUER@/introspect",
            checks=PLAIN | {Check.OPAQUE},
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Need:
    """A program that a run takes, and Debian's package that has it."""

    program: str
    package: str


# Without these there is no run; nginx is the upstream as well.
NEEDS = (Need("wrk", "wrk"), Need("nginx", "nginx"), Need("taskset", "util-linux"))
LUA_MODULE = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
LUA_PACKAGE = "libnginx-mod-http-lua"


def missing_needs() -> list[Need]:
    """What must be installed before anything can be measured."""
    return [need for need in NEEDS if shutil.which(need.program) is None]


def apt_command(needs: Iterable[Need], peers: Iterable[Peer], *, lua: bool) -> str:
    """The one command that installs all of these; empty where Debian has none of them."""
    packages = [need.package for need in needs]
    packages += [package for peer in peers for package in peer.packages]
    packages += [] if lua else [LUA_PACKAGE]
    return f"apt-get install {' '.join(dict.fromkeys(packages))}" if packages else ""


def chosen(names: Collection[str]) -> list[Peer]:
    """The peers of these names with their variants; all of them where there is none."""
    return [peer for peer in PEERS.values() if not names or peer.name in names or _is_variant(peer, names)]


def _is_variant(peer: Peer, names: Collection[str]) -> bool:
    return any(peer.name.startswith(f"{name}-") for name in names)
