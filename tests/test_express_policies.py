"""Whatever a policy says, both lanes do it and tell it alike: the answer, the upstream, the access log, the metrics."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from gateway.policy import Allow, Decision, Deny, Request, Unavailable
from gateway.serve import Serving, serve
from gateway.services import Services
from gateway.settings import parse
from tests.fakes import FakeClock
from tests.gateways import DEADLINE, configuration
from tests.servers import RawCaller, RecordingUpstream, Reply, recording_upstream, request

IDS = re.compile(rb"(?im)^(x-request-id|traceparent): .*?\r$|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}")
THEIRS = "a" * 32
"""The id of a trace that a caller has begun."""
OWN = ("process_", "python_", "tokenward_build_info", "tokenward_connections")
"""Metrics of the process, and what is there while callers are."""


@dataclass(kw_only=True)
class Rate:
    """Counts requests, and tells the caller what is left: another `Allow` each time."""

    limit: int = 4
    seen: int = field(default=0, init=False)

    @asynccontextmanager
    async def open(self, services: Services) -> AsyncIterator["Rate"]:
        yield self

    def decide(self, request: Request) -> Decision:
        self.seen += 1
        left = (("RateLimit-Limit", str(self.limit)), ("RateLimit-Remaining", str(max(0, self.limit - self.seen))))
        if self.seen > self.limit:
            return Deny(429, "rate_limited", "Too many requests.", (*left, ("Retry-After", "7")))
        return Allow(answer_headers=left, notes=(("left", "some"),))


@dataclass(frozen=True, kw_only=True)
class Later:
    """Takes its time, and then says what it is told to say."""

    outcome: str

    @asynccontextmanager
    async def open(self, services: Services) -> AsyncIterator["Later"]:
        yield self

    def decide(self, request: Request) -> Awaitable[Decision]:
        return self._decide(request)

    async def _decide(self, request: Request) -> Decision:
        await asyncio.sleep(0.001)
        return says(self.outcome, request)


@dataclass(frozen=True, kw_only=True)
class Now:
    """Says at once what it is told to say."""

    outcome: str
    reads_form: bool = False

    @asynccontextmanager
    async def open(self, services: Services) -> AsyncIterator["Now"]:
        yield self

    def decide(self, request: Request) -> Decision:
        return says(self.outcome, request)


def says(outcome: str, request: Request) -> Decision:
    match outcome:
        case "changes":
            headers = (("X-Seen", request.headers.get("X-A", "none")), ("X-B", "ours"), ("X-Caller", request.caller_ip))
            return Allow(
                set_headers=headers,
                drop_headers=frozenset({"x-gone", "cookie"}),
                drop_parameters=frozenset({"secret"}),
                answer_headers=(("X-From", "policy"), ("Server", "policy"), ("X-From", "twice")),
                valid_until=request.received_at + 600,
                notes=(("cache", "hit"), ("kind", "changed")),
            )
        case "names":
            fields = [] if request.form is None else [f"{name}={value}" for name, value in request.form.items()]
            return Allow(set_headers=(("X-Form", "&".join(fields)),), drop_parameters=frozenset({"secret"}))
        case "too long":
            return Allow(set_headers=(("X-Long", "a" * 70_000), ("X-Short", "a")))
        case "refuses":
            return Deny(403, "too_early", "It is too early.", (("X-Why", "early"),), error="insufficient_scope")
        case "own body":
            return Deny(402, "pay", "Pay.", (("Content-Type", "text/plain"),), body=b"pay first")
        case "cannot say":
            raise Unavailable("the book is away", code="book_away", retry_after=3)
        case "breaks":
            raise RuntimeError("what nobody foresaw")
        case "no name":
            return Allow(set_headers=(("X Bad", "a"),))
        case "no line":
            return Allow(answer_headers=(("X-Bad", "a\r\nX-More: b"),))
    return cast("Decision", "neither")


OUTCOMES = ("changes", "too long", "refuses", "own body", "cannot say", "breaks", "no name", "no line", "neither")


def policy(name: str, **options: Any) -> dict[str, Any]:
    return {f"tests.test_express_policies:{name}": options}


def routes(enforcement: Mapping[str, Any]) -> Mapping[str, list[Any]]:
    """Policies by the name and path of their route."""

    def enforced(**options: Any) -> dict[str, Any]:
        return {"token-enforcement": {**enforcement, **options}}

    return {
        **{f"now-{outcome.replace(' ', '-')}": [policy("Now", outcome=outcome)] for outcome in OUTCOMES},
        **{f"later-{outcome.replace(' ', '-')}": [policy("Later", outcome=outcome)] for outcome in OUTCOMES},
        **{
            f"reported-{outcome.replace(' ', '-')}": [
                {**policy("Now", outcome=outcome), "report_only": True},
                {**policy("Later", outcome=outcome), "report_only": True},
                enforced(),
            ]
            for outcome in ("changes", "refuses", "cannot say", "breaks")
        },
        "limited": [enforced(), policy("Rate")],
        "limited-first": [policy("Rate", limit=100), policy("Later", outcome="changes"), enforced()],
        "enforced": [enforced()],
        "reported": [{**enforced(), "report_only": True}, policy("Now", outcome="changes")],
        "fresh": [enforced(freshness={"DELETE": 0, "POST": 1})],
        "remembered-for-long": [enforced(cache={"max_age": 30})],
        "strict": [enforced(order="keys_only")],
        "form": [policy("Now", outcome="names", reads_form=True)],
        "form-token": [enforced(sources={"form": "access_token", "query": "access_token"})],
        "sometimes": [{**policy("Now", outcome="refuses"), "when": {"methods": ["POST", "DELETE"]}}],
        "open": [],
    }


@dataclass
class Lane:
    """A gateway with one setting, and what it has told."""

    serving: Serving
    clock: FakeClock
    folder: Path
    upstream: RecordingUpstream

    async def ask(self, raw: bytes) -> tuple[Reply, list[tuple[bytes, bytes]]]:
        """The answer, and what the upstream saw of it."""
        known = len(self.upstream.requests)
        caller = RawCaller(*await asyncio.open_connection(*self.serving.addresses[0]))
        try:
            caller.send(raw)
            reply = await caller.reply(timeout=5, method=raw.split(b" ", 1)[0].decode())
        finally:
            caller.close()
        async with asyncio.timeout(5):
            while self.serving.gateway.in_flight:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
        sent = [(anonymous(each.head), each.body) for each in self.upstream.requests[known:]]
        return replace(reply, head=anonymous(reply.head), body=anonymous(reply.body)), sent

    def lines(self) -> list[dict[str, Any]]:
        """The access log, without ids."""
        return [
            {**line, "trace_id": line["trace_id"] == THEIRS, "request_id": anonymous(line["request_id"].encode())}
            for line in map(json.loads, (self.folder / "access.log").read_text().splitlines())
        ]

    async def metrics(self) -> list[str]:
        lines = (await self.serving.metrics_text()).splitlines()
        return [line for line in lines if not line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(OWN)]


def anonymous(octets: bytes) -> bytes:
    return IDS.sub(b"<id>", octets)


@dataclass
class Both:
    """The same gateway without the express lane and with it."""

    ordinary: Lane
    express: Lane
    provider: DemoProvider
    asked: list[bytes] = field(default_factory=list)

    async def same(self, raw: bytes) -> Reply:
        """Ask both; the answer of both."""
        one, other = await self.ordinary.ask(raw), await self.express.ask(raw)
        assert one == other, raw
        self.asked.append(raw)
        return one[0]

    def move(self, seconds: float) -> None:
        self.ordinary.clock.move(seconds)
        self.express.clock.move(seconds)

    @property
    def plain(self) -> int:
        """Requests for the express lane: no policy reads their form, and no line of them ends with a blank."""
        return sum(b" /form" not in raw and b" \r\n" not in raw for raw in self.asked)

    @property
    def expressed(self) -> int:
        assert self.ordinary.serving.gateway.expressed == 0
        return self.express.serving.gateway.expressed


@asynccontextmanager
async def both(folder: Path, **top: Any) -> AsyncIterator[Both]:
    """In the end what was logged and counted must be the same."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(run_identity_provider(clock=FakeClock()))
        upstream = await stack.enter_async_context(recording_upstream())
        lanes: list[Lane] = []
        for express in (False, True):
            place = folder / f"express-{express}"
            place.mkdir()
            config = configuration(provider.issuer, upstream.url, **top)
            enforcement = config["routes"]["orders"]["policies"][0]["token-enforcement"]
            config["express"] = express
            config["access_log"] = {"to": str(place / "access.log")}
            config["routes"] = {
                name: {"path": f"/{name}", "api": name, "upstream": upstream.url, "policies": policies}
                for name, policies in routes(enforcement).items()
            }
            clock = FakeClock()
            settings = parse(json.dumps(config), environment={})
            serving = await stack.enter_async_context(
                serve(settings, clock=clock, subject_key=b"k" * 32, admin_sockets=())
            )
            lanes.append(Lane(serving, clock, place, upstream))
        ordinary, express_too = lanes
        both = Both(ordinary, express_too, provider)
        yield both
        assert await ordinary.metrics() == await express_too.metrics()
    assert ordinary.lines() == express_too.lines()
    assert len(ordinary.lines()) == len(both.asked)


