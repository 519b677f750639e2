"""Notices by POST, signed so that the receiver can tell who sent them (Standard Webhooks)."""

import base64
import datetime
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from gateway.clients.notices import Notice, Undeliverable
from gateway.clients.options import Webhook
from gateway.policy import Headers, Unavailable
from gateway.ports import Clock, Fetch
from gateway.providers import Transport

PASSING = frozenset({408, 425, 429})
"""Refusals that ask for another try."""


class WebhookChannel:
    """Posts each notice to one URL."""

    name = "webhook"

    def __init__(self, options: Webhook, fetch: Fetch, clock: Clock) -> None:
        self._options = options
        self._fetch = fetch
        self._clock = clock
        self.attempts = options.attempts

    async def send(self, notice: Notice) -> None:
        """Raises `Unavailable` and `Undeliverable`."""
        body = document(notice)
        headers = signed(body, notice.id, int(self._clock.time()), self._options.key())
        reply = await self._fetch("POST", self._options.url, headers=headers, body=body)
        if 200 <= reply.status < 300:
            return
        if reply.status >= 500 or reply.status in PASSING:
            raise Unavailable(f"the receiver answered {reply.status}")
        raise Undeliverable(f"the receiver answered {reply.status}")


@asynccontextmanager
async def open_webhook(
    options: Webhook, open_fetch: Callable[[Transport], AbstractAsyncContextManager[Fetch]], clock: Clock
) -> AsyncIterator[WebhookChannel]:
    """A channel with connections of its own. Raises OSError when the CA file cannot be read."""
    transport = replace(Transport(), timeout=options.timeout, ca_file=options.ca_file)
    async with open_fetch(transport) as fetch:
        yield WebhookChannel(options, fetch, clock)


def document(notice: Notice) -> bytes:
    """The body: Standard Webhooks wants `type`, `timestamp` and `data`. The address that we know stays with us."""
    at = datetime.datetime.fromtimestamp(notice.at, datetime.UTC)
    told = {
        "type": notice.verb,
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "data": {
            "provider": notice.provider,
            "application": notice.application,
            "client": notice.client,
            "contract": notice.agreement,
            "api": notice.api,
            "tier": notice.tier,
            "reason": notice.reason,
            "developer": notice.asked_by,
        },
    }
    return json.dumps(told, separators=(",", ":")).encode()


def signed(body: bytes, id: str, timestamp: int, key: bytes) -> Headers:  # noqa: A002 - the standard's word
    """The headers of a message. `timestamp` is the second of this try: receivers refuse what is old."""
    # Standard Webhooks, Signature scheme: what is signed is the id, the timestamp and the body, joined by full stops.
    content = b"%s.%d.%s" % (id.encode(), timestamp, body)
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return (
        ("Content-Type", "application/json"),
        ("webhook-id", id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", f"v1,{signature}"),
    )
