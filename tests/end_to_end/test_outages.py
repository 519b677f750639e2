"""What is away: the store, while it runs and at the start, and the provider while somebody approves."""

import re
import resource
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import new_key
from gateway.clock import SystemClock
from gateway.demo.listening import bind
from tests.clients.postgresql import PostgreSQL
from tests.end_to_end.processes import one_connection_each
from tests.end_to_end.providers import OWNER, demo_provider
from tests.end_to_end.sites import (
    Keys,
    Site,
    ask_for_access,
    decide,
    granted,
    running_site,
    show_credentials,
)
from tests.gateways import Config, until
from tests.portal.pages.sites import Answer, Somebody

Fault: TypeAlias = Callable[[Site], AbstractContextManager[None]]


def impatient(config: Config) -> None:
    config["store"]["timeout"] = 0.5


# The store, while it runs


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Somebody else writes, and does not come to an end."""
    other = sqlite3.connect(_file(site), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.execute("ROLLBACK")
    other.close()


@contextmanager
def full(site: Site) -> Iterator[None]:
    """No file of the gateway may grow beyond what it can hardly have less of: writing ends as on a full disk."""
    processes = [site.gateway.process.pid, *site.gateway.family()]
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))
    yield
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def corrupt(site: Site) -> Iterator[None]:
    """Nothing of the file is what it was; then it is again."""
    files = list(_file(site).parent.glob("store.db*"))
    contents = {file: file.read_bytes() for file in files}
    for file in files:
        _overwrite(file, b"\xa5" * len(contents[file]))
    yield
    for file in files:
        _overwrite(file, contents[file])


@asynccontextmanager
async def read_only(server: PostgreSQL, url: str) -> AsyncIterator[None]:
    """The server takes nothing from now on: it was made the second of two, say."""
    await _set_read_only(server, url, "on")
    yield
    await _set_read_only(server, url, "off")


async def _set_read_only(server: PostgreSQL, url: str, value: str) -> None:
    name = url.rpartition("/")[2]
    await server.execute("postgres", f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    await server.disconnect_all(url)


@asynccontextmanager
async def at_once(fault: AbstractContextManager[None]) -> AsyncIterator[None]:
    """A fault that needs no event loop."""
    with fault:
        yield


def _file(site: Site) -> Path:
    return site.gateway.folder / "store.db"


def _overwrite(file: Path, contents: bytes) -> None:
    """In place: whoever has it open sees it."""
    with file.open("r+b") as opened:
        opened.write(contents)


@dataclass(frozen=True, slots=True)
class Two:
    """Tokens of two applications of one developer's, one with a contract in force, one whose contract was revoked."""

    good: str
    revoked: str


async def two_applications(site: Site, ada: Somebody, olga: Somebody) -> Two:
    _, good = await granted(site, ada, olga, "Shop")
    wish, revoked = await granted(site, ada, olga, "Pirate")
    await decide(olga, wish, "revoke")
    return Two(good, revoked)


async def statuses(site: Site, tokens: Two) -> list[int]:
    return [await site.gateway.caller.get("/orders", token) for token in (tokens.good, tokens.revoked)]


async def names(somebody: Somebody) -> set[str]:
    """Of the applications that somebody sees."""
    return set(re.findall(r"<bdi>(\w+)</bdi></a></h2>", (await somebody.sees("/applications")).text))


def is_a_page(answer: Answer) -> bool:
    return answer.headers["Content-Type"].startswith("text/html") and "Service Unavailable" in answer.text


async def fields_of(somebody: Somebody) -> list[tuple[str, str]]:
    """The form for access, filled in: it is open while the store goes away."""
    form = (await somebody.sees("/apis/orders/ask")).text
    token = form.partition('name="csrf" value="')[2].partition('"')[0]
    fields = {
        "csrf": token,
        "application": "new",
        "name": "Late",
        "grant_types": "client_credentials",
        "authentication": "client_secret_basic",
        "tier": "bronze",
    }
    return list(fields.items())


@pytest.mark.case("C282")
@pytest.mark.parametrize("fault", [locked, full, corrupt])
async def test_without_its_file_the_gateway_goes_on_with_what_it_knows(fault: Fault, tmp_path: Path) -> None:
    async with (
        demo_provider() as at,
        running_site(at, tmp_path, f"sqlite:///{tmp_path}/store.db", change=impatient) as site,
    ):
        await goes_on(site, lambda: at_once(fault(site)))


