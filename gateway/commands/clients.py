"""`tokenward clients`: applications, registered, changed, shown and deleted by operators."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.options import DEFAULT, After, Config, Format, Limit, Shape, group
from gateway.commands.usage import usage

if TYPE_CHECKING:
    from gateway.clients_api.bodies import PersonBody
    from gateway.clients_api.desk import Desk
    from gateway.clients_api.views import ClientView, CredentialsView
    from gateway.commands.printing import Secretive

app = group("Applications and their credentials.")
app.command()(usage)

Application = Annotated[str, typer.Argument(metavar="APPLICATION", help="Its name, our id, or its client id.")]
Description = Annotated[str | None, typer.Option(help="For people here; the provider never sees it.")]
Link = Annotated[str | None, typer.Option("--uri", help="Its home page.")]
Redirects = Annotated[list[str] | None, typer.Option("--redirect-uri", help="Where people come back; may be repeated.")]
Grants = Annotated[list[str] | None, typer.Option("--grant-type", help="A grant type; may be repeated.")]
Method = Annotated[str | None, typer.Option("--auth-method", help="How it proves itself at the token endpoint.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="A scope; may be repeated.")]
Contacts = Annotated[list[str] | None, typer.Option("--contact", help="An e-mail address; may be repeated.")]
Owner = Annotated[str | None, typer.Option(help="Whose it is, as provider:subject.")]
Provider = Annotated[str | None, typer.Option(help="A provider; needed where several register clients.")]
SHOWN_ONCE = "The secret is shown this once: keep it where the application finds it."


@app.command("list")
def list_(
    config: Config = DEFAULT,
    search: Annotated[str, typer.Option(help="A part of the name, or an id.")] = "",
    provider: Annotated[str | None, typer.Option(help="Of this provider alone.")] = None,
    owner: Owner = None,
    state: Annotated[str | None, typer.Option(help="draft, registering, registered or deleted.")] = None,
    limit: Limit = 100,
    after: After = "",
    form: Shape = Format.TEXT,
) -> None:
    """List applications, by name."""
    from gateway.clients.client import ClientState
    from gateway.clients_api.bodies import ClientsQuery
    from gateway.commands import printing, words
    from gateway.commands.working import work

    asked = {"owner": owner, "provider": provider, "search": search, "after": after, "limit": limit}
    query = ClientsQuery(**asked, state=printing.choice(ClientState, state, "--state"))  # type: ignore[arg-type]  # pydantic checks
    page = work(config, lambda desk: desk.clients(query))
    rows = [(each.id, each.metadata.client_name, each.provider, each.state, each.client_id) for each in page.items]
    text = words.table(("ID", "NAME", "PROVIDER", "STATE", "CLIENT ID"), rows)
    printing.put(page, text if rows else "There are no such applications.", form)
    printing.tell_of_more(page.next)


@app.command()
def show(application: Application, config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Show an application, but not its secret."""
    from gateway.commands.found import find
    from gateway.commands.working import work

    _put(work(config, lambda desk: find(desk, application)), form)


@app.command()
def register(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    config: Config = DEFAULT,
    provider: Provider = None,
    api: Annotated[list[str] | None, typer.Option(help="An API to use at once, as API or API:TIER.")] = None,
    description: Description = None,
    uri: Link = None,
    redirect_uri: Redirects = None,
    grant_type: Grants = None,
    auth_method: Method = None,
    scope: Scopes = None,
    contact: Contacts = None,
    owner: Owner = None,
    form: Shape = Format.TEXT,
) -> None:
    """Register an application at its provider, with contracts in force. Its secret is printed this once."""
    from gateway.clients_api.bodies import AccessBody, MetadataBody, RegisterBody
    from gateway.commands import printing
    from gateway.commands.working import tried, work

    chosen = _chosen(description, uri, redirect_uri, grant_type, auth_method, scope, contact)

    async def body() -> RegisterBody:
        return RegisterBody(
            provider=_provider(config, provider),
            metadata=MetadataBody(client_name=name, **chosen),
            owner=_person(owner),
            apis=tuple(
                AccessBody(api=word.partition(":")[0], tier=word.partition(":")[2] or None) for word in api or ()
            ),
        )

    asked = tried(body)
    registered = work(config, lambda desk: desk.register(asked))
    printing.put(registered, _client_text(registered.client) + "\n" + _secret_text(registered.credentials), form)
    typer.echo(SHOWN_ONCE, err=True)


