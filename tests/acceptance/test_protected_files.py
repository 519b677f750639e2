"""C191: ten thousand ways to write a path, and real servers that hold a protected file."""

import asyncio
import itertools
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from tests.gateways import free_port
from tests.servers import ROUTE, Says, bearer, gateway, request

SECRET = b"the protected text"
PUBLIC = replace(ROUTE, name="public", path="/public")
ADMIN = replace(ROUTE, name="admin", path="/admin", chain=Says(decision=bearer))


def spellings() -> list[str]:
    """Ways from /public to /admin/secret.txt."""
    dots = [
        "..",
        ".",
        "...",
        "%2e%2e",
        ".%2e",
        "%2E.",
        "%252e%252e",
        "..;",
        "..;x",
        "..%00",
        "%c0%ae%c0%ae",
        "%uff0e",
        "..%20",
        "%2e",
    ]
    slashes = ["/", "%2f", "%2F", "\\", "%5c", "//", "%252f", ";/", "/./", "%c0%af", "/%2e/", "?/", "#/"]
    names = ["admin/secret.txt", "%61dmin/secret.txt", "ADMIN/secret.txt", "admin%2fsecret.txt"]
    ways = itertools.product(slashes, dots, slashes, ["", "x/", "x/../", "..;/"], names)
    direct = itertools.product(slashes, slashes, names)
    return sorted(
        {f"/public{a}{dot}{b}{more}{name}" for a, dot, b, more, name in ways}
        | {f"{a}{b}{name}" for a, b, name in direct}
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name, content in (("public/x/page.txt", b"public"), ("admin/secret.txt", SECRET)):
        file = folder / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    return folder


@asynccontextmanager
async def aiohttp_files(root: Path) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_static("/", root)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def nginx_files(root: Path) -> AsyncIterator[str]:
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed.")
    work = root.parent
    port = free_port()
    paths = " ".join(
        f"{kind}_temp_path {work}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (work / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {work}/nginx.pid; error_log /dev/null;\n"
        f"events {{}} http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    process = subprocess.Popen([program, "-c", str(work / "nginx.conf"), "-p", str(work)], stderr=subprocess.DEVNULL)
    try:
        await _listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(5)


APACHE = """
ServerRoot {modules}
ServerName localhost
PidFile {work}/apache.pid
DefaultRuntimeDir {work}
ErrorLog /dev/null
Listen 127.0.0.1:{port}
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
DocumentRoot {root}
AllowEncodedSlashes On
"""
MODULES = Path("/usr/lib/apache2")


@asynccontextmanager
async def apache_files(root: Path) -> AsyncIterator[str]:
    """As lax as it can be made: it takes encoded slashes for slashes."""
    program = shutil.which("apache2")
    if program is None or not MODULES.exists():
        pytest.skip("Apache is not installed.")
    work = root.parent
    port = free_port()
    (work / "apache.conf").write_text(APACHE.format(modules=MODULES, work=work, port=port, root=root))
    process = subprocess.Popen([program, "-X", "-f", str(work / "apache.conf")], stderr=subprocess.DEVNULL)
    try:
        await _listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(5)


async def _listening(port: int) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@pytest.mark.case("C191")
@pytest.mark.parametrize(
    ("files", "every"), [(nginx_files, 1), (apache_files, 4), (aiohttp_files, 4)], ids=["nginx", "apache", "aiohttp"]
)
async def test_no_way_to_write_a_path_reads_the_protected_file(files: object, every: int, root: Path) -> None:
    targets = spellings()
    assert len(targets) >= 10_000
    targets = targets[::every]
    async with files(root) as url, gateway(url, PUBLIC, ADMIN) as running:  # type: ignore[operator]  # one of the three
        assert (await running.ask(request("GET", "/public/x/page.txt"))).body == b"public"
        assert (await running.ask(request("GET", "/admin/secret.txt", "Authorization: Bearer good"))).body == SECRET
        read = []

        async def one(target: str) -> None:
            reply = await running.ask(request("GET", target))
            if SECRET in reply.body:
                read.append(target)

        for start in range(0, len(targets), 20):
            await asyncio.gather(*(one(target) for target in targets[start : start + 20]))
        assert not read
        assert {exchange.status for exchange in running.exchanges} <= {200, 301, 302, 400, 401, 403, 404}