@pytest.mark.case("C282")
async def test_without_its_server_the_gateway_goes_on_with_what_it_knows(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    url = await postgresql.database()
    async with demo_provider() as at, running_site(at, tmp_path, url, change=impatient, workers=2) as site:
        await goes_on(site, lambda: at_once(postgresql.frozen()))


@pytest.mark.case("C282")
async def test_with_a_server_that_takes_nothing_the_gateway_goes_on_with_what_it_knows(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    url = await postgresql.database()
    async with demo_provider() as at, running_site(at, tmp_path, url, change=impatient) as site:
        await goes_on(site, lambda: read_only(postgresql, url))


async def goes_on(site: Site, fault: Callable[[], AbstractAsyncContextManager[None]]) -> None:
    """What holds during any fault, and after it."""
    ada, olga = await site.signed_in("ada"), await site.signed_in(OWNER)
    tokens = await two_applications(site, ada, olga)
    filled_in = await fields_of(ada)
    async with fault():
        answer = await ada.posts("/apis/orders/ask", filled_in)
        assert answer.status == 503
        assert is_a_page(answer)
        assert await statuses(site, tokens) == [200, 403]

    async def is_seen_again() -> bool:
        return await names(ada) == {"Shop", "Pirate"}

    await until(is_seen_again, "something was written by halves, or the store is not read again")
    assert (await ada.posts("/apis/orders/ask", filled_in)).status == 200
    assert await names(ada) == {"Shop", "Pirate", "Late"}
    assert await statuses(site, tokens) == [200, 403]


# The store, at the start


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_store_that_comes_late_is_found_by_itself(workers: int, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    async with (
        demo_provider() as at,
        running_site(at, tmp_path, f"sqlite:///{folder}/store.db", change=impatient, workers=workers) as site,
    ):
        await heals(site, folder.mkdir)


async def test_a_database_that_comes_late_is_found_by_itself(postgresql: PostgreSQL, tmp_path: Path) -> None:
    url = postgresql.url("later")
    async with demo_provider() as at, running_site(at, tmp_path, url, change=impatient, workers=2) as site:
        await heals(site, lambda: postgresql.execute("postgres", "CREATE DATABASE later"))


async def heals(site: Site, come: Callable[[], Awaitable[None] | None]) -> None:
    """Nobody is let in, and nobody is refused, until the contracts are known; then it is as ever."""
    token = await site.token(Keys("shop", "of-the-shop"))
    answer = await site.gateway.caller("GET", "/orders", token)
    assert (answer.status, answer.code) == (503, "contracts_unknown")
    assert "Orders" in (await (await site.visitor()).sees("/")).text
    coming = come()
    if coming is not None:
        await coming

    async def are_known() -> bool:
        async with one_connection_each(site.gateway, expected=(401, 503)) as callers:
            return {await caller.get("/orders", token) for caller in callers} == {403}

    await until(are_known, "the contracts are not known")
    await granted(site, await site.signed_in("ada"), await site.signed_in(OWNER))


async def test_a_database_of_somebody_else_that_comes_late_is_told_of_and_can_be_put_right(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "later", tmp_path / "elsewhere"
    elsewhere.mkdir()
    await make_store(elsewhere / "store.db", new_key())
    async with (
        demo_provider() as at,
        running_site(at, tmp_path, f"sqlite:///{folder}/store.db", change=impatient, workers=2) as site,
    ):
        elsewhere.rename(folder)
        # By each worker.
        await site.gateway.until_logged("None of the configured encryption keys opens this database", 2)
        ada = await site.visitor()
        assert is_a_page(await ada.comes_back_as("ada"))
        assert "Traceback" not in site.gateway.stderr
        folder.rename(elsewhere)
        await heals(site, folder.mkdir)


async def make_store(file: Path, key: str) -> None:
    """A store that this key opens."""
    options = StoreOptions(url=SecretStr(f"sqlite:///{file}"), encryption_keys=(SecretStr(key),))
    async with open_store(options, SystemClock()) as store:
        await store.clients()


# The provider


async def test_an_approval_that_the_provider_does_not_hear_of_can_be_repeated(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        provider = AsyncExitStack()
        stack.push_async_exit(provider)
        at = await provider.enter_async_context(demo_provider())
        site = await stack.enter_async_context(running_site(at, tmp_path, f"sqlite:///{tmp_path}/store.db"))
        ada, olga = await site.signed_in("ada"), await site.signed_in(OWNER)
        wish = await ask_for_access(ada)
        await provider.aclose()
        answer = await decide(olga, wish, "approve")
        assert answer.status == 503
        assert is_a_page(answer)
        assert "Waiting for a decision" in (await olga.sees(f"/contracts/{wish.agreement}")).text

        port = urlsplit(at.issuer).port
        assert port is not None
        await stack.enter_async_context(demo_provider(bind("127.0.0.1", port)))
        assert (await decide(olga, wish, "approve")).status == 200
        assert "In force" in (await olga.sees(f"/contracts/{wish.agreement}")).text
        assert await site.token(await show_credentials(ada, wish))
