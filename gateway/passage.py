"""One request on the express lane: asked about, sent upstream and answered, without a task where nothing is waited for.

The same chain is asked about the same facts as on the ordinary lane, and what it says is performed by the same rules.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Coroutine

from gateway import answers
from gateway.answer_head import render_own
from gateway.answer_parser import AnswerHead
from gateway.caller import LEAST_PROGRESS, MOST_DRAINED, CallerSlow
from gateway.correlation import Trace
from gateway.exchange import Exchange, Flag
from gateway.express_desk import Way
from gateway.express_head import PlainHead
from gateway.express_headers import NOTHING, rest_of, start_of
from gateway.headers import UnsafeHeader
from gateway.outgoing import UpstreamBroke, UpstreamFailure, UpstreamInvalid, UpstreamRefused
from gateway.paths import without_parameters
from gateway.policy import Allow, Decision, Deny, Request
from gateway.proxy import LAST_MOMENT
from gateway.target import Target
from gateway.tenure import Place, Tenure
from gateway.upstream_connection import UpstreamConnection
from gateway.upstreams import IDEMPOTENT
from gateway.verdict import checked, ends_connection, note, note_failure, note_refusal

log = logging.getLogger(__name__)

MOST_PENDING = 65_536
"""Bytes of an answer that are held back, to be written together with what follows at once."""


class Passage:
    """The sink of its upstream connection."""

    __slots__ = (
        *("_allow", "_began", "_body", "_chunked", "_connection", "_deadline", "_decided_at", "_desk", "_head"),
        *("_host", "_pending", "_place", "_progress", "_refused", "_request", "_retried", "_route", "_start", "_task"),
        *("_told", "_trace", "_tried", "_until", "_was_asked", "_way", "body_left", "bytes_in", "bytes_out"),
        *("exchange", "keep_alive", "over", "started", "tenure"),
    )

    def __init__(
        self,
        way: Way,
        tenure: Tenure,
        place: Place,
        head: PlainHead,
        exchange: Exchange,
        *,
        told: bytes,
        trace: Trace,
        keep_alive: bool,
    ) -> None:
        self._way = way
        self._desk = way.desk
        self._place = place
        self._route = place.route
        self._head = head
        self._told = told
        self._trace = trace
        self._host = ""
        self._allow = NOTHING
        self._start = self._request = b""
        self._connection: UpstreamConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._tried: tuple[Target, ...] = ()
        self._refused: UpstreamRefused | None = None
        self._retried = False
        self._was_asked = False
        self._decided_at = 0.0
        self._body: list[bytes] = []
        self._deadline = math.inf
        self._progress = 0
        self._until = math.inf
        self._pending = b""
        self._chunked = False
        self._began = self._desk.clock.monotonic()
        self.tenure = tenure
        self.exchange = exchange
        self.body_left = head.fields.length or 0
        """Bytes of the request's body that have not arrived."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.keep_alive = keep_alive
        self.started = False
        """Whether the head of an answer was sent."""
        self.over = False

    # --- the decision ---

    def begin(self, request: Request) -> None:
        """Ask the policies."""
        try:
            outcome = self._route.chain.decide(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is forwarded, and there is an answer
            self._decided()
            self._fail(error)
            return
        if isinstance(outcome, (Allow, Deny)):
            self._decided()
            self._heed(outcome)
        else:
            self._wait(self._await_decision(outcome))

    async def _await_decision(self, outcome: Awaitable[Decision]) -> None:
        try:
            decision = checked(await outcome)
        except Exception as error:  # noqa: BLE001 - as above
            self._decided()
            self._fail(error)
            return
        self._decided()
        self._heed(decision)

    def _decided(self) -> None:
        self._decided_at = now = self._desk.clock.monotonic()
        self.exchange.decision_seconds = now - self._began

    def _heed(self, decision: Decision) -> None:
        if self.over:
            return
        note(self.exchange, decision)
        if isinstance(decision, Deny):
            self._refuse(decision, Flag.DENIED)
            return
        self._allow = decision
        try:
            self._prepare(decision)
        except Exception as error:  # noqa: BLE001 - a name that a policy made up is none
            self._fail(error)
            return
        self._was_asked = True
        self._ask()

    # --- the upstream ---

    def _prepare(self, allow: Allow) -> None:
        head, place, exchange = self._head, self._place, self.exchange
        changes = self.tenure.decisions.changes(allow)
        for name in changes.oversized:
            log.warning("%s is not sent upstream: its value is too long", name)
        query = without_parameters(head.query, allow.drop_parameters) if head.query else ""
        self._host = head.fields.host.decode("ascii")
        self._start = start_of(head.method, f"{place.path}?{query}") if query else place.start
        self._request = rest_of(head, changes, told=self._told, request_id=exchange.request_id, trace=self._trace)

    def _ask(self) -> None:
        """Ask one target after the other until one can be reached: as long as it cannot, nothing was sent."""
        upstream = self._route.upstream
        target = upstream.choose(self._tried)
        if target is None:
            self._fail(self._refused or upstream.ejected())
            return
        self._tried = (*self._tried, target)
        self.exchange.upstream = target.origin
        host, server_name = upstream.names(self._host, target)
        connection = target.take(server_name)
        if connection is None:
            self._wait(self._connect(target, target.lend(server_name), host))
        else:
            self._send(connection, host)

    async def _connect(self, target: Target, lending: Awaitable[UpstreamConnection], host: bytes) -> None:
        try:
            connection = await lending
        except UpstreamRefused as failure:
            self._refused = failure
            self._ask()
            return
        except UpstreamFailure as failure:
            self._fail(failure)
            return
        if self.over:
            connection.abort()
        else:
            self._send(connection, host)

    def _send(self, connection: UpstreamConnection, host: bytes) -> None:
        self._connection = connection
        body, self._body = self._body, []
        sent = b"".join((self._start, host, self._request, *body))
        self.bytes_in = sum(map(len, body))
        whole = not self.body_left
        if not whole:
            self._await_body()
        connection.start(self, sent, to_head=self._head.method == "HEAD", whole=whole)
        if body:
            self._way.asked()

    def _wait(self, work: Coroutine[object, object, None]) -> None:
        self._task = self._desk.tasks.start(work)

    # --- the body ---

    def take(self, piece: bytes) -> int:
        """A part of the request's body; how many bytes of it are waiting here."""
        self.body_left -= len(piece)
        connection = self._connection
        if self.over:
            return 0
        if connection is None:
            self._body.append(piece)
            return sum(map(len, self._body))
        self.bytes_in += len(piece)
        self._progress += len(piece)
        if self._progress >= LEAST_PROGRESS:
            self._await_body()
        connection.send(piece)
        if not self.body_left and self._connection is connection:
            self._deadline = math.inf
            connection.finish()
        return 0

    def _await_body(self) -> None:
        self._progress = 0
        self._deadline = self._desk.loop.time() + self.tenure.runtime.timeouts.body

    def go_on(self) -> None:
        """The upstream invites a body that it gets anyway."""

    def hold_body(self) -> None:
        """The upstream takes no more for now."""
        self._deadline = math.inf
        self._way.hold_body()

    def resume_body(self) -> None:
        """It takes more again."""
        if self.body_left:
            self._await_body()
        self._way.resume_body()

    # --- the answer ---

    def head(self, head: AnswerHead) -> None:
        """The upstream answers."""
        if self.body_left:
            # What is left of the body belongs to nobody's request.
            self.keep_alive = False
        self.exchange.upstream_status = head.status
        try:
            self._pending, self._chunked = self._desk.answer_heads.render(
                head,
                self._allow,
                method=self._head.method,
                request_id=self.exchange.request_id,
                keep_alive=self.keep_alive,
                now=self._desk.clock.time(),
            )
        except UnsafeHeader:
            self._part()
            self._fail(UpstreamInvalid("a header that is none"))
            return
        self.exchange.status = head.status
        self.started = True
        self._desk.flush_soon(self)

    def piece(self, piece: bytes) -> None:
        """A part of its body."""
        if self._chunked:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if self._pending and len(piece) < MOST_PENDING:
            self._pending += piece
            return
        self.flush()
        if not self.over:
            self._write(piece)

    def flush(self) -> None:
        """Write what was held back for what might follow at once."""
        if self._pending:
            pending, self._pending = self._pending, b""
            self._write(pending)

    def end(self) -> None:
        """The answer is complete."""
        self._connection = None
        if self._chunked:
            self._pending += b"0\r\n\r\n"
        pending, self._pending = self._pending, b""
        if pending:
            self._write(pending)
        if not self.over:
            self._end()

    def failed(self, failure: UpstreamFailure) -> None:
        """There is no answer, or no end of it."""
        self._connection = None
        if self.over:
            return
        may_repeat = isinstance(failure, UpstreamBroke) and failure.was_idle and not self._retried
        if may_repeat and not self._head.fields.length and self._head.method in IDEMPOTENT:
            self._retried = True
            self.exchange.retries += 1
            target = self._tried[-1]
            host, server_name = self._route.upstream.names(self._host, target)
            self._wait(self._connect(target, target.lend_new(server_name), host))
            return
        self._fail(failure)

    def wait_for_caller(self) -> None:
        """Let the upstream send as fast as the caller takes it."""
        if self._connection is not None:
            if self._way.is_full:
                self._connection.pause()
            else:
                self._connection.resume()

    def _write(self, octets: bytes) -> None:
        if not self._way.write(octets):
            self.leave(Flag.CALLER_LEFT)
            return
        self.bytes_out += len(octets)
        if self._way.is_full:
            self.wait_for_caller()

    # --- the end ---

    def look(self, now: float) -> None:
        """End what is late, by the time of the loop."""
        if self.over:
            return
        if now >= self._deadline:
            self._fail(CallerSlow("the body did not arrive in time"))
        elif now >= self._until:
            self._cut_off(Flag.TOKEN_ENDED)
        elif self.started and self._until == math.inf and self._allow.valid_until != math.inf:
            self._until = now + max(LAST_MOMENT, self._allow.valid_until - self._desk.clock.time())

    def leave(self, flag: Flag) -> None:
        """Nobody is there to be answered any more, or we cut it off."""
        if not self.over:
            self._cut_off(flag)

    def _cut_off(self, flag: Flag) -> None:
        self.exchange.flag = flag
        self.keep_alive = False
        self._part()
        self._way.abort()
        self._end()

    def _fail(self, error: Exception) -> None:
        if self.over:
            return
        if ends_connection(error):
            self.keep_alive = False
        self._answer(note_failure(self.exchange, error))

    def _refuse(self, deny: Deny, flag: Flag) -> None:
        note_refusal(self.exchange, deny, flag)
        try:
            self._answer(deny)
        except Exception as error:  # noqa: BLE001 - a header that a policy made up is none
            self._fail(error)

    def _answer(self, deny: Deny) -> None:
        """Answer in place of the upstream."""
        exchange = self.exchange
        self._part()
        if self.started:
            self.keep_alive = False
            self._pending = b""
            self._way.abort()
            self._end()
            return
        method, base = self._head.method, self.tenure.runtime.problem_base
        answer = answers.refuse(deny, request_id=exchange.request_id, base=base, method=method)
        if self.body_left and (self._head.fields.length or 0) > MOST_DRAINED:
            self.keep_alive = False
        connection = b"" if self.keep_alive else b"close"
        octets = render_own(answer, now=self._desk.clock.time(), connection=connection)
        exchange.status = deny.status
        self.started = True
        self._write(octets)
        if not self.over:
            self._end()

    def _part(self) -> None:
        """Give up the upstream's connection, and whatever is waited for."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            # Not before its first step: what it is to await would never be awaited.
            self._desk.loop.call_soon(task.cancel)

    def _end(self) -> None:
        self.over = True
        now = self._desk.clock.monotonic()
        self.exchange.duration = now - self._began
        if self._was_asked:
            self.exchange.upstream_seconds = now - self._decided_at
        self.exchange.bytes_in, self.exchange.bytes_out = self.bytes_in, self.bytes_out
        self._way.answered()