EXTRAS = ("X-A: 1", "X-B: 2", "X-Gone: 3", "Cookie: a=b", "User-Agent: curl/8", "Server: caller")


def kinds(path: str, *headers: str) -> list[bytes]:
    """Requests of several kinds to a path; all but the form may take the express lane."""
    form = "Content-Type: application/x-www-form-urlencoded"
    return [
        request("GET", f"{path}?a=1&secret=2", *headers, *EXTRAS),
        request("HEAD", path, *headers),
        request("POST", f"{path}/deeper", *headers, *EXTRAS, "Content-Type: application/json", body=b'{"a": 1}'),
        request("PUT", path, *headers, body=b"a" * 20_000),
        request("DELETE", path, *headers),
        request("POST", path, *headers, form, body=b"a=1&secret=2&a=3"),
    ]


async def test_whatever_a_policy_says_both_lanes_do(tmp_path: Path) -> None:
    async with both(tmp_path) as it:
        opaque, signed = (it.provider.issue("shop", "orders.read", subject="alice", jwt=jwt) for jwt in (False, True))
        for name in routes({}):
            for token in (opaque, signed):
                for raw in kinds(f"/{name}", f"Authorization: Bearer {token}"):
                    await it.same(raw)
            await it.same(request("GET", f"/{name}"))
        assert it.expressed == it.plain


