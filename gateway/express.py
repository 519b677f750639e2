"""The express lane of one connection: takes the plain requests, one after the other, and leaves the rest alone.

What it does not recognise at once goes unparsed to the ordinary lane, which is complete.
"""

import asyncio
import math
from contextlib import suppress
from typing import Protocol

from gateway.answer_head import joined
from gateway.correlation import ID_DIGITS, TRACE_DIGITS, follow, is_request_id, new_request_id
from gateway.exchange import Exchange, Flag
from gateway.express_desk import Desk
from gateway.express_head import PlainHead, read_plain
from gateway.express_request import plain_request
from gateway.headers import Forwarding, Journey, encoded
from gateway.passage import Passage
from gateway.tenure import Place, Tenure

LINGER = 2.0
"""Seconds in which what a caller still sends is read and dropped, before the connection is closed."""
MOST_WAITING = 65_536
"""Bytes that wait here, of a body or of the requests behind this one, before the caller has to wait."""


class Carrier(Protocol):
    """The connection, as the lane sees it."""

    @property
    def is_free(self) -> bool:
        """Whether the ordinary lane has nothing in hand, not even a part of a request."""

    def taken(self) -> None:
        """A request has begun."""

    def rested(self) -> None:
        """It has ended, and another may follow."""

    def force_close(self) -> None:
        """No other will follow."""

    def data_received(self, data: bytes, /) -> None:
        """Take this as if it came now."""


class House(Protocol):
    """The gateway, as the lane sees it."""

    @property
    def desk(self) -> Desk: ...
    @property
    def tenure(self) -> Tenure: ...
    @property
    def draining(self) -> bool:
        """Whether every answer is the last one of its connection."""

    @property
    def in_flight(self) -> int:
        """Requests that have begun and not ended, on both lanes."""

    def begins(self, passage: Passage, /) -> None:
        """A request has begun."""

    def ends(self, passage: Passage, /) -> None:
        """It has ended, and is to be recorded."""


