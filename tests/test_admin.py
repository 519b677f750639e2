"""The admin listener: what it tells, what it does, and to whom."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from gateway.admin import Admin, is_loopback, names_this_machine
from gateway.build import Build
from gateway.clients.catalogue import LimitLeft
from gateway.operations import Readiness, ReloadResult, RouteView, Whose
from gateway.providers.status import ProviderState, ProviderStatus
from tests.fakes import NOON

BUILD = Build(version="1.2.3", revision="abcdef", http_parser="llhttp", compiled=False)
INTENT = {"X-Requested-With": "tokenward"}
DEADLINE = 10.0
READY = Readiness(ready=True)
RELOADED = ReloadResult(succeeded=True)


@dataclass
class OneProcess:
    """`Operations` of a gateway that serves one route and knows one provider."""

    readiness: Readiness = READY
    result: ReloadResult = RELOADED
    reloads: int = 0
    purged: list[str | None] = field(default_factory=list)
    fails: bool = False
    refreshes: bool = True

    async def ready(self) -> Readiness:
        return self.readiness

    async def providers(self) -> tuple[ProviderStatus, ...]:
        return (
            ProviderStatus(name="okta", state=ProviderState.READY, since=NOON),
            ProviderStatus(name="openam", state=ProviderState.FAILING, since=NOON + 60, detail="It did not answer."),
        )

    async def routes(self) -> tuple[RouteView, ...]:
        return (
            RouteView(
                name="orders",
                hosts=("api.example.com",),
                path="/orders",
                methods=("GET",),
                policies=("token-enforcement: scope orders.read",),
                upstream=("http://user:secret@orders.internal:8000/v2?key=secret#secret",),
            ),
        )

    async def reload(self) -> ReloadResult:
        self.reloads += 1
        return self.result

    async def purge(self, client_id: str | None) -> int:
        self.purged.append(client_id)
        return 3

    async def limits_left(self, whose: Whose) -> tuple[LimitLeft, ...]:
        return ()

    async def refresh_contracts(self) -> bool:
        return self.refreshes

    async def metrics_text(self) -> str:
        if self.fails:
            raise RuntimeError("a secret of the implementation")
        return "# TYPE tokenward_up gauge\ntokenward_up 1\n"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who connects to an admin listener."""

    port: int
    session: aiohttp.ClientSession

    async def __call__(self, method: str, path: str, *, headers: Mapping[str, str] = {}, body: bytes = b"") -> Answer:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, headers=headers, data=body or None) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def raw(self, request: str) -> str:
        """The first line of the answer to these bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request.encode())
        async with asyncio.timeout(DEADLINE):
            line = await reader.readline()
        writer.close()
        return line.decode().strip()


@asynccontextmanager
async def listening(process: OneProcess, *, loopback: bool = True, token: str | None = None) -> AsyncIterator[Caller]:
    listener = socket.create_server(("127.0.0.1", 0))
    admin = Admin(process, BUILD, loopback=loopback, token=token)
    async with admin.listening([listener]), aiohttp.ClientSession() as session:
        yield Caller(listener.getsockname()[1], session)


@pytest.fixture
def process() -> OneProcess:
    return OneProcess()


@pytest.fixture
async def call(process: OneProcess) -> AsyncIterator[Caller]:
    async with listening(process) as caller:
        yield caller


async def test_metrics_are_what_prometheus_reads(call: Caller) -> None:
    answer = await call("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("tokenward_up 1\n")


async def test_the_process_is_alive_and_ready(call: Caller) -> None:
    assert (await call("GET", "/livez")).status == 200
    assert (await call("GET", "/readyz")).text == "ready\n"


async def test_a_process_that_is_not_ready_says_so_and_is_alive(call: Caller, process: OneProcess) -> None:
    process.readiness = Readiness(ready=False, reason="draining")
    answer = await call("GET", "/readyz")
    assert (answer.status, answer.text) == (503, "not ready: draining\n")
    assert (await call("GET", "/livez")).status == 200


async def test_readiness_tells_on_request_how_each_provider_is_doing_on_a_line(call: Caller) -> None:
    answer = await call("GET", "/readyz?verbose")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json() == {
        "ready": True,
        "reason": "",
        "providers": [
            {"name": "okta", "state": "ready", "since": "2026-11-23T12:00:00.000Z", "detail": ""},
            {"name": "openam", "state": "failing", "since": "2026-11-23T12:01:00.000Z", "detail": "It did not answer."},
        ],
    }
    assert len([line for line in answer.text.splitlines() if '"name"' in line]) == 2


async def test_routes_are_shown_without_what_could_be_a_credential(call: Caller) -> None:
    answer = await call("GET", "/routes")
    assert "secret" not in answer.text
    assert answer.json()["routes"] == [
        {
            "name": "orders",
            "hosts": ["api.example.com"],
            "path": "/orders",
            "methods": ["GET"],
            "policies": ["token-enforcement: scope orders.read"],
            "upstream": ["http://orders.internal:8000/v2"],
        }
    ]


async def test_the_version_is_told(call: Caller) -> None:
    said = (await call("GET", "/version")).json()
    assert (said["version"], said["revision"], said["http_parser"]) == ("1.2.3", "abcdef", "llhttp")


async def test_the_configuration_is_read_again(call: Caller, process: OneProcess) -> None:
    answer = await call("POST", "/-/reload", headers=INTENT)
    assert (answer.status, answer.json()) == (200, {"reloaded": True})
    assert process.reloads == 1


async def test_a_configuration_that_is_not_valid_is_told_with_its_mistakes(call: Caller, process: OneProcess) -> None:
    process.result = ReloadResult(succeeded=False, mistakes=("config.yaml:7:5: routes.orders.path: is missing",))
    answer = await call("POST", "/-/reload", headers=INTENT)
    assert answer.status == 422
    assert answer.json()["code"] == "settings_invalid"
    assert answer.json()["mistakes"] == ["config.yaml:7:5: routes.orders.path: is missing"]


async def test_contracts_that_changed_are_in_force_when_that_is_answered(call: Caller, process: OneProcess) -> None:
    answer = await call("POST", "/-/contracts", headers=INTENT)
    assert (answer.status, answer.json()) == (200, {"in_force": True})
    process.refreshes = False
    answer = await call("POST", "/-/contracts", headers=INTENT)
    assert (answer.status, answer.json()["code"]) == (503, "contracts_not_everywhere")
    assert answer.headers["Retry-After"] == "1"


async def test_tokens_of_one_client_or_of_all_are_forgotten(call: Caller, process: OneProcess) -> None:
    one = await call("POST", "/-/purge", headers=INTENT, body=b'{"client_id": "mobile"}')
    assert (one.status, one.json()) == (200, {"purged": 3})
    assert (await call("POST", "/-/purge", headers=INTENT, body=b"{}")).status == 200
    assert (await call("POST", "/-/purge", headers=INTENT)).status == 200
    assert process.purged == ["mobile", None, None]


@pytest.mark.parametrize(
    "body",
    [b"client_id=mobile", b'{"client": "mobile"}', b'{"client_id": ""}', b'{"client_id": null}', b"[]", b"null", b'""',
     b'{"client_id": "mobile", "all": true}', b"\xff", b"[" * 4000],
)  # fmt: skip
async def test_a_slip_in_a_body_does_not_forget_everything(call: Caller, process: OneProcess, body: bytes) -> None:
    answer = await call("POST", "/-/purge", headers=INTENT, body=body)
    assert (answer.status, answer.json()["code"]) == (400, "body_invalid")
    assert process.purged == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/metrics/", 404, "not_found"),
        ("GET", "/%2d/reload", 405, "method_not_allowed"),
        ("GET", "/-/reload", 405, "method_not_allowed"),
        ("PUT", "/-/purge", 405, "method_not_allowed"),
        ("POST", "/metrics", 405, "method_not_allowed"),
        ("DELETE", "/routes", 405, "method_not_allowed"),
        ("OPTIONS", "/-/reload", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_a_problem_document(
    call: Caller, process: OneProcess, method: str, path: str, status: int, code: str
) -> None:
    answer = await call(method, path, headers=INTENT)
    assert (answer.status, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["instance"] == answer.headers["X-Request-Id"]
    assert ("Allow" in answer.headers) == (status == 405)
    assert process.reloads == 0


async def test_a_body_that_is_too_large_is_refused(call: Caller, process: OneProcess) -> None:
    answer = await call("POST", "/-/purge", headers=INTENT, body=b" " * 5000)
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")
    assert process.purged == []


async def test_head_is_answered_without_a_body(call: Caller) -> None:
    answer = await call("HEAD", "/readyz")
    assert (answer.status, answer.text) == (200, "")


async def test_a_failure_tells_nothing_of_its_cause(call: Caller, process: OneProcess) -> None:
    process.fails = True
    answer = await call("GET", "/metrics")
    assert (answer.status, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["Server"] == "tokenward"


# Who may

CHANGES = pytest.mark.parametrize("path", ["/-/reload", "/-/purge"])


@CHANGES
async def test_a_change_takes_a_header_that_a_foreign_page_cannot_send(
    call: Caller, process: OneProcess, path: str
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"}
    for headers in ({}, form, {"X-Requested-With": "XMLHttpRequest"}):
        answer = await call("POST", path, headers=headers)
        assert (answer.status, answer.json()["code"]) == (403, "intent_required")
    assert (process.reloads, process.purged) == (0, [])


@CHANGES
async def test_off_loopback_nothing_changes_without_a_token_configured(process: OneProcess, path: str) -> None:
    async with listening(process, loopback=False) as call:
        answer = await call("POST", path, headers=INTENT)
        assert (answer.status, answer.json()["code"]) == (403, "admin_token_unset")
        assert (await call("GET", "/metrics")).status == 200
    assert (process.reloads, process.purged) == (0, [])


@pytest.mark.parametrize("loopback", [True, False])
async def test_a_token_once_configured_is_needed_for_all_but_the_probes(process: OneProcess, loopback: bool) -> None:
    async with listening(process, loopback=loopback, token="hunter2hunter2") as call:
        for method, path in (("GET", "/metrics"), ("GET", "/routes"), ("GET", "/nothing"), ("POST", "/-/reload")):
            for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic hunter2hunter2"}, INTENT):
                answer = await call(method, path, headers=given)
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert process.reloads == 0
        assert [(await call("GET", path)).status for path in ("/livez", "/readyz")] == [200, 200]
        right = {"Authorization": "Bearer hunter2hunter2"}
        assert (await call("GET", "/metrics", headers=right)).status == 200
        assert (await call("POST", "/-/reload", headers=right)).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.nip.io", ""]
)
async def test_a_name_that_was_made_to_point_here_gets_no_answer(call: Caller, process: OneProcess, host: str) -> None:
    for line in ("GET /metrics", "GET /livez", "POST /-/reload"):
        request = f"{line} HTTP/1.1\r\nHost: {host}\r\nX-Requested-With: tokenward\r\nContent-Length: 0\r\n\r\n"
        assert (await call.raw(request)).startswith("HTTP/1.1 421")
    assert process.reloads == 0


async def test_the_host_is_what_counts_in_an_absolute_target_too(call: Caller) -> None:
    request = "GET http://127.0.0.1/metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    assert (await call.raw(request)).startswith("HTTP/1.1 421")


async def test_off_loopback_every_name_is_as_good(process: OneProcess) -> None:
    async with listening(process, loopback=False) as call:
        line = await call.raw("GET /livez HTTP/1.1\r\nHost: gateway.example:9090\r\n\r\n")
        assert line.startswith("HTTP/1.1 200")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9090", "a.localhost", "localhost.", "127.0.0.1:9090",
                                  "10.0.0.7", "[::1]:9090", "[::1]"])  # fmt: skip
def test_loopback_names_and_addresses_name_this_machine(host: str) -> None:
    assert names_this_machine(host)


@pytest.mark.parametrize(
    "host", ["", "example.com", "localhost.example.com", "[::1", "127.0.0.1.nip.io", "a@b", "2130706433"]
)
def test_other_names_do_not(host: str) -> None:
    assert not names_this_machine(host)


def test_loopback_addresses_to_bind_are_known() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.com", "")))
