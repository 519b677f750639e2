"""What providers said of clients, as sealed rows. No I/O in here."""

import json
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Insert, Select, Update, select, update

from gateway.clients.client import Credentials, Registered
from gateway.clients.store.dialects import inserting
from gateway.clients.store.tables import registrations


def row_name(client: str) -> str:
    """What its seal is bound to."""
    return f"registrations:{client}"


def keep(client: str, sealed: bytes, dialect: str) -> Insert:
    """Keep it, in place of what was kept of that client."""
    statement = inserting(registrations, dialect).values(client=client, sealed=sealed)
    return statement.on_conflict_do_update(index_elements=["client"], set_={"sealed": sealed})


def of(client: str) -> Select[Any]:
    """What is kept of that client."""
    return select(registrations.c.sealed).where(registrations.c.client == client)


def following(client: str, limit: int) -> Select[Any]:
    """What is kept of the clients after that one, in the order of their ids."""
    return select(registrations).where(registrations.c.client > client).order_by(registrations.c.client).limit(limit)


def replace(client: str, sealed: bytes) -> Update:
    """Keep the same under another seal."""
    return update(registrations).where(registrations.c.client == client).values(sealed=sealed)


def write(registered: Registered) -> bytes:
    """To be sealed at once: it holds secrets."""
    credentials = registered.credentials
    document = {
        "reply": registered.reply,
        "client_id": credentials.client_id,
        "client_secret": _plain(credentials.client_secret),
        "expires_at": credentials.expires_at,
        "registration_client_uri": registered.registration_client_uri,
        "registration_access_token": _plain(registered.registration_access_token),
    }
    return json.dumps(document).encode()


def read(contents: bytes) -> Registered:
    """What `write` wrote."""
    document = json.loads(contents)
    return Registered(
        reply=document["reply"],
        credentials=Credentials(
            client_id=document["client_id"],
            client_secret=_secret(document["client_secret"]),
            expires_at=document["expires_at"],
        ),
        registration_client_uri=document["registration_client_uri"],
        registration_access_token=_secret(document["registration_access_token"]),
    )


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _secret(text: str | None) -> SecretStr | None:
    return None if text is None else SecretStr(text)
