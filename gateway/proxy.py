"""Forwards an allowed request, and its answer, as they arrive: nothing is kept, nothing is completed that broke off."""

import asyncio
import logging
import math
from dataclasses import dataclass

from gateway.caller import Caller
from gateway.exchange import Exchange
from gateway.headers import Forwarding, HeaderNames, UnsafeHeader, for_caller, for_upstream, oversized
from gateway.outgoing import Outgoing, UpgradeRefused, UpstreamInvalid
from gateway.paths import without_parameters
from gateway.policy import Allow, Request
from gateway.ports import Clock
from gateway.router import Route
from gateway.tunnel import HANDSHAKE, TokenEnded, asks_for_websocket, offered_protocols, tunnel
from gateway.upstream_answer import UpstreamAnswer
from gateway.upstreams import Upstream

log = logging.getLogger(__name__)

LAST_MOMENT = 1.0
"""Seconds that an answer gets at least: a token that was valid for the request need not outlive a short answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Performs an `Allow`."""

    clock: Clock
    scrub: HeaderNames
    """The identity headers of all policies of all routes: no caller may set them anywhere."""
    forwarding: Forwarding
    body_limit: int | None = None
    """In bytes, for routes that have none of their own."""
    message_limit: int = 16_777_216
    """In bytes, of a WebSocket's message."""

    async def forward(
        self, exchange: Exchange, caller: Caller, request: Request, route: Route[Upstream], allow: Allow
    ) -> None:
        """Send the request upstream and the answer to the caller.

        Raises `UpstreamFailure`, `BadRequest`, `CallerSlow`, `CallerBroke`, `CallerLeft` and `TokenEnded`. Whoever
        catches it must abort the caller's connection when `caller.started`, and may answer it otherwise.
        """
        caller.limit_body(self.body_limit if route.body_limit is None else route.body_limit)
        is_websocket = asks_for_websocket(caller)
        await _drop_from_form(caller, request, allow)
        outgoing = self._outgoing(exchange, caller, request, route, allow, HANDSHAKE if is_websocket else frozenset())
        began = self.clock.monotonic()
        try:
            if is_websocket:
                await self._tunnel(exchange, caller, route.upstream, outgoing, allow)
            else:
                await self._exchange(exchange, caller, route.upstream, outgoing, allow)
        finally:
            exchange.upstream_seconds = self.clock.monotonic() - began

    async def _exchange(
        self, exchange: Exchange, caller: Caller, upstream: Upstream, outgoing: Outgoing, allow: Allow
    ) -> None:
        answer = await upstream.send(outgoing, exchange)
        try:
            exchange.upstream_status = answer.status
            self._start(exchange, caller, answer, allow)
            if (time_left := self._time_left(allow)) is None:
                await _copy(answer, caller)
                return
            async with asyncio.timeout(time_left):
                await _copy(answer, caller)
        except TimeoutError:
            raise TokenEnded from None
        finally:
            answer.close()

    def _start(self, exchange: Exchange, caller: Caller, answer: UpstreamAnswer, allow: Allow) -> None:
        try:
            lines = for_caller(answer.headers, answer_headers=allow.answer_headers, request_id=exchange.request_id)
            now, first = self.clock.time(), answer.take()
            caller.start(answer.status, answer.reason, lines, length=answer.length, now=now, first=first)
        except UnsafeHeader as error:
            raise UpstreamInvalid("a header that is none") from error
        exchange.status = answer.status

    async def _tunnel(
        self, exchange: Exchange, caller: Caller, upstream: Upstream, outgoing: Outgoing, allow: Allow
    ) -> None:
        protocols = offered_protocols(caller)
        try:
            socket = await upstream.open_websocket(outgoing, exchange, protocols=protocols, most=self.message_limit)
        except UpgradeRefused as refusal:
            exchange.status = exchange.upstream_status = refusal.status
            lines = for_caller(refusal.headers, answer_headers=allow.answer_headers, request_id=exchange.request_id)
            # The library gives no body of such an answer.
            caller.start(refusal.status, "", lines, length=0, now=self.clock.time())
            return
        exchange.status = exchange.upstream_status = 101
        await tunnel(
            caller,
            socket,
            answer_headers=(*allow.answer_headers, ("X-Request-Id", exchange.request_id)),
            most=self.message_limit,
            time_left=self._time_left(allow),
        )

    def _outgoing(
        self,
        exchange: Exchange,
        caller: Caller,
        request: Request,
        route: Route[Upstream],
        allow: Allow,
        drop: frozenset[str],
    ) -> Outgoing:
        for name in oversized(allow.set_headers):
            log.warning("%s is not sent upstream: its value is too long", name)
        query = without_parameters(request.query, allow.drop_parameters)
        ours = (
            *self.forwarding.tell(caller.journey),
            ("X-Request-Id", exchange.request_id),
            ("traceparent", caller.trace.traceparent),
        )
        return Outgoing(
            method=request.method,
            target=route.upstream_path(request.path) + (f"?{query}" if query else ""),
            headers=for_upstream(
                caller.raw_headers,
                scrub=self.scrub,
                allow=allow,
                ours=ours,
                drop=drop if caller.trace.continued else drop | {"tracestate"},
            ),
            host=caller.host,
            body=caller.read if caller.has_body else None,
            content_length=caller.content_length,
            expects_continue=caller.expects_continue,
            body_is_here=caller.sent_all and not caller.expects_continue,
        )

    def _time_left(self, allow: Allow) -> float | None:
        if allow.valid_until == math.inf:
            return None
        return max(LAST_MOMENT, allow.valid_until - self.clock.time())


async def _copy(answer: UpstreamAnswer, caller: Caller) -> None:
    while piece := await answer.read():
        await caller.write(piece)
    await caller.finish()


async def _drop_from_form(caller: Caller, request: Request, allow: Allow) -> None:
    """A form that a policy has read goes on without the fields that it drops."""
    if request.form is not None and allow.drop_parameters and caller.content_length:
        form = await caller.read_whole(caller.content_length)
        caller.replace_body(without_parameters(form.decode("latin-1"), allow.drop_parameters).encode("latin-1"))
