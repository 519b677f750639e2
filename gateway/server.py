"""The life of a request: clean, match, decide, perform. Every request gets one answer and one record."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

from gateway import answers
from gateway.aiohttp_inside import require_parser
from gateway.caller import Answered, Caller, CallerLeft, Limits, Timeouts
from gateway.connection import Connection, check_head
from gateway.correlation import ID_DIGITS, TRACE_DIGITS, follow, is_request_id, new_request_id
from gateway.exchange import Exchange, Flag
from gateway.express import Express
from gateway.express_desk import Desk
from gateway.passage import Passage
from gateway.paths import BadRequest, Target, canonical_host, normalise
from gateway.policy import Allow, Decision, Deny, Request
from gateway.ports import Clock
from gateway.router import MethodNotAllowed, NotFound, Route, Router
from gateway.tenure import Runtime, Tenure
from gateway.tunnel import TokenEnded
from gateway.upstreams import Upstream
from gateway.verdict import checked, ends_connection, note, note_failure, note_refusal

LARGEST_FORM = 65_536
"""Bytes of a form that a policy reads."""
MOST_FIELDS = 1000
"""Fields of a form that a policy reads."""
LAST_WORDS = 2.0
"""Seconds for what is cut off to end properly: a WebSocket for its close frames."""
CLOSING = 0.5
"""Seconds for a request that arrives at the very moment when the connections are closed."""


class Records(Protocol):
    """Is told of every exchange that has ended."""

    def record(self, exchange: Exchange, /) -> None: ...


class Gateway(web.Server):
    """Makes the protocol of each connection; `drain` and `end` finish what it serves."""

    def __init__(self, runtime: Runtime, telemetry: Records, clock: Clock) -> None:
        require_parser()
        super().__init__(self._handle, handler_cancellation=True)
        self.tenure = Tenure(runtime)
        self.desk = Desk(clock, asyncio.get_running_loop())
        self._telemetry = telemetry
        self._clock = clock
        self._under_way: dict[Caller | Passage, Exchange] = {}
        self._cut: set[Caller | Passage] = set()
        self._ended = asyncio.Event()
        self.draining = False
        """Whether every answer is the last one of its connection."""
        self.expressed = 0
        """Requests that took the express lane."""

    @property
    def in_flight(self) -> int:
        """Requests that have begun and not ended."""
        return len(self._under_way)

    def in_flight_by_route(self) -> Mapping[str, int]:
        """The same by route; under an empty name those without one."""
        return Counter(exchange.route for exchange in self._under_way.values())

    @property
    def runtime(self) -> Runtime:
        """The one in force."""
        return self.tenure.runtime

    def swap(self, runtime: Runtime) -> Awaitable[Runtime]:
        """Put another runtime in force, for every request that begins after this call.

        Await what it returns for the one before, once its last request has ended: then it may be closed. A stream may
        last for long.
        """
        before, self.tenure = self.tenure, Tenure(runtime)
        return before.end()

    def drain(self) -> None:
        """From now on each answer is the last one of its connection, but for those whose head is sent already."""
        self.draining = True
        for caller in self._under_way:
            if not caller.started:
                caller.keep_alive = False

    async def end(self, patience: float) -> None:
        """Wait for what is under way, for as long as `patience` seconds; cut the rest and close every connection.

        The listeners must be closed before.
        """
        # Not `shutdown` with that timeout: once it has begun, the library takes no further byte of a request's body.
        await self._idle(patience)
        self._cut = set(self._under_way)
        for caller in self._cut:
            if isinstance(caller, Passage):
                caller.leave(Flag.DRAINED)
            elif (task := caller.incoming.task) is not None:
                task.cancel()
        await self._idle(LAST_WORDS)
        self.pre_shutdown()
        await self.shutdown(CLOSING)

    async def shutdown(self, timeout: float | None = None) -> None:
        """Close every connection, after its request if that ends in time."""
        await super().shutdown(timeout)
        await self.desk.tasks.close()

    async def _idle(self, patience: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._under_way:
                    self._ended.clear()
                    await self._ended.wait()

    @property
    def limits(self) -> Limits:
        """Those in force."""
        return self.runtime.limits

    @property
    def timeouts(self) -> Timeouts:
        """Those in force."""
        return self.runtime.timeouts

    def trusts(self, address: str) -> bool:
        """Whether the address is a trusted proxy's."""
        return self.runtime.proxy.forwarding.trusts(address)

    def __call__(self, left: Callable[[], None] | None = None) -> Connection:
        """The protocol of one more connection; `left` is called when it has ended."""
        runtime = self.runtime
        return Connection(
            self,
            self._refuse_malformed,
            limits=runtime.limits,
            timeouts=runtime.timeouts,
            loop=self.desk.loop,
            express=partial(Express, self),
            left=left,
        )

    def begins(self, passage: Passage) -> None:
        """A request begins on the express lane."""
        passage.tenure.enter()
        self._under_way[passage] = passage.exchange
        self.expressed += 1

    def ends(self, passage: Passage) -> None:
        """It has ended."""
        passage.tenure.leave()
        del self._under_way[passage]
        if not self._under_way:
            self._ended.set()
        self._telemetry.record(passage.exchange)

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        tenure = self.tenure
        caller, exchange = self._begin(incoming, tenure.runtime)
        began = self._clock.monotonic()
        tenure.enter()
        self._under_way[caller] = exchange
        try:
            await self._serve(tenure.runtime, exchange, caller)
        except asyncio.CancelledError:
            if not caller.finished:
                was_cut = caller in self._cut or not caller.left
                exchange.flag = Flag.DRAINED if was_cut else Flag.CALLER_LEFT
                caller.abort()
            raise
        finally:
            tenure.leave()
            del self._under_way[caller]
            self._ended.set()
            self._end(exchange, caller, began)
        return Answered(keep_alive=caller.keep_alive)

    async def _refuse_malformed(self, incoming: web.BaseRequest, deny: Deny) -> web.StreamResponse:
        caller, exchange = self._begin(incoming, self.runtime)
        began = self._clock.monotonic()
        caller.keep_alive = False
        exchange.method = ""
        self._refuse(self.runtime, exchange, caller, deny, Flag.BAD_REQUEST)
        self._end(exchange, caller, began)
        return Answered(keep_alive=False)

    def _begin(self, incoming: web.BaseRequest, runtime: Runtime) -> tuple[Caller, Exchange]:
        forwarding = runtime.proxy.forwarding
        peer = incoming.remote or ""
        scheme = "https" if incoming.protocol.ssl_context else "http"
        host = incoming.headers.get("Host", "")
        journey = forwarding.follow(incoming.raw_headers, peer=peer, scheme=scheme, host=host)
        trace = follow(incoming.headers.get("traceparent", ""), self.desk.digits(TRACE_DIGITS))
        caller = Caller(
            incoming,
            journey=journey,
            trace=trace,
            body_timeout=runtime.timeouts.body,
            keep_alive=not self.draining,
        )
        now = self._clock.time()
        said = incoming.headers.get("X-Request-Id", "")
        trusted = is_request_id(said) and forwarding.trusts(peer)
        exchange = Exchange(
            request_id=said if trusted else new_request_id(now, self.desk.digits(ID_DIGITS)),
            received_at=now,
            caller_ip=journey.caller_ip,
            method=incoming.method,
            scheme=journey.scheme,
            user_agent=incoming.headers.get("User-Agent", ""),
            trace_id=trace.trace_id,
        )
        return caller, exchange

    def _end(self, exchange: Exchange, caller: Caller, began: float) -> None:
        exchange.duration = self._clock.monotonic() - began
        exchange.bytes_in = caller.bytes_in
        exchange.bytes_out = caller.bytes_out
        self._telemetry.record(exchange)

    async def _serve(self, runtime: Runtime, exchange: Exchange, caller: Caller) -> None:
        """Answer, whatever happens."""
        try:
            await self._process(runtime, exchange, caller)
        except CallerLeft:
            exchange.flag = Flag.CALLER_LEFT
            caller.keep_alive = False
        except TokenEnded:
            exchange.flag = Flag.TOKEN_ENDED
            caller.abort()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is forwarded, and there is an answer
            if ends_connection(error):
                caller.keep_alive = False
            self._answer(runtime, exchange, caller, note_failure(exchange, error))

    async def _process(self, runtime: Runtime, exchange: Exchange, caller: Caller) -> None:
        most = runtime.limits.requests_in_flight
        if most is not None and self.in_flight > most:
            self._refuse(runtime, exchange, caller, answers.TOO_BUSY, Flag.SHED)
            return
        check_head(caller.incoming, runtime.limits)
        _check_expectation(caller)
        if caller.method == "CONNECT":
            self._refuse(runtime, exchange, caller, answers.method_not_allowed(()), Flag.NO_ROUTE)
            return
        target = normalise(caller.target, caller.host)
        # RFC 9112, 3.2: only an HTTP/1.0 request may come without; the parser has seen to that.
        host = canonical_host(caller.host) if "Host" in caller.incoming.headers else ""
        exchange.host, exchange.path = host, target.path
        match _find(runtime.router, caller, host, target.path):
            case NotFound():
                self._refuse(runtime, exchange, caller, answers.NO_ROUTE, Flag.NO_ROUTE)
            case MethodNotAllowed(allowed):
                self._refuse(runtime, exchange, caller, answers.method_not_allowed(allowed), Flag.NO_ROUTE)
            case Route() as route:
                await self._perform(runtime, exchange, caller, route, target)

    async def _perform(
        self, runtime: Runtime, exchange: Exchange, caller: Caller, route: Route[Upstream], target: Target
    ) -> None:
        exchange.route, exchange.api = route.name, route.api
        request = Request(
            method=caller.method,
            host=exchange.host,
            path=target.path,
            query=target.query,
            headers=caller.incoming.headers,
            caller_ip=exchange.caller_ip,
            received_at=exchange.received_at,
            api=route.api,
            form=await _read_form(caller) if route.chain.reads_form else None,
        )
        if route.preflight and _is_preflight(caller):
            await runtime.proxy.forward(exchange, caller, request, route, Allow())
            return
        decision = await self._decide(exchange, route, request)
        note(exchange, decision)
        match decision:
            case Deny():
                self._refuse(runtime, exchange, caller, decision, Flag.DENIED)
            case Allow():
                await runtime.proxy.forward(exchange, caller, request, route, decision)

    async def _decide(self, exchange: Exchange, route: Route[Upstream], request: Request) -> Decision:
        began = self._clock.monotonic()
        try:
            outcome = route.chain.decide(request)
            return checked(outcome if isinstance(outcome, (Allow, Deny)) else await outcome)
        finally:
            exchange.decision_seconds = self._clock.monotonic() - began

    def _refuse(self, runtime: Runtime, exchange: Exchange, caller: Caller, deny: Deny, flag: Flag) -> None:
        note_refusal(exchange, deny, flag)
        self._answer(runtime, exchange, caller, deny)

    def _answer(self, runtime: Runtime, exchange: Exchange, caller: Caller, deny: Deny) -> None:
        if caller.started:
            caller.abort()
            return
        exchange.status = deny.status
        answer = answers.refuse(deny, request_id=exchange.request_id, base=runtime.problem_base, method=caller.method)
        try:
            caller.answer(answer, now=self._clock.time())
        except CallerLeft:
            exchange.flag = Flag.CALLER_LEFT


