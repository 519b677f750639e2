"""What commands about applications and contracts have in common: the store is opened, and what is wrong is told."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import typer
from pydantic import ValidationError

from gateway import logs
from gateway.build import this_build
from gateway.clients.mistakes import Refusal
from gateway.clients.store import Unusable
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients_api.desk import Desk
from gateway.clock import SystemClock
from gateway.commands.neighbour import Neighbour
from gateway.fetch import open_fetch
from gateway.management import open_registry
from gateway.policy import Unavailable
from gateway.providers import Transport
from gateway.settings import Settings, load
from gateway.settings.mistakes import SettingsError
from gateway.telemetry import Telemetry

T = TypeVar("T")
PATIENCE = 15.0
"""Seconds that the running gateway has to take over a change."""


class Mistaken(Exception):
    """The command cannot mean that. `str` says what to write instead."""


def work(config: Path, do: Callable[[Desk], Awaitable[T]]) -> T:
    """Do something at the desk of that configuration. What is wrong is told on stderr, and ends the command with 1."""
    settings, _ = with_store(config)
    return tried(lambda: _work(settings, do))


def with_store(config: Path) -> tuple[Settings, StoreOptions]:
    """The settings, and how their store is reached. Without one the command ends with 1."""
    logs.configure("error")
    try:
        settings = load(config)
    except SettingsError as error:
        fail(str(error))
    if settings.store is None:
        fail(
            f"{config}: there is no store, where applications and contracts are kept; write\n"
            "store:\n"
            "  url: sqlite:///tokenward.db\n"
            '  encryption_keys: ["${STORE_KEY}"]   # tokenward store key makes one'
        )
    return settings, settings.store


def tried(do: Callable[[], Awaitable[T]]) -> T:
    """What comes of it; what is wrong is told on stderr, and ends the command with 1."""

    async def doing() -> T:
        return await do()

    try:
        return asyncio.run(doing())
    except (Mistaken, Refusal, Unusable) as error:
        fail(str(error))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        fail(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except Unavailable as failure:
        fail(f"{failure.detail} Try again: nothing is done twice. ({failure.code})")
    except (OSError, ValueError) as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """Say it, and end with 1."""
    typer.echo(text, err=True)
    raise typer.Exit(1)


async def _work(settings: Settings, do: Callable[[Desk], Awaitable[T]]) -> T:
    assert settings.store is not None  # noqa: S101 - asked before
    clock = SystemClock()
    async with (
        open_fetch(Transport(timeout=PATIENCE)) as fetch,
        open_store(settings.store, clock) as store,
    ):
        neighbour = Neighbour(settings, fetch)
        try:
            async with open_registry(settings, store, clock, Telemetry(this_build()), neighbour.spread) as managed:
                return await do(Desk(managed.registry, clock))
        finally:
            if neighbour.silence:
                typer.echo(
                    f"{neighbour.silence}: gateways that run take this over within {settings.store.reread:g} seconds",
                    err=True,
                )