@app.command()
def adopt(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID", help="Its id at the provider.")],
    config: Config = DEFAULT,
    provider: Provider = None,
    record: Annotated[
        Path | None,
        typer.Option(help="What the provider answered when it was registered, a JSON file; - is standard input."),
    ] = None,
    owner: Owner = None,
    form: Shape = Format.TEXT,
) -> None:
    """Take over a client that exists at its provider. With the record of its registration it can be managed here."""
    from gateway.clients_api.bodies import AdoptBody
    from gateway.commands import printing
    from gateway.commands.working import tried, work

    async def body() -> AdoptBody:
        told = printing.record(record)
        return AdoptBody(provider=_adopting(config, provider), client_id=client_id, owner=_person(owner), **told)

    asked = tried(body)
    _put(work(config, lambda desk: desk.adopt(asked)), form)


@app.command()
def edit(
    application: Application,
    config: Config = DEFAULT,
    name: Annotated[str | None, typer.Option(help="What people call it from now on.")] = None,
    description: Description = None,
    uri: Link = None,
    redirect_uri: Redirects = None,
    grant_type: Grants = None,
    auth_method: Method = None,
    scope: Scopes = None,
    contact: Contacts = None,
    form: Shape = Format.TEXT,
) -> None:
    """Change an application, here and at its provider. What is not named stays; an empty value takes all away."""
    from gateway.clients_api.bodies import MetadataChange
    from gateway.commands.found import find
    from gateway.commands.working import tried, work

    chosen = _chosen(description, uri, redirect_uri, grant_type, auth_method, scope, contact)

    chosen |= {} if name is None else {"client_name": name}

    async def body() -> MetadataChange:
        return MetadataChange(**chosen)

    change = tried(body)

    async def do(desk: "Desk") -> "ClientView":
        return await desk.edit((await find(desk, application)).id, change)

    _put(work(config, do), form)