def _find(
    router: Router[Upstream], caller: Caller, host: str, path: str
) -> Route[Upstream] | NotFound | MethodNotAllowed:
    """The route; a preflight belongs to the one that takes the method which it announces."""
    if _is_preflight(caller):
        announced = router.find(host, caller.incoming.headers["Access-Control-Request-Method"], path)
        if isinstance(announced, Route) and announced.preflight:
            return announced
    return router.find(host, caller.method, path)


def _is_preflight(caller: Caller) -> bool:
    """The Fetch standard, 4.8: OPTIONS with both headers, and nothing else is one."""
    headers = caller.incoming.headers
    return caller.method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers


def _check_expectation(caller: Caller) -> None:
    expectation = caller.incoming.headers.get("Expect")
    if expectation is not None and caller.is_1_1 and expectation.lower() != "100-continue":
        unknown = answers.EXPECTATION_UNKNOWN
        raise BadRequest(unknown.code, unknown.detail, unknown.status)


async def _read_form(caller: Caller) -> MultiDictProxy[str] | None:
    """The fields of a form body, or none if the body is something else. Raises `BadRequest` for too many."""
    media_type = caller.incoming.headers.get("Content-Type", "").split(";", 1)[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded" or not caller.has_body:
        return None
    body = await caller.read_whole(LARGEST_FORM)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadRequest("form_invalid", "The form is not UTF-8, or has too many fields.") from None
    return MultiDictProxy(MultiDict(fields))
