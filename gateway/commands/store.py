"""`tokenward store` and `tokenward audit`: the database of applications and contracts, and what it tells."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gateway.commands.options import DEFAULT, Config, Format, Limit, Shape, group

if TYPE_CHECKING:
    from gateway.clients.store.store import Store

T = TypeVar("T")

app = group("The database of applications and contracts.")


@app.command()
def key() -> None:
    """Make an encryption key for the store."""
    from gateway.clients.store.sealing import new_key

    typer.echo(new_key())


@app.command()
def upgrade(config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Bring the tables up to date, whatever `store.migrate` says."""
    from gateway.clients.store import opening
    from gateway.commands.working import tried, with_store

    _, options = with_store(config)
    version = tried(lambda: opening.upgrade(options))
    _put(f"The tables are those of version {version}.", {"version": version}, form)


@app.command()
def verify(config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Find out whether the audit log is as it was written. Ends with 1 where it is not."""
    wrong = _with_store(config, lambda store: store.verify_audit())
    told = "The audit log is as it was written."
    if wrong is not None:
        told = f"The audit log is not as it was written: entry {wrong} is missing, was changed, or was put in."
    _put(told, {"genuine": wrong is None, "first_wrong": wrong}, form)
    raise typer.Exit(0 if wrong is None else 1)


@app.command()
def reseal(config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Seal everything with the first encryption key, so that the others can be taken out of the configuration."""
    count = _with_store(config, lambda store: store.reseal())
    _put(f"Sealed anew with the first key: {count}.", {"resealed": count}, form)


def audit(
    config: Config = DEFAULT,
    application: Annotated[
        str | None, typer.Option(help="Of this one alone: its name, our id, or its client id.")
    ] = None,
    contract: Annotated[str | None, typer.Option(help="Of the contract with this id alone.")] = None,
    actor: Annotated[str | None, typer.Option(help="operator, gateway, or provider:subject.")] = None,
    limit: Limit = 50,
    after: Annotated[int, typer.Option(min=0, help="Only what is older than the entry of this number.")] = 0,
    form: Shape = Format.TEXT,
) -> None:
    """Print who did what about applications and contracts, newest first."""
    from gateway.clients_api.bodies import AuditQuery
    from gateway.clients_api.desk import Desk
    from gateway.clients_api.views import Entries
    from gateway.commands import printing, words
    from gateway.commands.found import find
    from gateway.commands.working import work

    async def do(desk: Desk) -> Entries:
        client = None if application is None else (await find(desk, application)).id
        return await desk.audit(AuditQuery(client=client, contract=contract, actor=actor, after=after, limit=limit))

    page = work(config, do)
    rows = [
        (str(each.number), each.at[:19], each.actor, each.verb, each.api or each.client, each.detail)
        for each in page.items
    ]
    text = words.table(("NUMBER", "WHEN (UTC)", "WHO", "WHAT", "OF", "DETAIL"), rows, keep=(0, 1, 3))
    printing.put(page, text if rows else "There are no such entries.", form)
    printing.tell_of_more(page.next)


def _with_store(config: Path, do: "Callable[[Store], Awaitable[T]]") -> T:
    from gateway.clients.store.opening import open_store
    from gateway.clock import SystemClock
    from gateway.commands.working import tried, with_store

    _, options = with_store(config)

    async def doing() -> T:
        async with open_store(options, SystemClock()) as store:
            return await do(store)

    return tried(doing)


def _put(text: str, document: dict[str, object], form: Format) -> None:
    import json

    typer.echo(json.dumps(document) if form is Format.JSON else text)