@app.command()
def reveal(application: Application, config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Print the credentials of an application: once, and never again."""
    from gateway.commands.found import find

    async def do(desk: "Desk") -> "CredentialsView":
        return await desk.reveal((await find(desk, application)).id)

    _put_secret(config, do, form)


@app.command()
def rotate(application: Application, config: Config = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Make a new secret, and print it this once."""
    from gateway.commands.found import find

    async def do(desk: "Desk") -> "CredentialsView":
        return await desk.rotate((await find(desk, application)).id)

    _put_secret(config, do, form)


@app.command("end-overlap")
def end_overlap(application: Application, config: Config = DEFAULT) -> None:
    """Let the secret before the last rotation be good no more, where the provider knows two."""
    from gateway.commands.found import find
    from gateway.commands.working import work

    async def do(desk: "Desk") -> None:
        await desk.end_overlap((await find(desk, application)).id)

    work(config, do)
    typer.echo("The secret before the last rotation is good no more.")


@app.command()
def delete(
    application: Application,
    config: Config = DEFAULT,
    reason: Annotated[str, typer.Option(help="Why; its owner reads it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether that is meant.")] = False,
    form: Shape = Format.TEXT,
) -> None:
    """Delete an application for ever, here and at its provider: from now on, no token of it counts."""
    from gateway.clients_api.bodies import DeleteQuery
    from gateway.commands.found import find
    from gateway.commands.working import work

    client = work(config, lambda desk: find(desk, application))
    if not yes:
        typer.confirm(f"Delete {client.metadata.client_name!a} ({client.id}) for ever?", abort=True, err=True)
    _put(work(config, lambda desk: desk.delete(client.id, DeleteQuery(reason=reason))), form)


@app.command()
def reconcile(
    config: Config = DEFAULT,
    provider: Annotated[str | None, typer.Option(help="Of this provider alone.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is found.")] = False,
    form: Shape = Format.TEXT,
) -> None:
    """Compare what is kept here with the providers' records. Ends with 1 where something is left to put right."""
    from gateway.clients_api.bodies import ReconcileBody
    from gateway.commands import printing, words
    from gateway.commands.working import work

    found = work(config, lambda desk: desk.reconcile(ReconcileBody(provider=provider, repair=repair)))
    rows = [
        (each.client, each.kind, "repaired" if each.repaired else "not repaired", each.detail) for each in found.items
    ]
    text = words.table(("ID", "WHAT", "NOW", "DETAIL"), rows)
    printing.put(found, text if rows else "The providers' records are as ours.", form)
    raise typer.Exit(0 if all(each.repaired for each in found.items) else 1)


def _chosen(
    description: str | None,
    uri: str | None,
    redirect_uris: list[str] | None,
    grant_types: list[str] | None,
    method: str | None,
    scopes: list[str] | None,
    contacts: list[str] | None,
) -> dict[str, Any]:
    """The members of the metadata that were named."""
    lists = {"redirect_uris": redirect_uris, "grant_types": grant_types, "contacts": contacts}
    chosen: dict[str, Any] = {name: tuple(filter(None, each)) for name, each in lists.items() if each}
    texts = {"description": description, "client_uri": uri, "token_endpoint_auth_method": method}
    chosen |= {name: each or None for name, each in texts.items() if each is not None}
    return chosen | ({"scope": " ".join(scopes)} if scopes else {})


def _adopting(config: Path, named: str | None) -> str:
    """The provider that is meant, which need not register clients. Raises `Mistaken`."""
    from gateway.commands.working import Mistaken, with_store

    known = list(with_store(config)[0].providers)
    if named is None:
        return known[0] if len(known) == 1 else _provider(config, named)
    if named not in known:
        raise Mistaken(f"Name a provider of the configuration: --provider {' or '.join(known)}.")
    return named


def _provider(config: Path, named: str | None) -> str:
    """The provider that is meant, where one alone registers clients. Raises `Mistaken`."""
    from gateway.commands.working import Mistaken, with_store

    settings, _ = with_store(config)
    registering = [name for name in settings.providers if settings.registration(name) is not None]
    if named in registering:
        return str(named)
    if named is None and len(registering) == 1:
        return registering[0]
    if not registering:
        raise Mistaken(f"{config}: no provider registers clients; write registration: {{}} under one of them.")
    raise Mistaken(f"Name a provider that registers clients: --provider {' or '.join(registering)}.")


def _person(owner: str | None) -> "PersonBody | None":
    from gateway.clients_api.bodies import PersonBody
    from gateway.commands.working import Mistaken

    if owner is None:
        return None
    provider, colon, subject = owner.partition(":")
    if not (provider and colon and subject):
        raise Mistaken("Name the owner as provider:subject, as in --owner okta:00u1a2b3.")
    return PersonBody(provider=provider, subject=subject)


def _put_secret(config: Path, do: "Secretive", form: Format) -> None:
    from gateway.commands import printing
    from gateway.commands.working import work

    credentials = work(config, do)
    printing.put(credentials, _secret_text(credentials), form)
    typer.echo(SHOWN_ONCE, err=True)


def _put(client: "ClientView", form: Format) -> None:
    from gateway.commands import printing

    printing.put(client, _client_text(client), form)


def _client_text(client: "ClientView") -> str:
    from gateway.commands import words

    metadata, owner = client.metadata, client.owner
    return words.details(
        [
            ("id", client.id),
            ("name", metadata.client_name),
            ("description", metadata.description),
            ("provider", client.provider),
            ("state", client.state),
            ("client id", client.client_id),
            ("owner", None if owner is None else f"{owner.provider}:{owner.subject} {owner.name}".strip()),
            ("home page", metadata.client_uri),
            ("redirect URIs", " ".join(metadata.redirect_uris)),
            ("grant types", " ".join(metadata.grant_types)),
            ("proves itself", metadata.token_endpoint_auth_method),
            ("scopes", metadata.scope),
            ("contacts", " ".join(metadata.contacts)),
            ("secret", "was shown" if client.revealed else "can be shown once"),
            ("secret expires", client.secret_expires_at),
            ("at its provider", "can be changed from here" if client.manageable else "cannot be changed from here"),
            ("changed", client.updated_at),
        ]
    )


def _secret_text(credentials: "CredentialsView") -> str:
    from gateway.commands import words

    return words.details(
        [
            ("client_id", credentials.client_id),
            ("client_secret", credentials.client_secret or "none: it is a public client"),
            ("expires", credentials.expires_at),
        ]
    )
