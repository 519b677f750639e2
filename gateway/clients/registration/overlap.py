"""A client with two secrets for a while, so that its people can change over without an outage (Okta).

https://developer.okta.com/docs/guides/client-secret-rotation-key/main: there may be two; one is deactivated before it
is deleted.
"""

import json

from gateway.clients.client import Registered
from gateway.clients.registration.asking import Asking
from gateway.clients.registration.documents import SECRET_ID
from gateway.clients.registration.replies import LONGEST_ID, is_secret, json_object, refused
from gateway.policy import Unavailable

MOST = 2


async def add_secret(ask: Asking, url: str, registered: Registered) -> dict[str, object]:
    """A new secret, beside the one in force; an older one makes room. The members of the reply that are new.

    Raises `Unavailable` and `Invalid`.
    """
    listed = await _listed(ask, url)
    in_force = _in_force(listed, registered)
    if len(listed) >= MOST:
        await _remove(ask, url, [each for each in listed if each is not in_force])
    reply = await ask("POST", url, {})
    if reply.status not in (200, 201):
        refused(reply)
    made = json_object(reply.body) or {}
    if not is_secret(made.get("client_secret")) or not _is_id(made.get("id")):
        raise _unusable()
    return {"client_secret": made["client_secret"], SECRET_ID: made["id"], "client_secret_expires_at": 0}


async def remove_others(ask: Asking, url: str, registered: Registered) -> None:
    """Leave the secret in force, and no other. Does nothing where it is not known which one that is."""
    listed = await _listed(ask, url)
    in_force = _known(listed, registered)
    if in_force is not None:
        await _remove(ask, url, [each for each in listed if each is not in_force])


async def _listed(ask: Asking, url: str) -> list[dict[str, object]]:
    reply = await ask("GET", url)
    if reply.status != 200:
        refused(reply)
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, list) or not all(
        isinstance(each, dict) and _is_id(each.get("id")) for each in document
    ):
        raise _unusable()
    return document


def _known(listed: list[dict[str, object]], registered: Registered) -> dict[str, object] | None:
    secret = registered.credentials.client_secret
    for each in listed:
        if each["id"] == registered.reply.get(SECRET_ID):
            return each
    for each in listed:
        if secret is not None and each.get("client_secret") == secret.get_secret_value():
            return each
    return None


def _in_force(listed: list[dict[str, object]], registered: Registered) -> dict[str, object] | None:
    """The one that people have; where nothing says which, the youngest."""
    youngest = max(listed, key=lambda each: str(each.get("created") or ""), default=None)
    return _known(listed, registered) or youngest


async def _remove(ask: Asking, url: str, secrets: list[dict[str, object]]) -> None:
    for each in secrets:
        if each.get("status") != "INACTIVE":
            await _succeed(ask, "POST", f"{url}/{each['id']}/lifecycle/deactivate")
        await _succeed(ask, "DELETE", f"{url}/{each['id']}")


async def _succeed(ask: Asking, method: str, url: str) -> None:
    reply = await ask(method, url)
    # 404: somebody else removed it.
    if reply.status not in (200, 204, 404):
        refused(reply)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isalnum() and len(value) <= LONGEST_ID


def _unusable() -> Unavailable:
    return Unavailable(
        "The identity provider's answer about secrets cannot be understood; look there at the secrets of the client.",
        code="registration_failed",
    )
