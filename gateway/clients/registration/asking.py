"""One request about a client, and the provider's reply to it."""

import json
from dataclasses import replace
from typing import TypeAlias

from gateway.clients.registration.management import Place
from gateway.clients.registration.opening import Opening
from gateway.policy import Headers
from gateway.ports import Fetch, Reply

Document: TypeAlias = dict[str, object]

ACCEPT: Headers = (("Accept", "application/json"),)
JSON: Headers = (("Content-Type", "application/json"),)


class Asking:
    """Asks with the authorization of registration, or with that of a client. Raises `Unavailable`."""

    def __init__(self, opening: Opening, fetch: Fetch) -> None:
        self._opening = opening
        self._fetch = fetch

    async def __call__(self, method: str, url: str, document: Document | None = None) -> Reply:
        """With the authorization of registration; where that is a token of ours and it is refused, with a new one."""
        headers = await self._opening.headers()
        reply = await self._send(method, url, headers, document)
        if reply.status == 401 and self._opening.renew(headers):
            reply = await self._send(method, url, await self._opening.headers(), document)
        return reply

    async def at(self, place: Place, method: str, document: Document | None = None) -> Reply:
        """With the permission of that place."""
        if place.token is None:
            return await self(method, place.url, document)
        headers = (("Authorization", f"Bearer {place.token.get_secret_value()}"),)
        return await self._send(method, place.url, headers, document)

    async def _send(self, method: str, url: str, headers: Headers, document: Document | None) -> Reply:
        if document is None:
            reply = await self._fetch(method, url, headers=(*ACCEPT, *headers))
        else:
            body = json.dumps(document).encode()
            reply = await self._fetch(method, url, headers=(*ACCEPT, *JSON, *headers), body=body)
        return reply if reply.status < 400 else _without_credentials(reply, headers)


def _without_credentials(reply: Reply, headers: Headers) -> Reply:
    """A refusal that repeats what we proved ourselves with: people are shown its words."""
    body = reply.body
    for _, value in headers:
        # RFC 9110, 11.4: the scheme comes before it.
        body = body.replace(value.rpartition(" ")[2].encode(), b"...")
    return replace(reply, body=body)
