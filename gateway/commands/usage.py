"""`tokenward clients usage`: what an application called, and how that came out."""

import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.options import DEFAULT, Config, Format, Shape

if TYPE_CHECKING:
    from gateway.clients_api.desk import Desk
    from gateway.clients_api.views import Calls

HOURS = {"h": 1, "d": 24}


def usage(
    application: Annotated[str, typer.Argument(metavar="APPLICATION", help="Its name, our id, or its client id.")],
    config: Config = DEFAULT,
    since: Annotated[str, typer.Option(help="How far back: hours or days, as 24h or 30d.")] = "24h",
    api: Annotated[str | None, typer.Option(help="Of this API alone.")] = None,
    form: Shape = Format.TEXT,
) -> None:
    """Count what an application called, and how that came out; as JSON, by the hour."""
    from gateway.clients_api.bodies import UsageQuery
    from gateway.commands import printing, words
    from gateway.commands.found import find
    from gateway.commands.working import work

    hours = _hours(since)

    async def do(desk: "Desk") -> "Calls":
        return await desk.usage(UsageQuery(client=(await find(desk, application)).id, api=api, hours=hours))

    found = work(config, do)
    sums: Counter[tuple[str, str]] = Counter()
    for each in found.items:
        sums[each.api, each.code] += each.calls
    rows = [(name, outcome, str(calls)) for (name, outcome), calls in sorted(sums.items())]
    text = words.table(("API", "OUTCOME", "CALLS"), rows, keep=(0, 1, 2))
    printing.put(found, text if rows else f"It called nothing in the last {since}.", form)


def _hours(since: str) -> int:
    """A misspelled one ends the command with 2."""
    match = re.fullmatch("([1-9][0-9]{0,3})([hd])", since)
    if match is None:
        raise typer.BadParameter("write hours or days, as 24h or 30d", param_hint="--since")
    return int(match[1]) * HOURS[match[2]]
