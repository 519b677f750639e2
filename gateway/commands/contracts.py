"""`tokenward contracts`: who may use which API, decided by operators."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.options import DEFAULT, After, Config, Format, Limit, Shape, group

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.clients_api.desk import Desk
    from gateway.clients_api.views import Contracts, ContractView

app = group("Contracts: which application may use which API.")

Contract = Annotated[str, typer.Argument(metavar="CONTRACT", help="Its id.")]
Why = Annotated[str, typer.Option("--reason", help="Why; the developer reads it.")]
Reason = Annotated[str, typer.Option(help="Something to say to the developer.")]


@app.command("list")
def list_(
    config: Config = DEFAULT,
    application: Annotated[
        str | None, typer.Option(help="Of this one alone: its name, our id, or its client id.")
    ] = None,
    api: Annotated[str | None, typer.Option(help="For this API alone.")] = None,
    state: Annotated[str | None, typer.Option(help="requested, active, refused or revoked.")] = None,
    limit: Limit = 100,
    after: After = "",
    form: Shape = Format.TEXT,
) -> None:
    """List contracts, newest first."""
    from gateway.clients.life import State
    from gateway.clients_api.bodies import ContractsQuery
    from gateway.commands import printing
    from gateway.commands.found import find
    from gateway.commands.working import work

    wanted = printing.choice(State, state, "--state")

    async def do(desk: "Desk") -> "tuple[Contracts, str]":
        client = None if application is None else (await find(desk, application)).id
        query = ContractsQuery(client=client, api=api, state=wanted, after=after, limit=limit)
        page = await desk.contracts(query)
        return page, await _rows(desk, page)

    page, text = work(config, do)
    printing.put(page, text, form)
    printing.tell_of_more(page.next)


@app.command()
def show(contract: Contract, config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Show a contract."""
    _done(config, lambda desk: desk.contract(contract), form)


@app.command()
def ask(
    application: Annotated[str, typer.Argument(metavar="APPLICATION", help="Its name, our id, or its client id.")],
    api: Annotated[str, typer.Argument(metavar="API", help="What it is to use.")],
    config: Config = DEFAULT,
    tier: Annotated[str | None, typer.Option(help="One of the API's tiers.")] = None,
    accept_terms: Annotated[bool, typer.Option("--accept-terms", help="Whoever runs it accepts the terms.")] = False,
    reason: Annotated[str, typer.Option(help="What for.")] = "",
    form: Shape = Format.TEXT,
) -> None:
    """Ask for access for an application that there is; `approve` then grants it."""
    from gateway.clients_api.bodies import AskBody
    from gateway.commands.found import find

    async def do(desk: "Desk") -> "ContractView":
        client = (await find(desk, application)).id
        return await desk.ask(AskBody(client=client, api=api, tier=tier, accepted_terms=accept_terms, reason=reason))

    _done(config, do, form)


@app.command()
def approve(
    contract: Contract,
    config: Config = DEFAULT,
    tier: Annotated[str | None, typer.Option(help="Another tier than was asked for.")] = None,
    reason: Reason = "",
    form: Shape = Format.TEXT,
) -> None:
    """Put a request in force; the application is registered if need be."""
    from gateway.clients_api.bodies import ApproveBody

    _done(config, lambda desk: desk.approve(contract, ApproveBody(tier=tier, reason=reason)), form)


@app.command()
def refuse(contract: Contract, reason: Why, config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Say no to a request; it may be made again."""
    from gateway.clients_api.bodies import NoBody

    _done(config, lambda desk: desk.refuse(contract, NoBody(reason=reason)), form)


@app.command()
def revoke(contract: Contract, reason: Why, config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """End a contract: its calls are refused from now on."""
    from gateway.clients_api.bodies import NoBody

    _done(config, lambda desk: desk.revoke(contract, NoBody(reason=reason)), form)


@app.command()
def restore(contract: Contract, config: Config = DEFAULT, reason: Reason = "", form: Shape = Format.TEXT) -> None:
    """Put a revoked contract back in force."""
    from gateway.clients_api.bodies import RestoreBody

    _done(config, lambda desk: desk.restore(contract, RestoreBody(reason=reason)), form)


@app.command()
def tier(
    contract: Contract,
    name: Annotated[str, typer.Argument(metavar="TIER", help="One of the API's tiers.")],
    config: Config = DEFAULT,
    form: Shape = Format.TEXT,
) -> None:
    """Give a contract another tier."""
    from gateway.clients_api.bodies import TierBody

    _done(config, lambda desk: desk.change_tier(contract, TierBody(tier=name)), form)


async def _rows(desk: "Desk", page: "Contracts") -> str:
    from gateway.commands import words

    names = {each.client: (await desk.client(each.client)).metadata.client_name for each in page.items}
    rows = [(each.id, names[each.client], each.api, _tier(each), each.state) for each in page.items]
    return words.table(("ID", "APPLICATION", "API", "TIER", "STATE"), rows) if rows else "There are no such contracts."


def _tier(contract: "ContractView") -> str | None:
    if contract.asked_tier == contract.tier:
        return contract.tier
    return f"{contract.tier or '-'} (asks for {contract.asked_tier or 'none'})"


def _done(config: "Path", do: "Callable[[Desk], Awaitable[ContractView]]", form: Format) -> None:
    from gateway.commands import printing
    from gateway.commands.working import work

    contract = work(config, do)
    printing.put(contract, _text(contract), form)


def _text(contract: "ContractView") -> str:
    from gateway.commands import words

    return words.details(
        [
            ("id", contract.id),
            ("application", contract.client),
            ("API", contract.api),
            ("tier", _tier(contract)),
            ("state", contract.state),
            ("asked", contract.asked_at),
            ("because", contract.reason),
            ("decided", contract.decided_at),
            ("by", contract.decided_by),
            ("with", contract.decision_reason),
        ]
    )
