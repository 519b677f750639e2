"""Worker processes: real ones, with real signals."""

import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.workers import supervise

DEADLINE = 20.0


@dataclass(frozen=True, slots=True)
class Running:
    """A supervised server under test."""

    program: subprocess.Popen[str]
    port: int
    admin: int

    def pid(self) -> int:
        """Of the worker that answers a request."""
        return int(ask(self.port, "GET", "/")[1])

    def pids(self, count: int) -> set[int]:
        """Of so many workers, once each has answered."""
        found: set[int] = set()
        until = time.monotonic() + DEADLINE
        while len(found) < count:
            assert time.monotonic() < until, f"only {found} answered"
            with held(self.port), held(self.port):  # keeps one busy, so that the others get their turn
                found.add(self.pid())
        return found

    def metrics(self) -> dict[str, float]:
        text = ask(self.admin, "GET", "/metrics")[1]
        return {
            sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def metrics_when(self, name: str, at_least: float) -> dict[str, float]:
        """The metrics, once one of them is so high."""
        until = time.monotonic() + DEADLINE
        while (metrics := self.metrics()).get(name, 0) < at_least:
            assert time.monotonic() < until, f"{name} is {metrics.get(name)}"
        return metrics

    def tell(self, number: signal.Signals) -> None:
        self.program.send_signal(number)

    def ended(self) -> int:
        return self.program.wait(DEADLINE)

    def children(self) -> list[int]:
        return list(map(int, Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children").read_text().split()))


def ask(port: int, method: str, path: str, *, deadline: float = DEADLINE, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=deadline)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@contextmanager
def held(port: int) -> Iterator[socket.socket]:
    """A request that is under way until the last byte of its body is sent."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        # The interim answer shows that a worker has it.
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        yield connection


def finish(connection: socket.socket) -> str:
    """Send the last byte; the first line of the answer."""
    connection.sendall(b"x")
    return connection.makefile("rb").readline().decode().strip()


@contextmanager
def ends(pid: int) -> Iterator[None]:
    """The process ends while the block runs, or soon after."""
    fd = os.pidfd_open(pid)
    try:
        yield
        assert select.select((fd,), (), (), DEADLINE)[0], f"process {pid} did not end"
    finally:
        os.close(fd)


@contextmanager
def running(stderr: int = subprocess.DEVNULL, **behaviour: object) -> Iterator[Running]:
    command = [sys.executable, "-m", "tests.supervised", json.dumps(behaviour)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True) as program:
        try:
            assert program.stdout is not None
            ports = json.loads(program.stdout.readline())
            yield Running(program, ports["port"], ports["admin"])
        finally:
            kill_session(program.pid)


def kill_session(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_workers_share_a_listener_and_are_seen_as_one() -> None:
    with running(workers=2) as server:
        assert len(server.pids(2)) == 2
        metrics = server.metrics_when("tokenward_workers", 2)
        answered = metrics["tokenward_http_requests_total code=200 method=GET route=r"]
        server.pid()
        after = server.metrics()["tokenward_http_requests_total code=200 method=GET route=r"]
        assert after == answered + 1
        assert ask(server.admin, "GET", "/readyz") == (200, "ready\n")
        assert json.loads(ask(server.admin, "GET", "/routes")[1])["routes"][0]["name"] == "r"


def test_what_an_operator_asks_is_asked_of_every_worker() -> None:
    with running(workers=2) as server:
        before = server.metrics_when("tokenward_workers", 2).get("tokenward_config_reloads_total result=success", 0)
        assert ask(server.admin, "POST", "/-/reload", X_Requested_With="tokenward")[0] == 200
        assert json.loads(ask(server.admin, "POST", "/-/purge", X_Requested_With="tokenward")[1]) == {"purged": 10}
        assert server.metrics()["tokenward_config_reloads_total result=success"] == before + 2


def test_sighup_reaches_every_worker() -> None:
    with running(workers=2) as server:
        server.metrics_when("tokenward_workers", 2)
        server.tell(signal.SIGHUP)
        server.metrics_when("tokenward_config_reloads_total result=success", 2)


def test_of_what_workers_see_differently_the_worse_is_told() -> None:
    with running(workers=2) as server:
        states = {"failing" if pid % 2 else "ready" for pid in server.pids(2)}
        told = json.loads(ask(server.admin, "GET", "/readyz?verbose")[1])
        assert [provider["state"] for provider in told["providers"]] == [min(states)]


def test_a_worker_that_is_killed_takes_its_own_requests_only_and_is_replaced_at_once() -> None:
    with running(workers=2) as server:
        old = server.pids(2)
        victim = server.pid()
        with held(server.port) as one, held(server.port) as another:
            with ends(victim):
                os.kill(victim, signal.SIGKILL)
            killed_at = time.monotonic()
            with ends_never(old - {victim}):
                answers = [line_or_nothing(connection) for connection in (one, another)]
            assert all(line in {"", "HTTP/1.1 200 OK"} for line in answers)
        assert server.pids(2) - old
        assert time.monotonic() - killed_at < 5.0  # far below a second on a machine that is not busy
        for _ in range(20):
            assert server.pid() != victim


@contextmanager
def ends_never(pids: set[int]) -> Iterator[None]:
    yield
    for pid in pids:
        os.kill(pid, 0)


def line_or_nothing(connection: socket.socket) -> str:
    try:
        return finish(connection)
    except OSError:
        return ""


@pytest.mark.case("C278")
def test_who_waits_to_be_accepted_is_served_by_the_replacement() -> None:
    with running() as server:
        worker = server.pid()
        os.kill(worker, signal.SIGSTOP)
        waiting = [socket.create_connection(("127.0.0.1", server.port), DEADLINE) for _ in range(20)]
        for connection in waiting:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        os.kill(worker, signal.SIGKILL)
        answers = [connection.makefile("rb").readline() for connection in waiting]
        assert answers == [b"HTTP/1.1 200 OK\r\n"] * 20


@pytest.mark.case("C311")
def test_no_counter_falls_when_workers_are_killed() -> None:
    with running(workers=2) as server:
        requests = "tokenward_http_requests_total code=200 method=GET route=r"
        seen = 0.0
        for number in range(1, 4):
            worker = server.pid()
            now = server.metrics()[requests]
            assert now > seen
            with ends(worker):
                os.kill(worker, signal.SIGKILL)
            seen = server.metrics_when("tokenward_worker_exits_total", number)[requests]
            assert seen >= now


@pytest.mark.case("C311")
def test_a_worker_that_ends_by_itself_hands_over_its_last_counts() -> None:
    with running(workers=2) as server:
        server.metrics_when("tokenward_workers", 2)
        worker = server.pid()
        with ends(worker):
            os.kill(worker, signal.SIGTERM)
        metrics = server.metrics_when("tokenward_worker_exits_total", 1)
        assert metrics["tokenward_http_requests_total code=200 method=GET route=r"] == 1


def test_the_admin_process_is_replaced_and_finds_the_workers_again() -> None:
    with running(workers=2) as server:
        workers = server.pids(2)
        admin = (set(server.children()) - workers).pop()
        with ends(admin):
            os.kill(admin, signal.SIGKILL)
        assert server.metrics_when("tokenward_workers", 2)["tokenward_workers"] == 2
        assert server.pid() in workers


def test_sigterm_lets_requests_finish_and_ends_everything_with_0() -> None:
    with running(workers=2) as server:
        children = [*server.pids(2), *server.children()]
        with held(server.port) as connection:
            server.tell(signal.SIGTERM)
            wait_until_refused(server.port)
            assert ask(server.admin, "GET", "/readyz") == (503, "not ready: draining\n")
            assert finish(connection) == "HTTP/1.1 200 OK"
        assert server.ended() == 0
        for pid in children:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


def wait_until_refused(port: int) -> None:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), DEADLINE).close()
        except ConnectionError:
            return
    pytest.fail("the port is still open")


def test_a_service_manager_that_signals_every_process_does_not_cut_the_drain_short() -> None:
    with running(workers=2) as server:
        server.pids(2)
        with held(server.port) as connection:
            os.killpg(server.program.pid, signal.SIGTERM)
            wait_until_refused(server.port)
            assert finish(connection) == "HTTP/1.1 200 OK"
        assert server.ended() == 0


def test_control_c_drains_as_well() -> None:
    with running(workers=2) as server:
        server.pids(2)
        os.killpg(server.program.pid, signal.SIGINT)
        assert server.ended() == 0


def test_the_second_sigterm_ends_everything_at_once() -> None:
    with running(workers=2, patience=3600) as server:
        server.pids(2)
        with held(server.port):
            server.tell(signal.SIGTERM)
            wait_until_refused(server.port)
            server.tell(signal.SIGTERM)
            assert server.ended() == 1


def test_a_worker_that_does_not_end_in_time_is_killed() -> None:
    with running(workers=2, patience=0.2, deaf=True) as server:
        server.pids(2)
        server.tell(signal.SIGTERM)
        assert server.ended() == 1


@pytest.mark.parametrize("code", [78, 1])
def test_a_start_that_fails_ends_everything_with_its_code(code: int) -> None:
    with running(workers=2, fails_with=code) as server:
        assert server.ended() == code


def test_a_worker_that_dies_again_and_again_is_replaced_later_each_time() -> None:
    with running(stderr=subprocess.PIPE, kills_itself=True) as server:
        assert server.program.stderr is not None
        waits: list[float] = []
        for line in server.program.stderr:
            waits += map(float, re.findall(r"another starts in ([\d.]+) s", line))
            if len(waits) == 3:
                break
        assert waits == [0.25, 0.5, 1.0]
        server.tell(signal.SIGTERM)
        assert server.ended() == 0


def test_nobody_stays_when_the_supervisor_is_killed() -> None:
    with running(workers=2) as server:
        server.pids(2)
        children = server.children()
        assert len(children) == 3
        with ends(children[0]), ends(children[1]), ends(children[2]):
            server.tell(signal.SIGKILL)


def test_a_process_that_runs_threads_is_not_forked() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="threads"):
            supervise(1, [], lambda _: 0, run_admin=lambda _: 0, patience=1)
    finally:
        ended.set()
        thread.join()