class Express:
    """At most one request at a time; those behind it wait."""

    __slots__ = (
        *(
            "_behind",
            "_carrier",
            "_deadline",
            "_drops",
            "_holds_body",
            "_holds_rest",
            "_host",
            "_house",
            "_is_closed",
            "_keeps",
        ),
        *("_journey", "_passage", "_peer", "_scheme", "_settled", "_told", "_tenure", "_transport", "_trusted"),
        *("desk", "is_full"),
    )

    def __init__(self, house: House, carrier: Carrier, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self.desk = house.desk
        self.is_full = False
        """Whether the caller takes no more for now."""
        self._house = house
        self._carrier = carrier
        self._transport = transport
        self._peer: str = str(peer[0]) if isinstance(peer, tuple | list) and peer else ""
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._passage: Passage | None = None
        self._behind = b""
        self._drops = 0
        self._deadline = math.inf
        self._holds_body = self._holds_rest = False
        self._is_closed = False
        self._keeps = True
        self._settled: asyncio.Future[None] | None = None
        self._tenure: Tenure | None = None
        self._trusted = False
        self._host = b""
        self._journey = Journey((), "", "", "")
        self._told = b""

    @property
    def is_busy(self) -> bool:
        """Whether there is a request, or something of one that must not reach the ordinary lane."""
        return self._passage is not None or self._drops > 0 or bool(self._behind)

    # --- what the caller sends ---

    def receive(self, data: bytes) -> bool:
        """Take these bytes, or leave them to the ordinary lane."""
        if self._is_closed:
            return True
        if not data:
            return self._passage is not None
        if self._passage is None and not self._drops and not self._behind:
            return self._begin(data)
        self._go_on(data)
        return True

    def _begin(self, data: bytes) -> bool:
        tenure = self._house.tenure
        runtime = tenure.runtime
        if not runtime.express or not self._carrier.is_free:
            return False
        head = read_plain(data, tenure.names, runtime.limits)
        if head is None or not (host := self.desk.host(head.fields.host)):
            return False
        place = tenure.find(host, head.method, head.path)
        if not isinstance(place, Place) or not self._takes(tenure, place, head):
            return False
        self._carrier.taken()
        self._pass(tenure, place, head, host, data)
        return True

    def _takes(self, tenure: Tenure, place: Place, head: PlainHead) -> bool:
        most = tenure.runtime.limits.requests_in_flight
        if most is not None and self._house.in_flight >= most:
            return False
        return (head.fields.length or 0) <= place.most

    def _pass(self, tenure: Tenure, place: Place, head: PlainHead, host: str, data: bytes) -> None:
        route = place.route
        journey, told = self._came(tenure, head)
        now = self.desk.clock.time()
        digits = self.desk.digits(TRACE_DIGITS + ID_DIGITS)
        trace = follow(head.fields.traceparent, digits)
        said = self._trusted and is_request_id(head.fields.request_id)
        exchange = Exchange(
            request_id=head.fields.request_id if said else new_request_id(now, digits[TRACE_DIGITS:]),
            received_at=now,
            caller_ip=journey.caller_ip,
            method=head.method,
            scheme=journey.scheme,
            host=host,
            path=head.path,
            route=route.name,
            api=route.api,
            user_agent=head.fields.user_agent,
            trace_id=trace.trace_id,
        )
        request = plain_request(head, host, journey.caller_ip, now, route.api)
        keep_alive = not head.fields.closes and not self._house.draining
        passage = Passage(self, tenure, place, head, exchange, told=told, trace=trace, keep_alive=keep_alive)
        self._passage = passage
        self.desk.watch(self, tenure.runtime.timeouts.body)
        self._house.begins(passage)
        if len(data) > head.size:
            self._go_on(data[head.size :])
        passage.begin(request)

    def _came(self, tenure: Tenure, head: PlainHead) -> tuple[Journey, bytes]:
        """The way that the request came, and what the upstream is told of it."""
        forwarding = tenure.runtime.proxy.forwarding
        if tenure is not self._tenure:
            self._tenure, self._trusted, self._host = tenure, forwarding.trusts(self._peer), b""
        if self._trusted or head.fields.host != self._host:
            self._host = head.fields.host
            self._journey, self._told = _way(forwarding, head, self._peer, self._scheme)
        return self._journey, self._told

    def _go_on(self, data: bytes) -> None:
        """A part of the body, and what is behind it."""
        passage, drops = self._passage, self._drops
        if passage is not None and passage.body_left:
            piece = data if len(data) <= passage.body_left else data[: passage.body_left]
            if passage.take(piece) > MOST_WAITING:
                self._hold_rest()
            data = data[len(piece) :]
        elif drops:
            data = self._dropped(data)
        if data:
            self._behind += data
            if len(self._behind) > MOST_WAITING:
                self._hold_rest()
        if drops and not self._drops:
            self._rest()

    def _dropped(self, data: bytes) -> bytes:
        dropped = min(self._drops, len(data))
        self._drops -= dropped
        return data[dropped:]

    def _look_behind(self) -> None:
        """What came while a request was under way may begin another one."""
        if self._passage is None and not self._drops and not self._is_closed:
            data, self._behind = self._behind, b""
            self._release_rest()
            if data:
                self._carrier.data_received(data)

    # --- for the request under way ---

    def write(self, octets: bytes) -> bool:
        """Send this to the caller, if it is there."""
        if self._transport.is_closing():
            return False
        self._transport.write(octets)
        return True

    def hold_body(self) -> None:
        """Let the caller wait: the upstream takes no more."""
        self._holds_body = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_body(self) -> None:
        """Let it send again."""
        if self._holds_body:
            self._holds_body = False
            if not self._holds_rest and not self._transport.is_closing():
                self._transport.resume_reading()

    def asked(self) -> None:
        """What waited for the upstream has gone to it."""
        if len(self._behind) <= MOST_WAITING:
            self._release_rest()

    def abort(self) -> None:
        """End the connection so that the caller can tell that its answer is not complete."""
        self._is_closed = True
        self._transport.abort()

    def answered(self) -> None:
        """The request has ended."""
        passage, self._passage = self._passage, None
        if passage is None:
            return
        self._keeps = passage.keep_alive
        self.resume_body()
        self._house.ends(passage)
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        if self._is_closed or self._transport.is_closing():
            self._close()
        elif passage.body_left:
            self._drops = passage.body_left
            self._deadline = self.desk.loop.time() + LINGER
            self._release_rest()
        else:
            self._rest()

    def _rest(self) -> None:
        if not self._keeps or self._is_closed:
            self._close()
            return
        self.desk.forget(self)
        self._carrier.rested()
        if self._behind:
            self.desk.loop.call_soon(self._look_behind)

    def _close(self) -> None:
        self._is_closed = True
        self._behind = b""
        self._drops = 0
        self.desk.forget(self)
        self._carrier.force_close()

    def _hold_rest(self) -> None:
        if not self._holds_rest and not self._transport.is_closing():
            self._holds_rest = True
            self._transport.pause_reading()

    def _release_rest(self) -> None:
        if self._holds_rest:
            self._holds_rest = False
            if not self._holds_body and not self._transport.is_closing():
                self._transport.resume_reading()

    # --- for the connection, the timer and the gateway ---

    def pause_writing(self) -> None:
        """The caller takes no more for now."""
        self.is_full = True
        if self._passage is not None:
            self._passage.wait_for_caller()

    def resume_writing(self) -> None:
        """It takes more again."""
        self.is_full = False
        if self._passage is not None:
            self._passage.wait_for_caller()

    def lost(self) -> None:
        """The connection is gone."""
        self._is_closed = True
        if self._passage is not None:
            self._passage.leave(Flag.CALLER_LEFT)
        self._drops = 0
        self._behind = b""
        self.desk.forget(self)

    def look(self, now: float) -> None:
        """End what is late, by the time of the loop."""
        if self._passage is not None:
            self._passage.look(now)
        elif self._drops and now >= self._deadline:
            self._close()

    async def settle(self, patience: float | None) -> None:
        """Wait for the request under way, for so many seconds; then cut it off."""
        if self._passage is not None:
            self._settled = self.desk.loop.create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._settled
        if self._passage is not None:
            self._passage.leave(Flag.DRAINED)


def _way(forwarding: Forwarding, head: PlainHead, peer: str, scheme: str) -> tuple[Journey, bytes]:
    host = head.fields.host.decode("ascii")
    journey = forwarding.follow(head.raw_headers, peer=peer, scheme=scheme, host=host)
    return journey, joined(encoded(forwarding.tell(journey)))
