"""What commands read and print besides words."""

import json
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import typer

from gateway.clients_api.desk import Desk
from gateway.clients_api.views import CredentialsView, View
from gateway.commands import words
from gateway.commands.options import Format
from gateway.commands.working import Mistaken

E = TypeVar("E", bound=StrEnum)
Secretive: TypeAlias = Callable[[Desk], Awaitable[CredentialsView]]

RECORD = ("client_secret", "registration_client_uri", "registration_access_token")
"""What we need of a provider's answer to a registration (RFC 7591, 3.2.1)."""


def put(view: View, text: str, form: Format) -> None:
    """The document, or the text, to stdout."""
    typer.echo(words.document(view) if form is Format.JSON else text)


def tell_of_more(following: str | int | None) -> None:
    """How to see the next page."""
    if following is not None:
        typer.echo(f"There are more: --after {following}", err=True)


def choice(kind: type[E], word: str | None, option: str) -> E | None:
    """The word as one of those that there are. A misspelled one ends the command with 2."""
    try:
        return None if word is None else kind(word)
    except ValueError:
        raise typer.BadParameter(f"write one of {', '.join(kind)}", param_hint=option) from None


def record(path: Path | None) -> dict[str, Any]:
    """What a provider's answer says of how to manage a client. Raises `Mistaken` and OSError."""
    if path is None:
        return {}
    text = sys.stdin.read() if str(path) == "-" else path.read_text()
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        # Not what stands there: it may be a secret.
        raise Mistaken("The record must be a JSON object, as the provider answered when the client was registered.")
    return {name: said[name] for name in RECORD if said.get(name)}
