"""The machine that a run was taken on, and the versions of what ran."""

import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.peers import LUA_PACKAGE, NEEDS, Peer
from benchmarks.processes import CHECKOUT
from gateway.build import this_build

LIBRARIES = ("aiohttp", "cryptography", "httptools", "multidict", "pyjwt", "uvloop", "yarl")


def describe() -> dict[str, str]:
    """Processor, memory, system: nothing that names the machine."""
    return {
        "processor": processor(_read("/proc/cpuinfo")) or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "virtual": "yes" if " hypervisor" in _read("/proc/cpuinfo") else "no",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": ".".join(re.findall(r"\d+", platform.release())[:3]),
    }


def versions(peers: Iterable[Peer]) -> dict[str, str]:
    """Of Tokenward, of Python and libraries, of the packages of the peers and of what drives them."""
    taking_part = list(peers)
    packages = [need.package for need in NEEDS] + [package for peer in taking_part for package in peer.packages]
    found = {"tokenward": f"{this_build().version} {revision()}".strip()}
    found |= {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION}
    found |= {name: installed for name in LIBRARIES if (installed := _library(name))}
    found |= {name: installed for name in dict.fromkeys([*packages, LUA_PACKAGE]) if (installed := _package(name))}
    # Debian does not have these: they say it themselves.
    strangers = [peer for peer in taking_part if not peer.packages and peer.program != sys.executable]
    return found | {peer.name: _said(peer.program, "--version") for peer in strangers}


def revision() -> str:
    """The commit of this checkout, and whether the sources are otherwise; empty where nobody knows."""
    commit = _said("git", "rev-parse", "--short", "HEAD")
    changed = _said("git", "status", "--porcelain", "--", "gateway", "policies")
    return f"{commit}{' with changes' if changed else ''}"


def processor(cpuinfo: str) -> str:
    """The name of the first one."""
    found = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else ""


def folder_name(date: str, machine: dict[str, str]) -> str:
    """Where the results of that day and machine go."""
    words = re.sub(r"[^a-z0-9]+", "-", machine["processor"].lower()).strip("-")
    return f"{date}-{words}-{machine['cores']}-cores"


def _library(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _package(name: str) -> str:
    return _said("dpkg-query", "--show", "--showformat=${Version}", name)


def _said(*command: str) -> str:
    """What a program prints; nothing where it is not here or fails."""
    if shutil.which(command[0]) is None:
        return ""
    ended = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def _read(path: str) -> str:
    return Path(path).read_text()
