"""Applications that somebody who decides brings in: registered at once, or adopted from the provider."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.clients.authority import must_decide, named, same_person
from gateway.clients.catalogue import Api
from gateway.clients.client import Actor, Agreement, Client, ClientState, Credentials, Metadata, Person, Registered
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict, Invalid, NotFound
from gateway.clients.notices import one_line
from gateway.clients.offers import check_tier, offered, with_scopes_of
from gateway.clients.office import Office, keys_of, new_id
from gateway.clients.registering import introduce, keep
from gateway.clients.registration import Capabilities
from gateway.clients.registration.registrar import as_told
from gateway.clients.store.transaction import Transaction

LONGEST = 2_000
"""Characters of one thing that a provider says of a client."""
MOST = 100
"""Things of one kind."""
UNFINISHED = frozenset({ClientState.DRAFT, ClientState.REGISTERING})


async def register(
    office: Office,
    metadata: Metadata,
    provider: str,
    by: Actor,
    owner: Person | None,
    apis: Sequence[tuple[str, str | None]],
) -> tuple[Client, Credentials]:
    """Register an application at once, with contracts in force. Whoever tries again goes on where it failed."""
    must_decide(by)
    wanted = [(_offered(office, provider, api, tier), tier) for api, tier in apis]
    for api, _ in wanted:
        metadata = with_scopes_of(metadata, api)
    wish = office.registrar(provider).check(metadata, metadata.scopes)

    async def work() -> tuple[Client, Credentials]:
        draft = await _drafted(office, wish, provider, by, owner)
        async with office.alone_with(draft.id) as client:
            return await _register(office, replace(client, metadata=wish), wanted, by)

    async with office.turns.turn(("name", provider, wish.client_name)):
        return await office.finish(work())


async def adopt(
    office: Office,
    provider: str,
    client_id: str,
    by: Actor,
    owner: Person | None,
    client_secret: str | None,
    registration_client_uri: str | None,
    registration_access_token: str | None,
) -> Client:
    """Take over a client that exists at its provider. Its secret, where it is told, is known to whoever tells it."""
    must_decide(by)
    if await office.store.client_at(provider, client_id) is not None:
        raise Conflict("This client is kept here, or was deleted here.", "exists_already")
    told = {
        "client_secret": client_secret,
        "registration_client_uri": registration_client_uri,
        "registration_access_token": registration_access_token,
    }
    registered = await _taken_over(office, provider, client_id, told)
    adopted = _adopted(office, provider, registered, owner)
    async with office.store.begin() as transaction:
        await transaction.add_client(adopted)
        await transaction.keep_registered(adopted.id, registered)
        await office.note(transaction, by, "client.adopted", client=adopted.id, detail=f"client_id {adopted.client_id}")
        await transaction.changed((provider, registered.credentials.client_id))
    await office.spread((provider, registered.credentials.client_id))
    return adopted


async def _taken_over(office: Office, provider: str, client_id: str, told: Mapping[str, str | None]) -> Registered:
    """The client as its provider says, and where that registers none, as it was told."""
    registrar = office.registrars.get(provider)
    if registrar is not None:
        return await registrar.adopt(client_id, **told)
    if all(api.provider != provider for api in office.catalogue.apis.values()):
        raise NotFound("provider of an API")
    return as_told(client_id, "", **told)


def metadata_of(registered: Registered) -> Metadata:
    """What a provider says of a client, in our words; where it says nothing, what RFC 7591, 2 takes for granted.

    Whoever wrote it there did not have to pass our checks: of texts, what is shown as it reads is taken.
    """
    reply = registered.reply
    redirect_uris = _words(reply.get("redirect_uris"))
    # RFC 7591, 2: "If omitted, the default behavior is that the client will use only the "authorization_code" Grant
    # Type." Without a redirect URI nobody can use that.
    usual = "authorization_code" if redirect_uris else "client_credentials"
    method = _words(reply.get("token_endpoint_auth_method"))
    return Metadata(
        client_name=_text(reply.get("client_name")) or registered.credentials.client_id,
        client_uri=_text(reply.get("client_uri")) or None,
        redirect_uris=redirect_uris,
        grant_types=_words(reply.get("grant_types")) or (usual,),
        token_endpoint_auth_method=method[0] if method else "client_secret_basic",
        scopes=_scopes(reply.get("scope")),
        contacts=_words(reply.get("contacts")),
    )


def _offered(office: Office, provider: str, api: str, tier: str | None) -> Api:
    found = offered(office.catalogue, api, unlisted=True)
    if found.provider != provider:
        raise Invalid("This API takes tokens of another provider.", "other_provider")
    check_tier(office.catalogue, found, tier)
    return found


async def _drafted(office: Office, wish: Metadata, provider: str, by: Actor, owner: Person | None) -> Client:
    """The application that an earlier try left unfinished, or a new one."""
    found = await _namesake(office, wish.client_name, provider, owner)
    if found is not None:
        if found.state in UNFINISHED and not await office.agreements(found):
            return found
        raise Conflict("There is an application of this name.", "name_taken")
    now = office.clock.time()
    draft = Client(
        id=new_id(),
        provider=provider,
        client_id=None,
        state=ClientState.DRAFT,
        metadata=wish,
        owner=owner,
        created_at=now,
        updated_at=now,
    )
    async with office.store.begin() as transaction:
        await transaction.add_client(draft)
        await office.note(transaction, by, "client.described", client=draft.id)
    return draft


async def _namesake(office: Office, name: str, provider: str, owner: Person | None) -> Client | None:
    after = ""
    while True:
        page = await office.store.clients(owner=owner, provider=provider, search=name, after=after, limit=200)
        for client in page.items:
            is_living = client.state is not ClientState.DELETED
            belongs = client.owner is None if owner is None else same_person(client.owner, owner)
            if is_living and belongs and client.metadata.client_name.casefold() == name.casefold():
                return client
        if page.next is None:
            return None
        after = str(page.next)


async def _register(
    office: Office, client: Client, wanted: Sequence[tuple[Api, str | None]], by: Actor
) -> tuple[Client, Credentials]:
    contracts = [_contract(office, client, api, tier, by) for api, tier in wanted]

    async def write(transaction: Transaction) -> None:
        for contract in contracts:
            await transaction.add_agreement(contract)
            await office.note(transaction, by, "contract.approved", client.id, contract)

    marked, registered = await introduce(office, client, client.metadata, by)
    kept = await keep(
        office, marked, registered, by, "client.registered", metadata=client.metadata, shown=True, write=write
    )
    for key in keys_of(kept):
        await office.spread(key)
    return kept, registered.credentials


def _contract(office: Office, client: Client, api: Api, tier: str | None, by: Actor) -> Agreement:
    now = office.clock.time()
    return Agreement(
        id=new_id(),
        client=client.id,
        api=api.name,
        state=State.ACTIVE,
        tier=tier,
        asked_tier=tier,
        decided_by=named(by),
        asked_at=now,
        decided_at=now,
    )


def _adopted(office: Office, provider: str, registered: Registered, owner: Person | None) -> Client:
    registrar = office.registrars.get(provider)
    capabilities = Capabilities() if registrar is None else registrar.capabilities_of(registered)
    now = office.clock.time()
    return Client(
        id=new_id(),
        provider=provider,
        client_id=registered.credentials.client_id,
        state=ClientState.REGISTERED,
        metadata=metadata_of(registered),
        owner=owner,
        manageable=capabilities.read or capabilities.update or capabilities.delete,
        # Whoever runs it has had its secret all along.
        revealed=True,
        secret_expires_at=registered.credentials.expires_at,
        created_at=now,
        updated_at=now,
    )


def _text(value: object) -> str:
    return one_line(value, LONGEST) if isinstance(value, str) else ""


def _scopes(value: object) -> tuple[str, ...]:
    """A string of them (RFC 7591, 2), or a list."""
    return _words(value.split() if isinstance(value, str) else value)


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (_text(value),)
    return tuple(_text(item) for item in value[:MOST] if isinstance(item, str)) if isinstance(value, list) else ()