async def test_whatever_becomes_of_a_token_both_lanes_say(tmp_path: Path) -> None:
    async with both(tmp_path) as it:
        tokens = [it.provider.issue("shop", "orders.read", jwt=jwt, lifetime=100) for jwt in (False, True)]
        revoked = it.provider.issue("shop", "orders.read")
        it.provider.revoke(revoked)
        tokens += [revoked, it.provider.issue("shop", "orders.write"), "nobody's", "a.b.c", "bad token", ""]
        paths = ("/enforced", "/fresh", "/remembered-for-long", "/strict", "/reported", "/limited")
        statuses = set()
        for seconds in (0, 5, 40, 100):
            it.move(seconds)
            for path in paths:
                for method in ("GET", "DELETE"):
                    for token in tokens:
                        reply = await it.same(request(method, path, f"Authorization: Bearer {token}"))
                        statuses.add(reply.status)
                await it.same(request("GET", f"{path}?access_token={tokens[0]}"))
                await it.same(request("GET", path, *(f"Authorization: Bearer {token}" for token in tokens[:2])))
        assert statuses == {200, 400, 401, 403, 429}
        assert it.expressed == it.plain


async def test_what_trusted_proxies_say_both_lanes_believe(tmp_path: Path) -> None:
    ids = ("theirs-1", "x" * 200, "no good", "", "a/b")
    for trusted in (["127.0.0.0/8"], ["10.0.0.0/8"]):
        folder = tmp_path / trusted[0].partition("/")[0]
        folder.mkdir()
        for style in ("x-forwarded", "rfc7239", "both"):
            (folder / style).mkdir()
            async with both(folder / style, trusted_proxies=trusted, forwarded=style) as it:
                for said in ids:
                    for more in (
                        ("X-Forwarded-For: 192.0.2.7, 127.0.0.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: a.b"),
                        ("Forwarded: for=192.0.2.8;proto=https;host=c.d, for=127.0.0.9",),
                        ("X-Forwarded-For: junk", "X-Real-IP: 192.0.2.9", "Forwarded: for=_hidden"),
                        (f"traceparent: 00-{THEIRS}-{'b' * 16}-01", "tracestate: a=b"),
                        ("traceparent: junk", "tracestate: a=b"),
                    ):
                        await it.same(request("GET", "/open", f"X-Request-Id: {said}", *more))
                        await it.same(request("GET", "/now-changes", f"X-Request-Id: {said}", *more))
                async with asyncio.timeout(DEADLINE):
                    while not it.express.lines():  # noqa: ASYNC110 - a file tells nobody that it was written
                        await asyncio.sleep(0.01)
                told = {line["request_id"] for line in it.express.lines()}
                assert (b"theirs-1" in told) is (trusted[0] == "127.0.0.0/8")
                assert it.expressed == it.plain
