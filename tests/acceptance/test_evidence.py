"""Block M, and who may see what: a broad mix of requests against the program, and what is left of it afterwards."""

import asyncio
import hashlib
import json
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from gateway.demo.identity_provider import AUDIENCE, DemoProvider, run_identity_provider
from gateway.providers.urls import is_loopback
from gateway.settings import parse
from tests import gateways
from tests.gateways import INTENT, Config, Program, configuration, program, served, until
from tests.servers import Plays, RecordingUpstream, Reply, play, recording_upstream, request, then_close

INFIX = 12
"""Characters of a secret that must be found nowhere."""
CANARY = "canary-5b1e"
"""Stands in whatever a caller chooses and is no secret: it may be logged, but is no label."""
NOBODY = "http://127.0.0.1:9"
PROBLEM = {"type", "title", "status", "detail", "code", "instance", "error"}
UNSPEAKABLE = re.compile(
    r"Traceback|File \"|\w+Error\b|\w+Exception\b|(?i:aiohttp|asyncio|pydantic|cryptography|pyjwt|httptools|llhttp)"
    r"|127\.0\.0\.1|localhost|/introspect|/jwks|\.py\b|BEGIN [A-Z ]*KEY"
)
"""What would tell a caller how we are made, or where others are."""


@dataclass
class Evidence:
    """What a run left behind."""

    answers: list[Reply] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    pages: list[str] = field(default_factory=list)
    """What the admin port showed."""
    counts: list[Mapping[str, float]] = field(default_factory=list)
    """The metrics after each part of the run."""
    sent: list[int] = field(default_factory=list)
    """How many requests had been sent by then."""
    codes: list[Counter[str]] = field(default_factory=list)
    """The codes of the refusals that callers had seen by then."""
    stdout: str = ""
    stderr: str = ""
    reached: str = ""
    """What the upstream read."""
    asked: str = ""
    """What the sick provider was asked."""

    def secret(self, name: str, length: int = 40) -> str:
        """A secret of that length that is like no other."""
        made = "".join(hashlib.sha256(f"{name} {turn}".encode()).hexdigest() for turn in range(length // 64 + 1))
        self.secrets.add(made[:length])
        return made[:length]

    @property
    def refusals(self) -> list[Reply]:
        """Answers of the gateway's own: the upstreams of this run refuse nothing."""
        return [answer for answer in self.answers if answer.status >= 400]


@dataclass
class Run:
    """A gateway under a mix of requests."""

    evidence: Evidence
    gateway: Program
    provider: DemoProvider
    upstream: RecordingUpstream
    sent: int = 0

    async def ask(self, raw: bytes, plays: Plays | None = None) -> Reply:
        """One request on a connection of its own."""
        if plays is not None:
            self.upstream.plays(plays)
        caller = await self.gateway.caller.raw()
        try:
            self.sent += 1
            caller.send(raw)
            reply = await caller.reply(timeout=10, method=raw.split(b" ", 1)[0].decode("latin-1"))
        finally:
            caller.close()
        self.evidence.answers.append(reply)
        return reply

    async def note(self) -> None:
        """Keep what the admin port shows, once everything that was sent is counted."""

        async def is_counted() -> bool:
            lost = sum(self.evidence.sent[-1:]) - requests_in(self.evidence.counts[-1]) if self.evidence.counts else 0
            return requests_in(await self.gateway.operator.metrics()) >= self.sent - lost

        await until(is_counted, "not every request is counted")
        for path in ("/metrics", "/routes", "/readyz?verbose", "/version"):
            self.evidence.pages.append(await self.gateway.operator.page(path))
        self.evidence.counts.append(await self.gateway.operator.metrics())
        self.evidence.sent.append(self.sent)
        self.evidence.codes.append(Counter(json.loads(each.body)["code"] for each in self.evidence.refusals))


def requests_in(metrics: Mapping[str, float]) -> float:
    return total(metrics, "tokenward_http_requests_total")


def total(metrics: Mapping[str, float], name: str) -> float:
    return sum(value for sample, value in metrics.items() if sample.split(" ")[0] == name)


# The run


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


async def good(run: Run) -> None:
    """What is allowed, with credentials wherever a route takes them."""
    secret = run.evidence.secret
    run.upstream.plays(play(b"HTTP/1.1 200 OK\r\nSet-Cookie: s=1\r\nContent-Length: 2\r\n\r\nok"))
    opaque = issued(run, run.provider.issue("shop", "orders.read", subject=CANARY))
    signed = issued(run, run.provider.issue("shop", "orders.read", jwt=True))
    cookies = f"Cookie: session={secret('session')}; t={opaque}"
    for token in (opaque, signed):
        for _ in range(2):
            assert (await run.ask(request("GET", f"/orders/{CANARY}", bearer(token)))).status == 200
    assert (await run.ask(request("POST", "/orders", bearer(signed), body=b"a=b"))).status == 200
    assert (await run.ask(request("GET", f"/query?t={opaque}"))).status == 200
    assert (await run.ask(request("GET", "/cookie", cookies))).status == 200
    assert (await run.ask(request("GET", "/header", f"X-Token: {opaque}"))).status == 200
    assert (await run.ask(request("GET", "/public", f"Cookie: a={secret('cookie')}", basic(run)))).status == 200
    assert (await run.ask(request("GET", f"/public?access_token={secret('query')}"))).status == 200
    assert (await run.ask(request("GET", "/agent", f"User-Agent: Bearer {secret('agent')}"))).status == 404


def issued(run: Run, token: str) -> str:
    run.evidence.secrets.add(token)
    return token


def basic(run: Run) -> str:
    return f"Authorization: Basic {run.evidence.secret('basic')}"


async def bad(run: Run) -> None:
    """What policies refuse."""
    secret = run.evidence.secret
    revoked = issued(run, run.provider.issue("shop", "orders.read"))
    run.provider.revoke(revoked)
    narrow = issued(run, run.provider.issue(CANARY, "nothing"))
    signed = issued(run, run.provider.issue("shop", "orders.read", jwt=True, audience=AUDIENCE))
    header, payload, signature = signed.split(".")
    forged = issued(run, f"{header}.{payload}.{signature[:-8]}AAAAAAAA")
    for line, status in [
        (bearer(secret("unknown")), 401),
        (bearer(revoked), 401),
        (bearer(narrow), 403),
        (bearer(forged), 401),
        (bearer(secret("long", 8200)), 401),
        (bearer(f"{secret('one')} {secret('two')}"), 400),
        (bearer(f'{secret("quoted")}"'), 400),
        (basic(run), 401),
        (f"Authorization: {secret('scheme')}", 401),
        (f"Cookie: token={secret('cookie elsewhere')}", 401),
        (f"X-Api-Key: {secret('key')}", 401),
    ]:
        assert (await run.ask(request("GET", "/orders", line))).status == status, line
    keys = request("GET", "/keys", bearer(forged))
    assert (await run.ask(keys)).status == 401
    twice = request("GET", "/orders", bearer(secret("first")), bearer(secret("second")))
    assert (await run.ask(twice)).status == 400
    both = request("GET", f"/orders?access_token={secret('beside')}", bearer(secret("header")))
    assert (await run.ask(both)).status == 400


async def malformed(run: Run) -> None:
    """What is no request, with a credential in it."""
    secret = run.evidence.secret
    head = (
        f"Host: a\r\nAuthorization: Bearer {secret('malformed')}\r\nCookie: s={secret('malformed cookie')}\r\n".encode()
    )
    for raw, status in [
        (b"GET /orders HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer " + secret("spaced").encode() + b"\r\n\r\n", 400),
        (b"GET /orders HTTP/1.1\r\n" + head + b" " + secret("folded").encode() + b"\r\n\r\n", 400),
        (b"GET /orders HTTP/1.1\r\n" + head + b"X: " + secret("nul").encode() + b"\0\r\n\r\n", 400),
        (b"GET /" + secret("line").encode() + b" HTTP/9.9\r\n" + head + b"\r\n", 400),
        (secret("verb").encode() + b" / HTTP/1.1\r\n" + head + b"\r\n", 400),
        (b"GET /orders/../" + secret("dots").encode() + b" HTTP/1.1\r\n" + head + b"\r\n", 400),
        (b"GET /orders?" + secret("target", 9000).encode() + b" HTTP/1.1\r\n" + head + b"\r\n", 414),
        (b"GET /orders HTTP/1.1\r\n" + head + b"X: " + secret("huge", 9100).encode() + b"\r\n\r\n", 431),
        (b"GET /orders HTTP/1.1\r\n" + head + b"X: \xe9\r\n\r\n", 400),
        (b"GET /orders HTTP/1.1\r\n" + head + b"Expect: " + secret("expect").encode() + b"\r\n\r\n", 417),
        (b"POST /public HTTP/1.1\r\n" + head + CHUNKED + secret("chunk").encode() + b"\r\n", 400),
        (b"POST /public HTTP/1.1\r\n" + head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /socket HTTP/1.1\r\n" + head + UPGRADE + secret("protocol").encode() + b"\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\n" + head + b"\r\n", 405),
        (f"DELETE /{CANARY} HTTP/1.1\r\n".encode() + head + b"\r\n", 404),
    ]:  # fmt: skip
        assert (await run.ask(raw)).status == status, raw[:80]
    assert (await run.ask(request("PATCH", "/read", bearer(secret("patch"))))).status == 405


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Protocol: "


async def failing(run: Run) -> None:
    """What upstreams and providers fail at."""
    secret = run.evidence.secret
    cookie = f"Cookie: session={secret('failing')}"
    echo = secret("upstream's own").encode()
    for plays, status in [
        (play(None), 502),
        (then_close(b"HTTP/1.1 200 OK\r\nX-Echo: " + echo), 502),
        (play(b"HTTP/1.1 200 OK\r\nContent-Length: " + echo + b"\r\n\r\n"), 502),
        (play(echo + b"\r\n\r\n"), 502),
    ]:
        raw = request("POST", f"/public?token={secret('failing query')}", cookie, basic(run), body=b"a")
        assert (await run.ask(raw, plays)).status == status
    half = then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    assert not (await run.ask(request("GET", "/public", cookie), half)).complete
    assert (await run.ask(request("GET", f"/refused?token={secret('refused')}", cookie))).status == 502
    for turn in range(2 * len(SICK)):
        # What is not `true` is inactive; all other answers are none.
        assert (await run.ask(request("GET", "/sick", bearer(secret(f"sick {turn}"))))).status in {401, 503}
        signed = issued(run, run.provider.issue("shop", "orders.read", jwt=True))
        assert (await run.ask(request("GET", "/sick", bearer(signed)))).status in {401, 503}
    assert (await run.ask(request("GET", "/gone", bearer(secret("gone"))))).status == 503


SICK = [
    (500, "text/html", "<p>{}</p>"),
    (200, "text/html", "{}"),
    (200, "application/json", '{{"active": true, "{}'),
    (200, "application/json", '{{"active": "{}"}}'),
    (401, "application/json", '{{"error": "{}"}}'),
    (302, "text/plain", "{}"),
]
"""How a sick provider answers: each time with what it was asked, as error pages do."""


@asynccontextmanager
async def sick_provider(evidence: Evidence) -> AsyncIterator[str]:
    turns = 0

    async def answer(asked: web.BaseRequest) -> web.Response:
        nonlocal turns
        said = f"{await asked.text()} {asked.headers.get('Authorization', '')}"
        evidence.asked += said
        status, kind, body = SICK[turns % len(SICK)]
        turns += 1
        where = {"Location": f"{NOBODY}/?{said}"} if status == 302 else {}
        return web.Response(status=status, content_type=kind, text=body.format(said), headers=where)

    async with await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def configured(evidence: Evidence, issuer: str, upstream: str, sick: str) -> Config:
    config = configuration(issuer, upstream, workers=2, log_level="debug", access_log={"to": "stdout"})
    config["admin"]["token"] = evidence.secret("admin")
    config["limits"] = {"header": 9000}
    config["drain"] = {"delay": 0, "timeout": 0.2}
    evidence.secrets.add(gateways.SECRET)
    ours = {"client_id": "gateway", "client_secret": evidence.secret("client")}
    endpoints = {"introspection": f"{sick}/introspect", "jwks": f"{sick}/jwks"}
    config["providers"]["sick"] = {
        "issuer": issuer,
        "endpoints": endpoints,
        "introspection": ours,
        "limits": {"failures": 1000},
    }
    config["providers"]["gone"] = {"issuer": NOBODY, "introspection": ours}
    everywhere = {"authorization": False, "query": "t", "cookie": "t", "header": "X-Token"}
    for name, options in {
        "query": {"provider": "idp", "sources": everywhere},
        "cookie": {"provider": "idp", "sources": everywhere},
        "header": {"provider": "idp", "sources": everywhere, "identity_preset": "x-agw"},
        "keys": {"provider": "idp", "order": "keys_only"},
        "sick": {"provider": "sick"},
        "gone": {"provider": "gone"},
    }.items():
        config["routes"][name] = {
            "path": f"/{name}",
            "upstream": upstream,
            "policies": [{"token-enforcement": options}],
        }
    config["routes"]["refused"] = {"path": "/refused", "upstream": NOBODY, "policies": []}
    config["routes"]["socket"] = {"path": "/socket", "upstream": upstream, "policies": []}
    config["routes"]["read"] = {"path": "/read", "methods": ["GET"], "upstream": upstream, "policies": []}
    return config


async def reload_in_every_way(run: Run, config: Config) -> None:
    """One that succeeds, and some with a secret in the wrong place."""
    secret = run.evidence.secret("misplaced")
    for text in (
        f"routes: {{}}\nadmin: {{tokn: {secret}}}\n",
        f"routes: {{}}\nadmin: {{token: [{secret}]}}\n",
        f"routes: {{}}\nadmin: {{token: {secret}\n",
        f"routes: {{}}\nadmin: {{token: 'a {secret}'}}\n",
    ):
        run.gateway.write(text)
        answer = await run.gateway.operator.reload()
        assert answer.status == 422
        run.evidence.pages.append(answer.text)
    run.gateway.write(config)
    assert (await run.gateway.operator.reload()).status == 200
    answer = await run.gateway.operator.ask("GET", "/metrics", run.evidence.secret("wrong admin token"))
    assert answer.status == 401
    run.evidence.pages.append(answer.text)


async def end(run: Run) -> None:
    """With an answer under way that is cut."""
    run.upstream.plays(play(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 60.0))
    caller = await run.gateway.caller.raw()
    caller.send(request("GET", "/public", f"Cookie: s={run.evidence.secret('cut')}"))
    await caller.reader.readuntil(b"half")
    run.gateway.tell(signal.SIGTERM)
    assert await run.gateway.ended() == 0
    caller.close()


async def run_all(folder: Path) -> Evidence:
    evidence = Evidence()
    async with (
        run_identity_provider() as provider,
        recording_upstream() as upstream,
        sick_provider(evidence) as sick,
    ):
        config = configured(evidence, provider.issuer, upstream.url, sick)
        async with program(config, folder) as gateway:
            run = Run(evidence, gateway, provider, upstream)
            for part in (good, bad, malformed, failing):
                await part(run)
            await run.note()
            await reload_in_every_way(run, config)
            os.kill(gateway.family()[1], signal.SIGKILL)
            await until_two_serve(run)
            await run.note()
            await bad(run)
            await run.note()
            await end(run)
            evidence.stdout, evidence.stderr = gateway.stdout, gateway.stderr
        evidence.reached = "".join((each.head + each.body).decode("latin-1") for each in upstream.requests)
    return evidence


async def until_two_serve(run: Run) -> None:
    async def is_so() -> bool:
        metrics = await run.gateway.operator.metrics()
        return (metrics.get("tokenward_workers"), metrics.get("tokenward_worker_exits_total")) == (2, 1)

    await until(is_so)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Of one run, for all tests here that look at it."""
    return asyncio.run(run_all(tmp_path_factory.mktemp("evidence")))


# What it left behind


def infixes(text: str) -> Iterator[str]:
    return (text[start : start + INFIX] for start in range(len(text) - INFIX + 1))


def found_in(text: str, secrets: set[str]) -> set[str]:
    return {infix for secret in secrets for infix in infixes(secret)}.intersection(infixes(text))


@pytest.mark.case("C307")
def test_no_part_of_a_secret_is_logged_counted_or_answered(evidence: Evidence) -> None:
    answered = "".join((answer.head + answer.body).decode("latin-1") for answer in evidence.answers)
    for place in (evidence.stdout, evidence.stderr, *evidence.pages, answered):
        assert found_in(place, evidence.secrets) == set()


@pytest.mark.case("C307")
def test_the_search_would_find_them(evidence: Evidence) -> None:
    # What belongs upstream has arrived there, and what belongs to a provider there: it was said, and it can be found.
    assert len(found_in(evidence.reached, evidence.secrets)) > 100
    assert len(found_in(evidence.asked, evidence.secrets)) > 100
    assert len(evidence.secrets) > 50
    assert evidence.stdout.count('"msg":"access"') > 0.9 * evidence.sent[-1]
    assert evidence.stderr.count("the configuration was not reloaded") > 4


@pytest.mark.case("C309")
def test_metrics_are_prometheus_and_no_label_holds_what_a_caller_chose(evidence: Evidence) -> None:
    pages = [page for page in evidence.pages if page.startswith("# HELP")]
    assert len(pages) == 3
    for page in pages:
        assert CANARY not in page
        for family in text_string_to_metric_families(page):
            assert family.documentation
            assert family.type in {"counter", "gauge", "histogram"}
            for sample in family.samples:
                assert set(sample.labels) <= LABELS, sample


LABELS = {"route", "method", "code", "result", "policy", "provider", "reason", "outcome", "target", "le"} | {
    "version",
    "compiled",
    "revision",
    "parser",
}


@pytest.mark.case("C311")
def test_every_request_is_one_decision_and_every_refusal_has_its_code(evidence: Evidence) -> None:
    counts, seen = evidence.counts[0], evidence.codes[0]
    assert requests_in(counts) == evidence.sent[0]
    assert total(counts, "tokenward_decisions_total") == evidence.sent[0]
    told: Counter[str] = Counter()
    for sample, value in counts.items():
        if sample.startswith("tokenward_refusals_total "):
            told[sample.split(" ")[1].removeprefix("code=")] += int(value)
    # The one answer that broke off in the middle was a success until then: nobody could be told the code.
    assert told == seen + Counter({"upstream_broke_off": 1})
    assert not {"unnamed", "other", "internal_error"} & set(told)


@pytest.mark.case("C311")
def test_no_counter_goes_back_when_a_worker_is_killed(evidence: Evidence) -> None:
    before, after, later = evidence.counts
    for sample, value in before.items():
        if re.search(r"_(total|count|bucket)( |$)", sample) and not sample.startswith("process_"):
            assert value <= after[sample] <= later[sample], sample
    assert requests_in(later) > requests_in(after)
    for counts in (after, later):
        assert total(counts, "tokenward_decisions_total") == requests_in(counts)


@pytest.mark.case("C312")
def test_what_is_said_of_a_failure_says_nothing_of_what_is_behind_us(evidence: Evidence) -> None:
    assert len(evidence.refusals) > 50
    for answer in evidence.refusals:
        assert answer.header("content-type") == ["application/problem+json"]
        assert answer.header("server") == []
        document = json.loads(answer.body)
        assert set(document) <= PROBLEM
        assert document["status"] == answer.status
        assert UNSPEAKABLE.search(answer.body.decode()) is None, answer.body
        assert len(answer.body) < 600


@pytest.mark.case("C307", "C312")
def test_nothing_went_wrong_that_was_not_foreseen(evidence: Evidence) -> None:
    lines = [json.loads(line) for line in evidence.stderr.splitlines()]
    assert [line for line in lines if "exception" in line] == []
    amiss = [line["msg"] for line in lines if line["level"] in {"error", "critical"}]
    assert all("was not reloaded" in message or "by SIGKILL" in message for message in amiss), amiss
    assert all(json.loads(line)["msg"] == "access" for line in evidence.stdout.splitlines())


# The admin port


@pytest.mark.case("C305", "C309")
async def test_the_admin_port_is_reached_through_no_form_of_request_to_the_other() -> None:
    async with recording_upstream() as upstream, served(configuration(NOBODY, upstream.url)) as it:
        admin = f"127.0.0.1:{it.operator.ask.port}"
        shown = ("/metrics", "/livez", "/readyz", "/routes", "/version", "/api/v1/clients", "/api/v1/openapi.json")
        for path in (*shown, "/-/reload", "/-/purge", "/-/contracts"):
            for target, host in [(path, "localhost"), (path, admin), (f"http://{admin}{path}", admin)]:
                caller = await it.caller.raw()
                caller.send(request("POST" if "-" in path else "GET", target, "X-Requested-With: tokenward", host=host))
                reply = await caller.reply()
                assert (reply.status, json.loads(reply.body)["code"]) == (404, "no_route")
        assert upstream.requests == []


@pytest.mark.case("C305")
def test_the_admin_port_is_on_loopback_where_nobody_says_otherwise() -> None:
    assert is_loopback(parse("routes: {}").admin.listen.host)


@pytest.mark.case("C305")
async def test_nothing_is_changed_for_a_web_page_that_found_the_admin_port() -> None:
    async with served(configuration(NOBODY, NOBODY)) as it:
        for headers in ({}, {"Origin": "https://evil.example"}, {**INTENT, "Host": "evil.example"}):
            for path in ("/-/reload", "/-/purge", "/-/contracts"):
                answer = await it.operator.ask("POST", path, headers=headers)
                assert (answer.status, answer.code) in {(403, "intent_required"), (421, "host_not_local")}
        assert await it.operator.metric("tokenward_config_reloads_total result=success") == 1


@pytest.mark.case("C305")
@pytest.mark.parametrize("workers", [1, 2])
async def test_with_a_token_the_admin_port_shows_and_does_nothing_without_it(workers: int, tmp_path: Path) -> None:
    token = "a-token-for-operators-only"
    config = configuration(NOBODY, NOBODY, workers=workers, admin={"listen": "127.0.0.1:0", "token": token})
    async with program(config, tmp_path) as it:
        for credential in (None, "another-token-of-somebody", token[:-1], ""):
            for method, path in [("GET", "/metrics"), ("GET", "/routes"), ("GET", "/version"), ("POST", "/-/reload")]:
                answer = await it.operator.ask(method, path, credential, headers=INTENT)
                assert (answer.status, answer.code) == (401, "admin_token_required")
        for path in ("/livez", "/readyz"):
            assert await it.operator.ask.get(path) == 200
        assert await it.operator.ask.get("/routes", token) == 200
        assert (await it.operator.reload()).status == 200
