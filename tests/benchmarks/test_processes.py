"""Nothing that a benchmark starts outlives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.accounting import fields_of, pids_below
from benchmarks.processes import StartError, crew, free_ports

CORES = ",".join(str(core) for core in os.sched_getaffinity(0))
SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


def is_alive(pid: int) -> bool:
    return state(pid) not in ("", "Z")


def state(pid: int) -> str:
    """As proc_pid_stat(5) says it; empty where there is no such process."""
    try:
        return fields_of(Path(f"/proc/{pid}/stat").read_text())[0]
    except OSError:
        return ""


def test_programs_end_with_the_block(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with crew(tmp_path) as hands:
        program = hands.start("server", [*SERVER, str(port)], cpus=CORES, port=port)
        assert is_alive(program.pid)
    assert not is_alive(program.pid)


def test_a_program_that_does_not_get_ready_is_told_with_what_it_wrote(tmp_path: Path) -> None:
    with crew(tmp_path) as hands, pytest.raises(StartError, match="no such option"):
        hands.start("server", "sh -c 'echo no such option; exit 1'", cpus=CORES, port=1)


def test_a_frozen_program_stands_still_and_goes_on(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with crew(tmp_path) as hands:
        program = hands.start("server", [*SERVER, str(port)], cpus=CORES, port=port)
        program.freeze()
        _until(lambda: state(program.pid) == "T")
        program.thaw()
        _until(lambda: state(program.pid) != "T")


def test_programs_end_when_the_benchmark_is_killed(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time, pathlib\n"
        "from benchmarks.processes import crew\n"
        "with crew(pathlib.Path(sys.argv[1])) as hands:\n"
        "    run = hands.run(['sh', '-c', 'sleep 60 & wait'], cpus=sys.argv[2], stdout=2, stderr=2)\n"
        "    print(run.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    bench = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), CORES], stdout=subprocess.PIPE, text=True)
    assert bench.stdout is not None
    shell = int(bench.stdout.readline())
    started = pids_below(bench.pid)
    assert shell in started
    bench.send_signal(signal.SIGKILL)
    bench.communicate()
    _until(lambda: not any(map(is_alive, started)))


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)
